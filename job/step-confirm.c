/* Steps of a confirm, which ends the replication that an online upgrade left as a way back. Until its
 * commit it has changed nothing; from there it goes on until nothing of the replication is left.
 * The server serves all the time: only where it was asked for, its main daemon is started anew while
 * connects wait. */
#include "job/confirm.h"
#include "job/journal.h"
#include "job/runner.h"
#include "job/steps.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"
#include "state/backing.h"
#include "timesten/rules.h"

#include <string.h>

/* --- what was asked for -------------------------------------------------------------------------
 */

gboolean confirm_drops_compat(const Job *job)
{
    gboolean wished = FALSE;

    g_variant_lookup(job->request->options, "backwards-compat-off", "b", &wished);
    return wished;
}

const ServerConfig *confirm_other_user(const Job *job, const char *instance)
{
    for (guint i = 0; i < job->inventory->servers->len; i++) {
        const ServerConfig *server = job->inventory->servers->pdata[i];

        if (!g_str_equal(server->name, job->server->name) &&
            (g_str_equal(server->instance, instance) ||
             (server->backing->unconfirmed &&
              g_strcmp0(server->previous_instance, instance) == 0)))
            return server;
    }
    return NULL;
}

/* --- the deadline -------------------------------------------------------------------------------
 */

gboolean confirm_arm(Job *job, GError **error)
{
    g_autoptr(Backing) backing = NULL;
    g_autofree char *timer = unit_confirm(job->server->name);

    if (g_str_equal(job->request->kind, "rollback") && job_replicates(job))
        return confirm_disarm(job, error);
    if (job->options.confirm_within_usec == 0)
        return TRUE;
    backing = backing_load(job->server->name, error);
    return backing && (backing->confirm_by == 0 || run_unit(job, UNIT_START, timer, error));
}

gboolean confirm_disarm(Job *job, GError **error)
{
    g_autofree char *timer = unit_confirm(job->server->name);

    return run_unit(job, UNIT_STOP, timer, error);
}

/* --- the point of no return ---------------------------------------------------------------------
 */

/* One rename, as that of an upgrade: behind it nobody goes back without allowing a loss. */
gboolean step_confirm_commit(Job *job, GError **error)
{
    g_autoptr(Backing) backing = backing_load(job->server->name, error);

    if (!backing)
        return FALSE;
    if (!backing->unconfirmed && backing->confirmed_by != job->request->id)
        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "Server %s has nothing to confirm any more. See ttctl status %s",
                            job->server->name, job->server->name);
    backing_confirm(backing, job->request->id);
    return backing_commit(job->server->name, backing, error);
}

/* The generator takes the deadline away, and what both daemons were started at boot for. */
gboolean step_confirm_forget(Job *job, GError **error)
{
    return confirm_disarm(job, error) && run_daemon_reload(job, error);
}

/* --- the main daemon of the release before ------------------------------------------------------
 */

static gboolean add_left_to_do(Job *job, const char *text, GError **error)
{
    const char *before = g_hash_table_lookup(job->summary->values, RECORD_LEFT_TO_DO);
    g_autofree char *all = g_strjoin("\n", before ? before : text, before ? text : NULL, NULL);

    if (before && strstr(before, text)) /* of an earlier attempt */
        return TRUE;
    journal_line(job, &(JournalFields){ LOG_NOTICE, NULL, NULL, NULL }, "Left to do: %s", text);
    return job_record(job, RECORD_NOTE, "-", error, RECORD_LEFT_TO_DO, all, NULL);
}

/* One that an administrator has enabled is not ours to stop: it runs because somebody wants it to. */
static gboolean is_enabled(Job *job, const char *unit)
{
    char *argv[] = { (char *)"/usr/bin/systemctl", (char *)"is-enabled", (char *)"--quiet",
                     (char *)unit, NULL };
    g_autofree char *said = run_program(job, &job->to, "asking whether it is enabled", argv, NULL);

    return said != NULL;
}

gboolean step_confirm_stop(Job *job, GError **error)
{
    const char *name = job->to.config->name, *unit = job->to.unit;
    const ServerConfig *user = confirm_other_user(job, name);
    g_autofree char *state = run_unit_state(job, unit, error);
    g_autofree char *text = NULL;

    if (!state || g_str_equal(state, "inactive"))
        return state != NULL;
    if (user) {
        journal_line(job, &(JournalFields){ LOG_INFO, NULL, NULL, NULL },
                     "The main daemon of instance %s runs on: server %s needs it", name,
                     user->name);
        return TRUE;
    }
    if (!is_enabled(job, unit))
        return job->stopping ? tu_error_set(error, TU_ERROR_FAILED, "The worker was told to stop")
                             : run_unit(job, UNIT_STOP, unit, error);
    text = g_strdup_printf("The main daemon of instance %s runs on, because %s is enabled. If "
                           "nothing else needs it: systemctl disable --now %s",
                           name, unit, unit);
    return add_left_to_do(job, text, error);
}

/* --- the compatibility option -------------------------------------------------------------------
 */

/* Only a person knows when the last old client is gone. */
gboolean confirm_tell_compat(Job *job, const Side *side, const char *peer_host, GError **error)
{
    g_autofree char *text = NULL;

    if (!side->facts->backwards_compat)
        return TRUE;
    text = g_strdup_printf(
        "Instance %s runs with -insecure-backwards-compat, for clients%s%s before " RULES_COMPAT_RELEASE ". When there "
        "are none any more: ttctl hold %s 5min; runuser -u %s -- " LIBEXECDIR
        "/instance-helper set %s --backwards-compat=no; systemctl restart %s; ttctl resume %s",
        side->config->name, peer_host ? " and the databases of " : "", peer_host ? peer_host : "",
        job->server->name, side->admin, side->config->home, side->unit, job->server->name);
    return add_left_to_do(job, text, error);
}

/* Read at the daemon's start only (facts 2.2). Sessions end as at the end of an upgrade. */
static gboolean restart_without(Job *job, GError **error)
{
    return step_hold(job, error) && step_drain(job, error) && step_stop_old_server(job, error) &&
           run_helper_set(job, &job->from, error, "--backwards-compat=no", NULL) &&
           run_unit(job, UNIT_RESTART, job->from.unit, error) &&
           step_stop_old_server_undo(job, error);
}

gboolean step_confirm_compat(Job *job, GError **error)
{
    g_autoptr(GError) problem = NULL;
    gboolean opened;

    if (!job_probe_side(job, &job->from, error))
        return FALSE;
    if (!confirm_drops_compat(job))
        return confirm_tell_compat(job, &job->from, NULL, error);
    /* One that was begun may have got as far as the file, and not to the daemon. */
    if (!job->from.facts->backwards_compat && !job_noted(job, "begun"))
        return TRUE;
    if (!job_note_once(job, "begun", "yes", error))
        return FALSE;
    if (!job->outage_since)
        job->outage_since = g_get_monotonic_time();
    restart_without(job, &problem);
    if (job->stopping) { /* the next worker goes on with it */
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    /* Whatever became of it, clients wait for the server that there is. */
    opened = step_hold_undo(job, problem ? NULL : error);
    job->outage_since = 0;
    if (!problem)
        return opened;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}
