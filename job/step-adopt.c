/* Taking a server under management that opened its port itself, or that does not run. It is never
 * stopped for that: its socket is had twice until it ends, and only then does anybody of ours
 * accept there. */
#include "job/adopt.h"
#include "job/runner.h"
#include "job/server.h"
#include "job/steps.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"
#include "port/keeper.h"
#include "state/adoption.h"

#include <errno.h>
#include <pwd.h>
#include <unistd.h>

#define FILE_LIMIT (1024 * 1024)

/* --- declare ------------------------------------------------------------------------------------
 */

char *adopt_file(const Job *job)
{
    g_autofree char *directory = path_servers_directory();

    return g_strdup_printf("%s/%s.conf", directory, job->server->name);
}

AdoptFile adopt_see_file(const Job *job)
{
    g_autofree char *path = adopt_file(job);
    gboolean missing = FALSE;
    g_autofree char *text = file_read(path, FILE_LIMIT, &missing, NULL);

    if (missing)
        return FILE_MISSING;
    return g_strcmp0(text, job->declaration) == 0 ? FILE_OURS : FILE_OF_OTHERS;
}

gboolean step_declare(Job *job, GError **error)
{
    g_autofree char *path = adopt_file(job);
    g_autoptr(TimesTenStatus) status = run_status(job, &job->from, error);

    if (!status)
        return FALSE;
    if (adopt_see_file(job) == FILE_OF_OTHERS)
        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "%s was written by somebody else meanwhile. Look at it, and try again "
                            "when it is right or gone",
                            path);
    /* The mark before the file: no generator may see the one without the other, or systemd would be
     * told to open a port that is taken. */
    return job_note_once(job, "was-running", status->server_pid ? "yes" : "no", error) &&
           (g_str_equal(job_noted(job, "was-running"), "no") ||
            adoption_mark(job->server->name, error)) &&
           file_replace_synced(path, job->declaration, -1, 0644, error) &&
           run_daemon_reload(job, error);
}

gboolean step_declare_undo(Job *job, GError **error)
{
    g_autofree char *path = adopt_file(job);
    g_autofree char *directory = path_servers_directory();

    file_forget_unfinished(path);
    if (adopt_see_file(job) == FILE_OURS) {
        if (unlink(path) < 0 && errno != ENOENT)
            return tu_error_errno(error, errno, "Cannot remove %s", path);
        if (!directory_sync(directory, error))
            return FALSE;
    }
    return adoption_unmark(job->server->name, error) && run_daemon_reload(job, error);
}

/* --- share-port ---------------------------------------------------------------------------------
 */

static gboolean was_running(const Job *job)
{
    const RecordStep *declare = record_find_step(job->summary, "declare");

    return declare &&
           g_strcmp0(g_hash_table_lookup(declare->values, "was-running"), "yes") == 0;
}

char *adopt_look(Job *job, const TimesTenStatus *status, gboolean take, GError **error)
{
    const struct passwd *admin = getpwnam(job->from.admin);
    g_autofree char *port = g_strdup_printf("%u", job->server->port);
    g_autofree char *pid = g_strdup_printf("%" G_GUINT64_FORMAT, status->server_pid);
    g_autofree char *user = g_strdup_printf("%u", admin ? (guint)admin->pw_uid : G_MAXUINT32);
    char *look[] = { (char *)LIBEXECDIR "/port-adopter", (char *)"look", port, pid, user, NULL };
    char *give[] = { (char *)LIBEXECDIR "/port-adopter",
                     (char *)"take",
                     (char *)job->server->name,
                     port,
                     pid,
                     user,
                     NULL };

    return run_adopter(job, &job->from, take ? give : look, error);
}

/* A keeper that has a queue has a socket. */
static gboolean keeper_has_port(const Job *job)
{
    g_autoptr(KeeperStatus) keeper = keeper_status_read(job->server->name);

    return keeper && keeper->queue_limit > 0;
}

gboolean step_share_port(Job *job, GError **error)
{
    g_autofree char *socket = unit_server_socket(job->server->name);
    g_autofree char *keeper = unit_server(job->server->name);
    g_autoptr(TimesTenStatus) status = NULL;
    g_autofree char *said = NULL;

    if (!was_running(job)) /* then it is only configuration */
        return TRUE;
    if (!run_unit(job, UNIT_START, socket, error) || !run_unit(job, UNIT_START, keeper, error))
        return FALSE;
    if (keeper_has_port(job))
        return TRUE;
    status = run_status(job, &job->from, error);
    if (!status)
        return FALSE;
    if (!status->server_pid)
        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "The TimesTen Server of instance %s ended meanwhile. Start it, then "
                            "try again",
                            job->from.config->name);
    said = adopt_look(job, status, TRUE, error);
    return said != NULL;
}

/* With the keeper goes the second hold on the socket; the server has the first. Where the server
 * ended meanwhile, it is started again as it was. */
gboolean step_share_port_undo(Job *job, GError **error)
{
    g_autofree char *socket = unit_server_socket(job->server->name);
    g_autoptr(TimesTenStatus) status = NULL;

    if (!run_unit(job, UNIT_STOP, socket, error))
        return FALSE;
    if (!was_running(job))
        return TRUE;
    job->from.backend_port = job->server->port;
    status = run_status(job, &job->from, error);
    if (!status)
        return FALSE;
    /* After a reboot nobody need have started the instance yet. */
    return !status->daemon_running || server_is_up(&job->from, status) ||
           step_start_server(job, &job->from, error);
}

/* --- move-server --------------------------------------------------------------------------------
 */

static gboolean set_port(Job *job, guint16 port, guint16 only_if, GError **error)
{
    g_autofree char *option = g_strdup_printf("--server-port=%u", port);
    g_autofree char *condition = g_strdup_printf("--if-port=%u", only_if);

    return run_helper_set(job, &job->from, error, option, condition, NULL);
}

/* The option file is read at a server's start only, so the one that runs stays where it is. */
gboolean step_move_server(Job *job, GError **error)
{
    g_autofree char *before = g_strdup_printf("%u", job->from.facts->server_port);

    return job_note_once(job, "port-before", before, error) &&
           set_port(job, job->from.backend_port, job->from.facts->server_port, error);
}

gboolean step_move_server_undo(Job *job, GError **error)
{
    const char *before = job_noted(job, "port-before");

    return !before || set_port(job, (guint16)atoi(before),
                               inventory_private_port(job->inventory, job->server,
                                                      job->from.config, (guint16)atoi(before)),
                               error);
}

/* --- enable -------------------------------------------------------------------------------------
 */

static gboolean set_enabled(Job *job, gboolean on, GError **error)
{
    g_autofree char *socket = unit_server_socket(job->server->name);

    return run_enable(job, socket, on, error) && run_daemon_reload(job, error);
}

gboolean step_enable(Job *job, GError **error)
{
    return set_enabled(job, TRUE, error);
}

gboolean step_enable_undo(Job *job, GError **error)
{
    return set_enabled(job, FALSE, error);
}
