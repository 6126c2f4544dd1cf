#include "state/adoption.h"
#include "state/inventory-file.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"
#include "common/text.h"

#include <errno.h>
#include <unistd.h>

char *adoption_mark_path(const char *server)
{
    g_autofree char *below = g_strconcat("adopted/", server, NULL);

    return path_runtime(below);
}

gboolean adoption_is_marked(const char *server)
{
    g_autofree char *path = adoption_mark_path(server);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

gboolean adoption_mark(const char *server, GError **error)
{
    g_autofree char *path = adoption_mark_path(server);
    g_autofree char *directory = g_path_get_dirname(path);

    if (g_mkdir_with_parents(directory, 0755) < 0)
        return tu_error_errno(error, errno, "Cannot make %s", directory);
    return file_replace(path, "", 0, 0644, error);
}

gboolean adoption_unmark(const char *server, GError **error)
{
    g_autofree char *path = adoption_mark_path(server);

    return unlink(path) == 0 || errno == ENOENT ||
           tu_error_errno(error, errno, "Cannot remove %s", path);
}

static gboolean check_words(char **databases, GError **error)
{
    if (!databases || !databases[0])
        return tu_error_set(error, TU_ERROR_INVALID_OPTION,
                            "No database is named. Give the option databases");
    for (char **dsn = databases; *dsn; dsn++)
        if (!dsn_is_valid(*dsn)) {
            g_autofree char *shown = text_one_line(*dsn, 64);

            return tu_error_set(error, TU_ERROR_INVALID_OPTION,
                                "Option databases has \"%s\", which cannot be a DSN", shown);
        }
    return TRUE;
}

guint16 adoption_port(GVariant *options)
{
    const char *listen = "";

    g_variant_lookup(options, "listen", "&s", &listen);
    return listen_port(listen);
}

char *adoption_configuration(const JobRequest *request, GError **error)
{
    const char *listen = "", *mode = "relay";
    g_auto(GStrv) databases = NULL;
    g_autofree char *words = NULL;

    g_variant_lookup(request->options, "listen", "&s", &listen);
    g_variant_lookup(request->options, "mode", "&s", &mode);
    g_variant_lookup(request->options, "databases", "^as", &databases);
    if (listen_port(listen) == 0) {
        g_autofree char *shown = text_one_line(listen, 64);

        tu_error_set(error, TU_ERROR_INVALID_OPTION,
                     "Option listen is \"%s\". Write PORT, ADDRESS:PORT or [IPV6]:PORT", shown);
        return NULL;
    }
    if (!check_words(databases, error))
        return NULL;
    words = g_strjoinv(" ", databases);
    return g_strdup_printf("# Written by ttctl adopt.\n"
                           "[Server]\n"
                           "Listen=%s\n"
                           "Databases=%s\n"
                           "Instance=%s\n"
                           "Mode=%s\n",
                           listen, words, request->to, mode);
}
