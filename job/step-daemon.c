/* Steps that touch the main daemons and TimesTen Servers of the two instances. The old one's
 * databases are not touched here, and no server is ever configured for a public port. */
#include "job/steps.h"
#include "job/meter.h"
#include "job/runner.h"
#include "job/server.h"
#include "common/error.h"
#include "common/text.h"
#include "port/keeper.h"
#include "timesten/rules.h"

#define DAEMON_UP_USEC       (60 * USEC_PER_SEC)
#define SERVER_DOWN_USEC     (30 * USEC_PER_SEC)
#define SERVER_DOWN_MIN_USEC (5 * USEC_PER_SEC)
#define PORT_FREE_USEC       (10 * USEC_PER_SEC)

static gboolean noted_yes(const Job *job, const char *key)
{
    return g_strcmp0(job_noted(job, key), "yes") == 0;
}

typedef gboolean (*StatusTest)(const Side *side, const TimesTenStatus *status);

static gboolean daemon_is_up(const Side *side, const TimesTenStatus *status)
{
    return status->daemon_running;
}

static gboolean daemon_is_down(const Side *side, const TimesTenStatus *status)
{
    return !status->daemon_running;
}

static gboolean server_is_down(const Side *side, const TimesTenStatus *status)
{
    return status->server_pid == 0;
}

/* A server that was stopped to be started on another port may have been started by somebody else
 * meanwhile: the reviver comes where clients wait. */
static gboolean server_is_down_or_moved(const Side *side, const TimesTenStatus *status)
{
    return server_is_down(side, status) || status->server_port == side->backend_port;
}

/* Looks at ttStatus until it is as wanted. TRUE with *ret_reached FALSE when the time is over. */
static gboolean await_status(Job *job, const Side *side, StatusTest test, guint64 limit_usec,
                             gboolean *ret_reached, GError **error)
{
    guint64 end = g_get_monotonic_time() + limit_usec, pause = 0;

    do {
        g_autoptr(TimesTenStatus) status = run_status(job, side, error);

        if (!status)
            return FALSE;
        *ret_reached = test(side, status);
        if (*ret_reached)
            return TRUE;
        if (!job_pause(job, &pause, error))
            return FALSE;
    } while ((guint64)g_get_monotonic_time() < end);
    return TRUE;
}

static gboolean await_or_fail(Job *job, const Side *side, StatusTest test, guint64 limit_usec,
                              const char *what, GError **error)
{
    g_autofree char *limit = text_timespan(limit_usec);
    gboolean reached = FALSE;

    if (!await_status(job, side, test, limit_usec, &reached, error))
        return FALSE;
    if (!reached)
        g_set_error(error, TU_ERROR, TU_ERROR_UTILITY_FAILED,
                    "%s of instance %s did not happen within %s (ttStatus does not show it). See "
                    "tterrors.log in %s and systemctl status %s",
                    what, side->config->name, limit, side->facts->daemon_home, side->unit);
    return reached;
}

gboolean step_set_server_port(Job *job, const Side *side, guint16 port, GError **error)
{
    g_autofree char *option = g_strdup_printf("--server-port=%u", port);

    return run_helper_set(job, side, error, option, NULL);
}

gboolean step_bring_daemon_up(Job *job, const Side *side, GError **error)
{
    return run_unit(job, UNIT_START, side->unit, error) &&
           await_or_fail(job, side, daemon_is_up, DAEMON_UP_USEC, "The start of the main daemon",
                         error);
}

gboolean step_stop_daemon(Job *job, const Side *side, GError **error)
{
    return run_unit(job, UNIT_STOP, side->unit, error) &&
           await_or_fail(job, side, daemon_is_down, DAEMON_UP_USEC, "The stop of the main daemon",
                         error);
}

static gboolean stop_server_of(Job *job, const Side *side, GError **error)
{
    g_autoptr(UtilityResult) result = run_utility(job, side, UTILITY_SERVER_STOP, NULL, error);

    if (result && utility_left_to_systemd(UTILITY_SERVER_STOP, result->output) &&
        !run_unit(job, UNIT_RESTART, side->unit, error))
        return FALSE;
    return result && await_or_fail(job, side, server_is_down, SERVER_DOWN_USEC,
                                   "The stop of the server", error);
}

/* --- announce -----------------------------------------------------------------------------------
 */

gboolean step_announce(Job *job, GError **error)
{
    g_autoptr(GError) problem = NULL;

    /* The daemon emits PrepareForUpgrade when it sees this step in the record; it must be there to
     * see it. */
    if (!run_unit(job, UNIT_START, "timesten-upgraded.service", &problem))
        g_warning("Applications are not told: %s, ignoring", problem->message);
    /* The generator locks the socket unit against a stop by hand for as long as the job is
     * unfinished. */
    return run_daemon_reload(job, error);
}

gboolean step_announce_undo(Job *job, GError **error)
{
    return TRUE; /* the record itself is the announcement's end */
}

/* --- start-new-daemon ---------------------------------------------------------------------------
 */

/* -insecure-backwards-compat is read at the daemon's start only (facts 2.2). */
static gboolean prepare_compat(Job *job, gboolean *ret_changed, GError **error)
{

    *ret_changed = FALSE;
    if (!rules_need_backwards_compat(&job->from.facts->release, &job->to.facts->release))
        return TRUE;
    if (!job_note_once(job, "compat-before", job->to.facts->backwards_compat ? "yes" : "no", error))
        return FALSE;
    if (job->to.facts->backwards_compat)
        return TRUE;
    *ret_changed = TRUE;
    return run_helper_set(job, &job->to, error, "--backwards-compat=yes", NULL);
}

static gboolean release_public_ports(Job *job, GError **error)
{
    g_autoptr(GString) option = g_string_new("--if-port=");

    for (guint i = 0; i < job->inventory->servers->len; i++)
        g_string_append_printf(option, "%s%u", i ? "," : "",
                               ((ServerConfig *)job->inventory->servers->pdata[i])->port);
    return run_helper_set(job, &job->to, error, "--server-port=0", option->str, NULL);
}

/* With one PrivatePort= for both it has to wait for the old server's end. In place both have the
 * same databases, and nothing of the new release is to be up where a client could be let into them.
 */
static gboolean may_start_server_early(const Job *job)
{
    return !job_in_place(job) && job->to.backend_port != job->from.backend_port;
}

/* The port in the option file, as the undo is to leave it. */
static gboolean note_port(Job *job, GError **error)
{
    guint16 port = job->to.facts->server_port;
    g_autofree char *before = NULL;

    for (guint i = 0; i < job->inventory->servers->len; i++)
        if (((ServerConfig *)job->inventory->servers->pdata[i])->port == port)
            port = 0; /* released */
    before = g_strdup_printf("%u", port);
    return job_note_once(job, "server-port", before, error);
}

static gboolean restore_port(Job *job, GError **error)
{
    guint64 port;

    return !text_parse_uint64(job_noted(job, "server-port"), 0, 65535, &port) ||
           step_set_server_port(job, &job->to, port, error);
}

/* A server needs none of its databases to start, so it starts and is seen to stay while clients are
 * still served by the old one; the step that proves it then finds it up. */
static gboolean start_server_early(Job *job, GError **error)
{
    g_autoptr(TimesTenStatus) before = NULL, up = NULL;

    if (!may_start_server_early(job))
        return TRUE;
    before = run_status(job, &job->to, error);
    if (!before || !note_port(job, error) ||
        !job_note_once(job, "server-was-running", before->server_pid ? "yes" : "no", error) ||
        !step_start_server(job, &job->to, error))
        return FALSE;
    up = run_status(job, &job->to, error);
    return up && server_lasts(job, &job->to, up, error);
}

gboolean step_start_new_daemon(Job *job, GError **error)
{
    g_autofree char *state = run_unit_state(job, job->to.unit, error);
    gboolean active, compat_changed;

    if (!state)
        return FALSE;
    active = g_str_equal(state, "active");
    if (!job_note_once(job, "was-active", active ? "yes" : "no", error) ||
        !release_public_ports(job, error) || !prepare_compat(job, &compat_changed, error))
        return FALSE;
    /* Free when the checks looked. Its start would only be waited for in vain. */
    if (!active && job->to.facts->daemon_port && server_port_answers(job->to.facts->daemon_port)) {
        g_set_error(error, TU_ERROR, TU_ERROR_UTILITY_FAILED,
                    "The main daemon of instance %s cannot have its port %u: somebody else listens "
                    "there. Look who it is with ss -ltnp, free the port, then start again",
                    job->to.config->name, job->to.facts->daemon_port);
        return FALSE;
    }
    /* A daemon starts its server with itself, so the port stands there before: ttStatus does not
     * show a server that is on its way up at another one, and an order to start is lost on it. */
    if (!active && may_start_server_early(job) &&
        (!note_port(job, error) ||
         !step_set_server_port(job, &job->to, job->to.backend_port, error)))
        return FALSE;
    if (!run_unit(job, active && compat_changed ? UNIT_RESTART : UNIT_START, job->to.unit, error))
        return FALSE;
    return await_or_fail(job, &job->to, daemon_is_up, DAEMON_UP_USEC,
                         "The start of the main daemon", error) &&
           start_server_early(job, error);
}

gboolean step_start_new_daemon_undo(Job *job, GError **error)
{
    gboolean restore_compat = g_strcmp0(job_noted(job, "compat-before"), "no") == 0;
    gboolean stop_server = g_strcmp0(job_noted(job, "server-was-running"), "no") == 0;
    gboolean was_active = noted_yes(job, "was-active"), restored;

    if (!job_noted(job, "was-active"))
        return TRUE; /* it never touched anything */
    restored =
        restore_port(job, error) &&
        (!restore_compat || run_helper_set(job, &job->to, error, "--backwards-compat=no", NULL));
    if (!was_active) /* whether or not its files can be changed: nobody needs it any more */
        return run_unit(job, UNIT_STOP, job->to.unit, restored ? error : NULL) && restored;
    if (restored && restore_compat) /* and with it goes its server */
        return run_unit(job, UNIT_RESTART, job->to.unit, error);
    return restored && (!stop_server || stop_server_of(job, &job->to, error));
}

/* --- stop-old-server ----------------------------------------------------------------------------
 */

/* Two tries and the way back must end while connects still wait: each try gets a quarter of what
 * is left of the hold, so a server that does not stop costs nobody a refusal. */
static guint64 stop_patience(const Job *job)
{
    guint64 left = job_hold_left(job);

    return left ? CLAMP(left / 4, SERVER_DOWN_MIN_USEC, SERVER_DOWN_USEC) : SERVER_DOWN_USEC;
}

/* The vendor's unit lets nobody stop the server alone. In place its main daemon ends next, with it;
 * else that starts anew without it. */
static gboolean stop_server_by_unit(Job *job, GError **error)
{
    if (job_in_place(job))
        return run_keeper(job, error, "cut");
    return step_set_server_port(job, &job->from, 0, error) && run_keeper(job, error, "cut") &&
           step_await_no_connections(job, error) &&
           run_unit(job, UNIT_RESTART, job->from.unit, error) &&
           await_or_fail(job, &job->from, daemon_is_up, DAEMON_UP_USEC,
                         "The start of the main daemon", error);
}

gboolean step_stop_old_server(Job *job, GError **error)
{
    static const UtilityId tries[] = { UTILITY_SERVER_STOP, UTILITY_SERVER_STOP_FORCE };
    g_autoptr(TimesTenStatus) status = run_status(job, &job->from, error);
    guint64 patience = stop_patience(job);
    g_autofree char *trouble = NULL;
    gboolean down;

    if (!status || !job_note_once(job, "was-running", status->server_pid ? "yes" : "no", error))
        return FALSE;
    down = status->server_pid == 0;
    for (guint i = 0; i < G_N_ELEMENTS(tries) && !down; i++) {
        g_autoptr(UtilityResult) result = run_utility(job, &job->from, tries[i], NULL, error);

        if (!result)
            return FALSE;
        if (utility_left_to_systemd(tries[i], result->output))
            return stop_server_by_unit(job, error);
        g_free(trouble);
        trouble = g_strdup_printf(
            "The TimesTen Server of instance %s (pid %" G_GUINT64_FORMAT
            ") does not stop%s%s. End its clients' requests, or stop it with %s/bin/%s, then start "
            "again",
            job->from.config->name, status->server_pid, result->reason ? ": " : "",
            result->reason ? result->reason : "", job->from.facts->home, utility_name(tries[i]));
        job_set_trouble(job, g_strdup(trouble));
        if (!await_status(job, &job->from, server_is_down, patience, &down, error))
            return FALSE;
    }
    if (!down) {
        g_set_error_literal(error, TU_ERROR, TU_ERROR_UTILITY_FAILED, trouble);
        return FALSE;
    }
    job_set_trouble(job, NULL);
    /* The server has let each request end and dropped its clients; what the relay still holds is
     * dead. */
    return run_keeper(job, error, "cut");
}

static gboolean server_is_up_or_port_is_free(const Side *side, const TimesTenStatus *status)
{
    return server_is_up(side, status) || !server_port_answers(side->backend_port);
}

/* A server that finds its port taken says so in its own log only and never comes up (G), so that is
 * seen beforehand. A moment is left to what may be on its way out, or up. */
static gboolean await_free_port(Job *job, const Side *side, GError **error)
{
    gboolean reached = FALSE;

    if (!await_status(job, side, server_is_up_or_port_is_free, PORT_FREE_USEC, &reached, error))
        return FALSE;
    if (!reached)
        g_set_error(error, TU_ERROR, TU_ERROR_UTILITY_FAILED,
                    "The TimesTen Server of instance %s cannot have its port %u: somebody else "
                    "listens there (ttStatus does not show it). Look who it is with ss -ltnp, free "
                    "the port or give the server another PrivatePort=, then start again",
                    side->config->name, side->backend_port);
    return reached;
}

static gboolean is_up(const Side *side, const TimesTenStatus *status)
{
    return server_is_up(side, status);
}

/* With its main daemon, which reads the option file then. */
static gboolean start_server_by_unit(Job *job, const Side *side, GError **error)
{
    return run_unit(job, UNIT_RESTART, side->unit, error) &&
           await_or_fail(job, side, is_up, SERVER_UP_USEC, "The start of the server", error);
}

/* Starts a side's server on its private port, from whatever state it is in. */
gboolean step_start_server(Job *job, Side *side, GError **error)
{
    g_autoptr(TimesTenStatus) status = NULL;

    job_set_trouble(job, g_strdup_printf("The TimesTen Server of instance %s had not come up on "
                                         "its port %u. See tterrors.log in %s",
                                         side->config->name, side->backend_port,
                                         side->facts->daemon_home));
    if (!step_set_server_port(job, side, side->backend_port, error))
        return FALSE;
    status = run_status(job, side, error);
    if (!status || server_is_up(side, status))
        return status != NULL;
    if (status
            ->server_pid) { /* on another port: the option file is read at a server's start only */
        g_autoptr(UtilityResult) stopped =
            run_utility(job, side, UTILITY_SERVER_STOP, NULL, error);

        if (!stopped)
            return FALSE;
        if (utility_left_to_systemd(UTILITY_SERVER_STOP, stopped->output))
            return start_server_by_unit(job, side, error);
        if (stopped->reason)
            return tu_error_set(error, TU_ERROR_UTILITY_FAILED, "%s", stopped->reason);
        if (!await_or_fail(job, side, server_is_down_or_moved, SERVER_DOWN_USEC,
                           "The stop of the server", error))
            return FALSE;
    }
    /* At the public port the kernel answers for everybody. */
    if (side->backend_port != job->server->port && !await_free_port(job, side, error))
        return FALSE;
    for (guint attempt = 0; attempt < 2; attempt++) {
        g_autoptr(UtilityResult) started =
            run_utility(job, side, UTILITY_SERVER_START, NULL, error);
        gboolean up = FALSE;

        if (!started)
            return FALSE;
        if (utility_left_to_systemd(UTILITY_SERVER_START, started->output))
            return start_server_by_unit(job, side, error);
        /* Its word is not believed either way: ttStatus and a connect decide. */
        if (!await_status(job, side, server_is_up, attempt ? SERVER_UP_USEC : 10 * USEC_PER_SEC,
                          &up, error) ||
            up)
            return up;
        if (attempt && started->reason)
            g_warning("%s", started->reason);
    }
    g_set_error(
        error, TU_ERROR, TU_ERROR_UTILITY_FAILED,
        "The TimesTen Server of instance %s does not answer on its port %u (ttStatus and a "
        "connect were tried for a minute). See tterrors.log in %s, and who has the port with ss "
        "-ltnp",
        side->config->name, side->backend_port, side->facts->daemon_home);
    return FALSE;
}

/* The same where its main daemon may be gone, too. */
gboolean step_bring_server_up(Job *job, Side *side, GError **error)
{
    return step_bring_daemon_up(job, side, error) && step_start_server(job, side, error);
}

/* After the commit there is no way back: a server that died since it was proved to serve, or that a
 * reboot ended, is started again. Its clients wait at the port meanwhile. */
static gboolean keep_new_server(Job *job, GError **error)
{
    g_autoptr(TimesTenStatus) status = run_status(job, &job->to, error);

    if (!status || server_is_up(&job->to, status))
        return status != NULL;
    g_message("The TimesTen Server of instance %s is not up although it served before the commit; "
              "it is started again. If it died: tterrors.log in %s says why",
              job->to.config->name, job->to.facts->daemon_home);
    return step_bring_server_up(job, &job->to, error);
}

/* In inherit mode the server cannot come up before the keeper gives it the socket again. */
static gboolean give_port_back(Job *job, GError **error)
{
    g_autofree char *backend = job_backend(job, &job->from);

    return job->server->mode != MODE_INHERIT || run_keeper(job, error, "open %s", backend);
}

gboolean step_stop_old_server_undo(Job *job, GError **error)
{
    g_autoptr(KeeperStatus) keeper = keeper_status_read(job->server->name);

    if (!noted_yes(job, "was-running"))
        return TRUE;
    /* An adopted server that was not stopped yet still accepts at its public port. */
    if (keeper && keeper->guest)
        return TRUE;
    if (!give_port_back(job, error) || !step_bring_server_up(job, &job->from, error))
        return FALSE;
    server_glance(job, &job->from); /* whatever it answers, there is no better one */
    return TRUE;
}

/* --- start-new-server ---------------------------------------------------------------------------
 */

gboolean step_start_new_server(Job *job, GError **error)
{
    g_autoptr(TimesTenStatus) status = run_status(job, &job->to, error);

    if (!status)
        return FALSE;
    /* Started by an earlier step of this worker, and not by somebody else since. */
    if (server_is_up(&job->to, status) && job->to.lasting_server == status->server_pid)
        return server_prove(job, &job->to, status, error);
    return job_note_once(job, "was-running", status->server_pid ? "yes" : "no", error) &&
           step_start_server(job, &job->to, error) && server_prove(job, &job->to, NULL, error);
}

gboolean step_start_new_server_undo(Job *job, GError **error)
{
    const char *was_running = job_noted(job, "was-running");

    if (!was_running || g_str_equal(was_running, "yes"))
        return TRUE; /* it ran on its own port before, for somebody else or of an earlier step */
    if (job_same_instance(job)) /* whoever serves again has it on that very port */
        return TRUE;
    return step_set_server_port(job, &job->to, 0, error) && stop_server_of(job, &job->to, error);
}

/* --- retire-old ---------------------------------------------------------------------------------
 */

gboolean step_retire_old(Job *job, GError **error)
{
    job_serve_publicly(job, &job->to);
    return keep_new_server(job, error) &&
           (job_same_instance(job) || (step_set_server_port(job, &job->from, 0, error) &&
                                       keep_new_server(job, error)));
}
