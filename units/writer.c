#include "units/writer.h"
#include "common/error.h"
#include "common/file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define KEPT_LIMIT (64 * 1024) /* bytes of a drop-in */

struct Writer {
    char *directory;
    char *kept;
    GHashTable *written; /* paths of drop-ins */
};

static gboolean make_directory(const char *path, GError **error)
{
    return g_mkdir_with_parents(path, 0755) == 0 ||
           tu_error_errno(error, errno, "Cannot create directory %s", path);
}

Writer *writer_new(const char *directory)
{
    g_autofree char *above = g_path_get_dirname(directory);
    Writer *writer = g_new0(Writer, 1);

    writer->directory = g_strdup(directory);
    writer->kept = g_build_filename(above, "system", NULL);
    writer->written = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return writer;
}

void writer_free(Writer *writer)
{
    if (!writer)
        return;
    g_free(writer->directory);
    g_free(writer->kept);
    g_hash_table_unref(writer->written);
    g_free(writer);
}

gboolean writer_dropin(Writer *writer, const char *unit, const char *name, const GString *text,
                       GError **error)
{
    g_autofree char *below = g_strconcat(writer->kept, "/", unit, ".d", NULL);
    g_autofree char *path = g_build_filename(below, name, NULL);

    if (!make_directory(below, error))
        return FALSE;
    file_forget_unfinished(path); /* systemd runs one of us at a time */
    if (!file_replace(path, text->str, text->len, 0644, error))
        return FALSE;
    g_hash_table_add(writer->written, g_steal_pointer(&path));
    return TRUE;
}

gboolean writer_keep(Writer *writer, const char *unit, const char *name, const char *first)
{
    g_autofree char *path = g_strconcat(writer->kept, "/", unit, ".d/", name, NULL);
    g_autofree char *text = file_read(path, KEPT_LIMIT, NULL, NULL);

    if (!text || !g_str_has_prefix(text, first))
        return FALSE;
    g_hash_table_add(writer->written, g_steal_pointer(&path));
    return TRUE;
}

gboolean writer_want(Writer *writer, const char *target, const char *unit, const char *file,
                     GError **error)
{
    g_autofree char *below = g_strconcat(writer->directory, "/", target, ".wants", NULL);
    g_autofree char *path = g_build_filename(below, unit, NULL);

    return make_directory(below, error) &&
           (symlink(file, path) == 0 || errno == EEXIST ||
            tu_error_errno(error, errno, "Cannot make the link %s", path));
}

gboolean writer_mark(Writer *writer, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(writer->directory, name, NULL);

    return file_replace(path, "", 0, 0644, error);
}

/* Those names are ours; what an administrator calls otherwise stays. */
static gboolean is_ours(const char *unit, const char *name)
{
    return g_str_has_prefix(unit, "timesten") && g_str_has_suffix(unit, ".d") &&
           g_str_has_prefix(name, "50-") && g_str_has_suffix(name, ".conf");
}

static void tidy_unit(Writer *writer, const char *unit)
{
    g_autofree char *below = g_build_filename(writer->kept, unit, NULL);
    g_autoptr(GDir) entries = g_dir_open(below, 0, NULL);

    for (const char *name; entries && (name = g_dir_read_name(entries));) {
        g_autofree char *path = g_build_filename(below, name, NULL);

        if (is_ours(unit, name) && !g_hash_table_contains(writer->written, path))
            unlink(path);
    }
    rmdir(below); /* where it is empty now */
}

void writer_tidy(Writer *writer)
{
    g_autoptr(GDir) entries = g_dir_open(writer->kept, 0, NULL);

    for (const char *unit; entries && (unit = g_dir_read_name(entries));)
        if (g_str_has_prefix(unit, "timesten"))
            tidy_unit(writer, unit);
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
