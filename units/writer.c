#include "units/writer.h"
#include "common/error.h"
#include "common/file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static gboolean make_directory(const char *path, GError **error)
{
    return g_mkdir_with_parents(path, 0755) == 0 ||
           tu_error_errno(error, errno, "Cannot create directory %s", path);
}

gboolean dropin_write(const char *directory, const char *unit, const char *name,
                      const GString *text, GError **error)
{
    g_autofree char *below = g_strconcat(directory, "/", unit, ".d", NULL);
    g_autofree char *path = g_build_filename(below, name, NULL);

    return make_directory(below, error) && file_replace(path, text->str, text->len, 0644, error);
}

gboolean want_write(const char *directory, const char *target, const char *unit, const char *file,
                    GError **error)
{
    g_autofree char *below = g_strconcat(directory, "/", target, ".wants", NULL);
    g_autofree char *path = g_build_filename(below, unit, NULL);

    return make_directory(below, error) &&
           (symlink(file, path) == 0 || errno == EEXIST ||
            tu_error_errno(error, errno, "Cannot make the link %s", path));
}

void words_append(GString *text, const char *key, const char *prefix, char **words)
{
    g_string_append_printf(text, "%s=%s", key, prefix);
    for (guint i = 0; words[i]; i++) {
        const char *quote = strpbrk(words[i], " \t") ? "\"" : "";

        g_string_append_printf(text, "%s%s%s%s", i ? " " : "", quote, words[i], quote);
    }
    g_string_append_c(text, '\n');
}
