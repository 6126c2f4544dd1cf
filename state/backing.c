/* One sealed key file per server. backing_commit() is the commit of an upgrade, so it must be one
 * rename and must not return TRUE before that rename survives a power cut. */
#include "state/backing.h"
#include "state/seal.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"

#define GROUP         "Backing"
#define BACKING_LIMIT (64 * 1024) /* bytes; a real one has 150 */
#define REMEDY                                                                                     \
    "Find out which instance has the newest data (journalctl -t upgrade-job), then remove the "    \
    "file and "                                                                                    \
    "set Instance= of the server to that instance"

static gboolean check_server(const char *server, GError **error)
{
    if (name_is_valid(server))
        return TRUE;
    g_set_error(error, TU_ERROR, TU_ERROR_NO_SUCH_SERVER, "\"%s\" cannot be the name of a server",
                server ? server : "");
    return FALSE;
}

Backing *backing_load(const char *server, GError **error)
{
    g_autofree char *path = path_backing(server);
    g_autoptr(Backing) backing = g_new0(Backing, 1);
    g_autoptr(GKeyFile) keys = NULL;
    gboolean missing;

    if (!check_server(server, error))
        return NULL;
    keys = sealed_read(path, BACKING_LIMIT, REMEDY, &missing, error);
    if (!keys)
        return missing ? g_steal_pointer(&backing) : NULL;
    backing->instance = sealed_get(keys, GROUP, "Instance");
    backing->previous = sealed_get(keys, GROUP, "Previous");
    backing->job = g_key_file_get_uint64(keys, GROUP, "Job", NULL);
    backing->since = g_key_file_get_uint64(keys, GROUP, "Since", NULL);
    if (!name_is_valid(backing->instance) ||
        (backing->previous && !name_is_valid(backing->previous))) {
        sealed_damaged(error, path, "it names no valid instance", REMEDY);
        return NULL;
    }
    return g_steal_pointer(&backing);
}

gboolean backing_commit(const char *server, const Backing *backing, GError **error)
{
    g_autofree char *path = path_backing(server);
    g_autofree char *directory = g_path_get_dirname(path);
    g_autoptr(GKeyFile) keys = g_key_file_new();
    g_autofree char *text = NULL;

    if (!check_server(server, error))
        return FALSE;
    if (!name_is_valid(backing->instance) ||
        (backing->previous && !name_is_valid(backing->previous))) {
        g_set_error(
            error, TU_ERROR, TU_ERROR_NO_SUCH_INSTANCE,
            "Server %s cannot be committed to \"%s\" (before: \"%s\"): no name of an instance",
            server, backing->instance ? backing->instance : "",
            backing->previous ? backing->previous : "");
        return FALSE;
    }
    sealed_set(keys, GROUP, "Instance", backing->instance);
    sealed_set(keys, GROUP, "Previous", backing->previous);
    g_key_file_set_uint64(keys, GROUP, "Job", backing->job);
    g_key_file_set_uint64(keys, GROUP, "Since", backing->since);
    text = sealed_text(keys);
    return directory_make_synced(directory, 0755, error) &&
           file_replace_synced(path, text, -1, 0644, error);
}

gboolean backing_sync(const char *server, GError **error)
{
    g_autofree char *path = path_backing(server);
    g_autofree char *directory = g_path_get_dirname(path);

    return directory_sync(directory, error);
}

void backing_tidy(const char *server)
{
    g_autofree char *path = path_backing(server);

    file_forget_unfinished(path);
}

void backing_free(Backing *backing)
{
    if (!backing)
        return;
    g_free(backing->instance);
    g_free(backing->previous);
    g_free(backing);
}
