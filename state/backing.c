/* One sealed key file per server. backing_commit() is the commit of an upgrade, so it must be one
 * rename and must not return TRUE before that rename survives a power cut. */
#include "state/backing.h"
#include "state/boot.h"
#include "state/seal.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"
#include "common/text.h"

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

/* NULL: it says nothing that cannot be. The seal tells damage; this tells a file of somebody else.
 */
static const char *find_nonsense(const Backing *backing)
{
    if (!name_is_valid(backing->instance) ||
        (backing->previous && !name_is_valid(backing->previous)))
        return "it names no valid instance";
    if (backing->unconfirmed && !backing->previous)
        return "it waits to be confirmed, but names no instance to go back to";
    if (backing->confirm_by && !backing->unconfirmed)
        return "it has a time to be confirmed by, but nothing to confirm";
    return NULL;
}

static void load_confirmation(Backing *backing, GKeyFile *keys)
{
    backing->method = sealed_get(keys, GROUP, "Method");
    backing->unconfirmed = g_key_file_get_boolean(keys, GROUP, "Unconfirmed", NULL);
    backing->confirm_by = g_key_file_get_uint64(keys, GROUP, "ConfirmBy", NULL);
    backing->confirm_by_monotonic = g_key_file_get_uint64(keys, GROUP, "ConfirmByMonotonic", NULL);
    backing->confirm_boot = sealed_get(keys, GROUP, "ConfirmBoot");
    backing->confirmed_by = g_key_file_get_uint64(keys, GROUP, "ConfirmedBy", NULL);
}

static void save_confirmation(const Backing *backing, GKeyFile *keys)
{
    sealed_set(keys, GROUP, "Method", backing_method(backing));
    if (backing->unconfirmed)
        g_key_file_set_boolean(keys, GROUP, "Unconfirmed", TRUE);
    if (backing->confirm_by) {
        g_key_file_set_uint64(keys, GROUP, "ConfirmBy", backing->confirm_by);
        g_key_file_set_uint64(keys, GROUP, "ConfirmByMonotonic", backing->confirm_by_monotonic);
        sealed_set(keys, GROUP, "ConfirmBoot", backing->confirm_boot);
    }
    if (backing->confirmed_by)
        g_key_file_set_uint64(keys, GROUP, "ConfirmedBy", backing->confirmed_by);
}

Backing *backing_load(const char *server, GError **error)
{
    g_autofree char *path = path_backing(server);
    g_autoptr(Backing) backing = g_new0(Backing, 1);
    g_autoptr(GKeyFile) keys = NULL;
    const char *nonsense;
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
    load_confirmation(backing, keys);
    nonsense = find_nonsense(backing);
    if (nonsense) {
        sealed_damaged(error, path, nonsense, REMEDY);
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
    if (find_nonsense(backing))
        return tu_error_set(error, TU_ERROR_FAILED, "Server %s cannot be committed: %s", server,
                            find_nonsense(backing));
    sealed_set(keys, GROUP, "Instance", backing->instance);
    sealed_set(keys, GROUP, "Previous", backing->previous);
    g_key_file_set_uint64(keys, GROUP, "Job", backing->job);
    g_key_file_set_uint64(keys, GROUP, "Since", backing->since);
    save_confirmation(backing, keys);
    text = sealed_text(keys);
    return directory_make_synced(directory, 0755, error) &&
           file_replace_synced(path, text, -1, 0644, error);
}

/* --- the confirmation ---------------------------------------------------------------------------
 */

const char *backing_method(const Backing *backing)
{
    return backing->method ? backing->method : "offline";
}

gboolean backing_in_place(const Backing *backing)
{
    return g_str_equal(backing_method(backing), "in-place");
}

void backing_set_deadline(Backing *backing, guint64 usec)
{
    g_clear_pointer(&backing->confirm_boot, g_free);
    backing->confirm_by = backing->confirm_by_monotonic = 0;
    if (usec == 0)
        return;
    backing->confirm_by = (guint64)g_get_real_time() + usec;
    backing->confirm_by_monotonic = (guint64)g_get_monotonic_time() + usec;
    backing->confirm_boot = boot_identity(NULL);
}

static guint64 until(guint64 end, guint64 now)
{
    return end > now ? end - now : 0;
}

gboolean backing_same_boot(const Backing *backing)
{
    g_autofree char *boot = boot_recall();

    return boot && g_strcmp0(boot, backing->confirm_boot) == 0;
}

guint64 backing_confirm_left(const Backing *backing)
{
    guint64 given = until(backing->confirm_by, backing->since);

    if (backing->confirm_by == 0)
        return USEC_NEVER;
    if (backing_same_boot(backing))
        return until(backing->confirm_by_monotonic, g_get_monotonic_time());
    return MIN(until(backing->confirm_by, g_get_real_time()), given);
}

guint64 backing_confirm_by(const Backing *backing)
{
    guint64 left = backing_confirm_left(backing), by;

    if (left == USEC_NEVER)
        return 0;
    by = (guint64)g_get_real_time() + left;
    /* Two clocks are never read at one moment, and what has not changed should not look so. One
     * that is over is over since then. */
    if (left == 0 || MAX(by, backing->confirm_by) - MIN(by, backing->confirm_by) < USEC_PER_SEC)
        return backing->confirm_by;
    return by;
}

void backing_confirm(Backing *backing, guint64 job)
{
    backing->unconfirmed = FALSE;
    backing_set_deadline(backing, 0);
    backing->confirmed_by = job;
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
    g_free(backing->method);
    g_free(backing->confirm_boot);
    g_free(backing);
}
