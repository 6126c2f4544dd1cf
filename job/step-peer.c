/* Steps of an upgrade beside a peer on another host, which serves the clients meanwhile
 * (facts 4.4). Up to the commit the old release can go on where it stopped, because the peer keeps
 * its log for it; the join ends that, so it comes after the commit. Nothing is changed on the other
 * host. */
#include "job/steps.h"
#include "job/confirm.h"
#include "job/peer.h"
#include "job/replication.h"
#include "job/runner.h"
#include "common/error.h"
#include "common/text.h"
#include "timesten/admin.h"

/* For how long the peer may be away before the job goes back, and in one try after the commit. */
#define AWAY_USEC (5 * 60 * USEC_PER_SEC)

typedef gboolean (*Each)(Job *job, const char *dsn, GError **error);

static gboolean each(Job *job, Each work, GError **error)
{
    for (char **dsn = job->server->databases; *dsn; dsn++)
        if (!work(job, *dsn, error))
            return FALSE;
    return TRUE;
}

/* --- send-rest ----------------------------------------------------------------------------------
 */

static gboolean send_rest(Job *job, const char *dsn, GError **error)
{
    return peer_await_sent(job, &job->from, dsn, AWAY_USEC, error);
}

gboolean step_send_rest(Job *job, GError **error)
{
    return each(job, send_rest, error);
}

/* --- stop-replication ---------------------------------------------------------------------------
 */

static gboolean stop_agent(Job *job, const char *dsn, GError **error)
{
    const UtilityArguments arguments = { .dsn = dsn };
    g_autofree char *key = g_strdup_printf("policy.%s", dsn);
    g_autoptr(UtilityResult) result =
        run_utility_checked(job, &job->from, UTILITY_QUERY, &arguments, error);
    g_autoptr(AdminState) state = result ? admin_parse(result->output) : NULL;

    return state &&
           job_note_once(job, key, state->replication_policy ? state->replication_policy : "manual",
                         error) &&
           replica_stop_agent(job, &job->from, dsn, error);
}

gboolean step_stop_replication(Job *job, GError **error)
{
    return each(job, stop_agent, error);
}

static gboolean start_agent(Job *job, const char *dsn, GError **error)
{
    g_autofree char *key = g_strdup_printf("policy.%s", dsn);
    g_autofree char *policy = g_strdup(job_noted(job, key));
    const UtilityArguments arguments = { .dsn = dsn, .word = policy };
    g_autoptr(UtilityResult) result = NULL;

    if (!policy) /* it was not touched */
        return TRUE;
    if (!replica_start_agent(job, &job->from, dsn, error))
        return FALSE;
    result = run_utility_checked(job, &job->from, UTILITY_REPLICATION_POLICY, &arguments, error);
    return result != NULL;
}

gboolean step_stop_replication_undo(Job *job, GError **error)
{
    return step_bring_daemon_up(job, &job->from, error) && each(job, start_agent, error);
}

/* --- ask-peer -----------------------------------------------------------------------------------
 */

static gboolean ask_peer(Job *job, const char *dsn, GError **error)
{
    guint64 end = g_get_monotonic_time() + AWAY_USEC;

    for (;;) {
        g_autoptr(GError) problem = NULL;
        g_autoptr(PeerLink) link = peer_link_back(job, dsn, &problem);

        if (link)
            return peer_keeps_log(link) || peer_fail_state(job, dsn, link, error);
        if (!g_error_matches(problem, TU_ERROR, TU_ERROR_UTILITY_FAILED) ||
            (guint64)g_get_monotonic_time() >= end) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        job_set_trouble(job, g_strdup(problem->message));
        if (!job_sleep(job, USEC_PER_SEC, error))
            return FALSE;
    }
}

gboolean step_ask_peer(Job *job, GError **error)
{
    return each(job, ask_peer, error);
}

/* --- join ---------------------------------------------------------------------------------------
 */

/* "stop" drops what the restored database would send anew, and the bookmark's reset lets the peer
 * go on; each change acts some seconds after it was made (D). */
static gboolean make_ready(Job *job, const char *dsn, GError **error)
{
    static const PeerState states[] = { PEER_STOP, PEER_START };
    const UtilityArguments arguments = { .dsn = dsn };
    g_autoptr(PeerLink) link = peer_link(job, &job->to, dsn, error);
    UtilityArguments reset = { .dsn = dsn, .peer = link ? link->store : NULL };
    g_autoptr(UtilityResult) stopped =
        link ? run_utility_checked(job, &job->to, UTILITY_REPLICATION_STOP, &arguments, error)
             : NULL;
    g_autoptr(UtilityResult) done =
        stopped ? run_utility_checked(job, &job->to, UTILITY_REPLICATION_RESET, &reset, error)
                : NULL;

    if (!done)
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(states); i++) {
        const UtilityArguments change = { .dsn = dsn,
                                          .peer = link->store,
                                          .word = peer_state_words[states[i]] };
        g_autoptr(UtilityResult) changed =
            run_utility_checked(job, &job->to, UTILITY_REPLICATION_STATE, &change, error);

        if (!changed || !job_sleep(job, job->server->replication_delay_usec, error))
            return FALSE;
    }
    return TRUE;
}

/* Once only: when the agent has run, a reset would let rows come twice. */
static gboolean join(Job *job, const char *dsn, GError **error)
{
    g_autofree char *key = g_strdup_printf("ready.%s", dsn);

    if (!job_noted(job, key) && (!make_ready(job, dsn, error) || !job_note(job, key, "yes", error)))
        return FALSE;
    return replica_start_agent(job, &job->to, dsn, error);
}

gboolean step_join_peer(Job *job, GError **error)
{
    return step_bring_daemon_up(job, &job->to, error) && each(job, join, error);
}

/* --- catch-up -----------------------------------------------------------------------------------
 */

static gboolean catch_up(Job *job, const char *dsn, GError **error)
{
    return peer_await_received(job, dsn, AWAY_USEC, error) &&
           peer_await_sent(job, &job->to, dsn, AWAY_USEC, error);
}

gboolean step_catch_up_peer(Job *job, GError **error)
{
    return each(job, catch_up, error);
}

/* --- backwards-compat ---------------------------------------------------------------------------
 */

/* The first host needs it for the databases of the other one, which no job of this host sees end. */
gboolean step_tell_compat(Job *job, GError **error)
{
    return job_probe_side(job, &job->to, error) &&
           confirm_tell_compat(job, &job->to, job->options.peer_host, error);
}
