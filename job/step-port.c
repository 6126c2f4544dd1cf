/* Steps that touch the public port, and the commit. */
#include "job/steps.h"
#include "job/confirm.h"
#include "job/engine.h"
#include "job/meter.h"
#include "job/runner.h"
#include "job/server.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"
#include "port/keeper.h"
#include "state/backing.h"

/* Should the worker die for good while sessions drain, the keeper cuts them itself after this much
 * more. */
#define DRAIN_SAFETY_USEC   (120 * USEC_PER_SEC)
#define KEEPER_TIMEOUT_USEC (10 * USEC_PER_SEC)

gboolean step_hold(Job *job, GError **error)
{
    g_autofree char *unit = unit_server(job->server->name);
    guint64 left = job_hold_left(job);
    g_autofree char *command =
        left ? g_strdup_printf("hold %" G_GUINT64_FORMAT, left) : g_strdup("refuse");
    g_autofree char *answer = keeper_say(job->server->name, command, KEEPER_TIMEOUT_USEC, NULL);

    /* One that runs has heard it; to be told by systemd that it runs would take longer. */
    return answer ||
           (run_unit(job, UNIT_START, unit, error) && run_keeper(job, error, "%s", command));
}

gboolean step_hold_undo(Job *job, GError **error)
{
    g_autofree char *backend = job_backend(job, &job->from);

    if (!run_keeper(job, error, "open %s", backend))
        return FALSE;
    /* Where its daemon started while the port was held (at a boot), its server could not have it.
     */
    return job->server->mode != MODE_INHERIT || step_bring_server_up(job, &job->from, error);
}

/* The keeper knows those that it relays; of a server that accepts by itself the kernel does. */
static guint count_sessions(const Job *job)
{
    g_autoptr(KeeperStatus) status = keeper_status_read(job->server->name);

    if (job->server->mode == MODE_INHERIT || (status && status->guest))
        return server_sessions(job->server->port);
    return status ? status->sessions : 0;
}

gboolean step_drain(Job *job, GError **error)
{
    guint64 begun = g_get_monotonic_time(), pause = 0;
    guint64 left = job_hold_left(job);

    if (left && !run_keeper(job, error, "drain %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                            job->options.drain_usec + DRAIN_SAFETY_USEC, left))
        return FALSE;
    for (;;) {
        guint sessions = count_sessions(job);
        guint64 waited = g_get_monotonic_time() - begun;

        /* Sessions that are left are ended by the old server's own graceful stop, the next step. */
        if (sessions == 0 || waited >= job->options.drain_usec)
            return TRUE;
        meter_advance(job->meter, (double)waited / job->options.drain_usec, "%u sessions still run",
                      sessions);
        if (!job_pause(job, &pause, error))
            return FALSE;
    }
}

/* What the commit says. Only what came by replication has a way back that loses nothing, and only
 * forward: whoever has gone back has nothing to confirm. */
static Backing *new_backing(const Job *job)
{
    Backing *backing = g_new0(Backing, 1);

    backing->instance = g_strdup(job->request->to);
    backing->previous = g_strdup(job->request->from);
    backing->job = job->request->id;
    backing->since = g_get_real_time();
    backing->method = g_strdup(job->request->method);
    backing->unconfirmed =
        g_str_equal(job->request->kind, "upgrade") && g_str_equal(job->request->method, "online");
    if (backing->unconfirmed)
        backing_set_deadline(backing, job->options.confirm_within_usec);
    return backing;
}

gboolean step_commit(Job *job, GError **error)
{
    g_autoptr(KeeperStatus) status = keeper_status_read(job->server->name);
    g_autoptr(Backing) backing = new_backing(job);

    if (status && status->state == KEEPER_OPEN) {
        g_set_error(error, TU_ERROR, TU_ERROR_PORT_NOT_HELD,
                    "Somebody opened the port of server %s during the upgrade, so clients may have "
                    "written to the old databases. Nothing was switched; start again",
                    job->server->name);
        return FALSE;
    }
    /* In place whoever is connected by now has the same database. */
    return (job_in_place(job) || step_no_connections(job, error)) &&
           backing_commit(job->server->name, backing, error);
}

/* The keeper first, because clients wait for it. It writes its state down before it obeys, and the
 * next keeper of this boot reads that; one whose unit was stopped in between has only what the
 * generator wrote before the commit, which is a hold, and the second word opens it. A boot reads
 * the commit. */
gboolean step_resume(Job *job, GError **error)
{
    g_autofree char *backend = job_backend(job, &job->to);

    if (!run_keeper(job, error, "open %s", backend))
        return FALSE;
    job_serve_publicly(job, &job->to);
    if (job->server->mode == MODE_INHERIT && !step_bring_server_up(job, &job->to, error))
        return FALSE;
    /* From then on a keeper that starts anew begins so, too. */
    return engine_end_outage(job, error) && run_daemon_reload(job, error) &&
           run_keeper(job, error, "open %s", backend) && confirm_arm(job, error);
}
