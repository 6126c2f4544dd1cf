/* Steps of an online change that touch the replication between the old and the new databases: made,
 * caught up, drained and ended. Rows of users are never touched here. */
#include "job/steps.h"
#include "job/meter.h"
#include "job/replication.h"
#include "job/runner.h"
#include "job/server.h"
#include "common/error.h"
#include "common/text.h"
#include "timesten/admin.h"

/* Static ports of the agents: below the kernel's ephemeral ones and above those that instances get.
 */
#define FIRST_PORT 30000
#define LAST_PORT  32700
#define PORT_STEP  16 /* between the ranges of two servers with neighbouring public ports */

#define LOOK_USEC  (200 * USEC_PER_MSEC)
#define SMALL_USEC (2 * USEC_PER_SEC) /* a lag that the hold can take */
#define WAIT_SEC   60                 /* of ttRepAdmin -wait: an idle store may need so long (D) */

/* Calls a function for each database, the old way or the new. */
typedef gboolean (*EachDatabase)(Job *job, const char *dsn, GError **error);

static gboolean each(Job *job, EachDatabase run, GError **error)
{
    for (char **dsn = job->server->databases; *dsn; dsn++)
        if (!run(job, *dsn, error))
            return FALSE;
    return TRUE;
}

/* --- replicate ----------------------------------------------------------------------------------
 */

static gboolean port_is_free(const Job *job, guint port)
{
    return port != job->from.backend_port && port != job->to.backend_port &&
           !inventory_server_of_port(job->inventory, (guint16)port) &&
           !server_port_answers((guint16)port);
}

/* The first free one from *PORT on, which is then past it; 0 none. */
static guint16 take_port(const Job *job, guint *port)
{
    while (*port < 32768)
        if (port_is_free(job, (*port)++))
            return (guint16)(*port - 1);
    return 0;
}

guint replica_first_port(const Job *job)
{
    return FIRST_PORT + job->server->port * PORT_STEP % (LAST_PORT - FIRST_PORT);
}

/* Chosen once, so that whoever begins again makes the same scheme. */
static gboolean choose_ports(Job *job, GError **error)
{
    guint port = replica_first_port(job);

    if (job_noted(job, "ports"))
        return TRUE;
    for (char **dsn = job->server->databases; *dsn; dsn++) {
        guint16 old = take_port(job, &port), new = take_port(job, &port);
        g_autofree char *key = g_strdup_printf("ports.%s", *dsn);
        g_autofree char *text = g_strdup_printf("%u %u", old, new);

        if (!old || !new)
            return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                                "No two ports from %u on are free for the replication agents of "
                                "database %s. Look who has them with ss -ltnp",
                                replica_first_port(job), *dsn);
        if (!job_note(job, key, text, error))
            return FALSE;
    }
    return job_note(job, "ports", "chosen", error);
}

static gboolean noted_ports(const Job *job, const char *dsn, ReplicationPair *pair)
{
    g_autofree char *key = g_strdup_printf("ports.%s", dsn);
    const char *text = job_noted(job, key);
    g_auto(GStrv) words = g_strsplit(text ? text : "", " ", 2);
    guint64 old, new;

    if (g_strv_length(words) != 2 || !text_parse_uint64(words[0], 1, G_MAXUINT16, &old) ||
        !text_parse_uint64(words[1], 1, G_MAXUINT16, &new))
        return FALSE;
    pair->old_port = (guint16)old;
    pair->new_port = (guint16) new;
    return TRUE;
}

static gboolean create_scheme(Job *job, const char *dsn, const char *old, const char *new,
                              GError **error)
{
    ReplicationPair pair = { .old_store = old,
                             .new_store = new,
                             .log_files = job->server->replication_log_files };
    g_autofree char *sql = NULL, *said = NULL;

    if (!noted_ports(job, dsn, &pair))
        return tu_error_set(error, TU_ERROR_FAILED, "The record has no ports for database %s", dsn);
    sql = replication_create_sql(&pair);
    said = replica_sql(job, &job->from, dsn, sql, error);
    return said != NULL;
}

static gboolean replicate(Job *job, const char *dsn, GError **error)
{
    g_autofree char *old = replica_name(&job->from, dsn, error);
    g_autofree char *new = old ? replica_name(&job->to, dsn, error) : NULL;
    g_autoptr(GPtrArray) peers = new ? replica_peers(job, &job->from, dsn, error) : NULL;
    gboolean marks;

    if (!peers || !replica_has_marks(job, &job->from, dsn, &marks, error))
        return FALSE;
    if (peers->len > 0 && (!marks || !replication_find_peer(peers, new)))
        return tu_error_set(
            error, TU_ERROR_NOT_POSSIBLE,
            "Database %s is replicated already, and its peers would not know of the "
            "new one. End that replication, or use the method offline",
            dsn);
    if (!marks) {
        g_autofree char *sql = replication_create_marks_sql(&job->from.facts->release);
        g_autofree char *said = replica_sql(job, &job->from, dsn, sql, error);

        if (!said)
            return FALSE;
    }
    return (peers->len > 0 || create_scheme(job, dsn, old, new, error)) &&
           replica_start_agent(job, &job->from, dsn, error);
}

gboolean step_replicate(Job *job, GError **error)
{
    return choose_ports(job, error) && each(job, replicate, error);
}

static gboolean stop_replicating(Job *job, const char *dsn, GError **error)
{
    return replica_end(job, &job->from, dsn, error);
}

/* Clients write all the time. What was held for the new side is let go with the scheme. */
gboolean step_replicate_undo(Job *job, GError **error)
{
    if (!job_noted(job, "ports")) /* chosen before the first touch */
        return TRUE;
    return step_bring_daemon_up(job, &job->from, error) && each(job, stop_replicating, error);
}

/* --- join ---------------------------------------------------------------------------------------
 */

static gboolean reset(Job *job, const char *dsn, GError **error)
{
    g_autofree char *peer = replica_name(&job->from, dsn, error);
    const UtilityArguments arguments = { .dsn = dsn, .peer = peer };
    g_autoptr(UtilityResult) result =
        peer ? run_utility_checked(job, &job->to, UTILITY_REPLICATION_RESET, &arguments, error)
             : NULL;

    return result && replica_set_state(job, &job->to, &job->from, dsn, PEER_STOP, error);
}

static gboolean let_send(Job *job, const char *dsn, GError **error)
{
    return replica_set_state(job, &job->to, &job->from, dsn, PEER_START, error);
}

static gboolean start_new_agent(Job *job, const char *dsn, GError **error)
{
    return replica_start_agent(job, &job->to, dsn, error);
}

static gboolean check_peer(Job *job, const Side *from, const Side *to, const char *dsn,
                           GError **error);

static gboolean still_held(Job *job, const char *dsn, GError **error)
{
    return check_peer(job, &job->from, &job->to, dsn, error);
}

/* Steps 12 and 13 of the guide's table. Its steps 4 and 14, a pause of the peer and its start, are not
 * wanted: the copy's agent never runs, so the log is held and nothing is sent without a pause. And
 * whoever starts a paused peer may start one that has failed meanwhile, whose log is gone: rows would
 * be missing, and nothing would tell.
 *
 * The reset and the two states are for a store that
 * has received nothing yet: without them the new side would send all its restored rows, which are
 * older than what clients have written since. So they are never done again once the agent may have
 * run. */
gboolean step_join(Job *job, GError **error)
{
    guint64 delay = job->server->replication_delay_usec;

    if (!each(job, still_held, error))
        return FALSE;
    if (!job_noted(job, "reset") &&
        (!each(job, reset, error) || !job_sleep(job, delay, error) || !each(job, let_send, error) ||
         !job_sleep(job, delay, error) || !job_note(job, "reset", "yes", error)))
        return FALSE;
    return each(job, start_new_agent, error);
}

static gboolean stop_new_agent(Job *job, const char *dsn, GError **error)
{
    const DatabaseFacts *facts = facts_find_database(job->to.facts, dsn);

    return !facts || !facts->exists || replica_stop_agent(job, &job->to, dsn, error);
}

/* Before the import is undone: an agent would not let its database be destroyed. */
gboolean step_join_undo(Job *job, GError **error)
{
    return job_probe_side(job, &job->to, error) && step_bring_daemon_up(job, &job->to, error) &&
           each(job, stop_new_agent, error);
}

/* --- what arrives -------------------------------------------------------------------------------
 */

/* A text that was never a mark before. */
static char *new_mark(const Job *job)
{
    return g_strdup_printf("%s.%s.%" G_GINT64_FORMAT, job->tag, job->at, g_get_monotonic_time());
}

static gboolean send_mark(Job *job, const Side *side, const char *dsn, char **ret_mark,
                          GError **error)
{
    g_autofree char *mark = new_mark(job);
    g_autofree char *sql = replication_mark_sql(mark);
    g_autofree char *said = replica_sql(job, side, dsn, sql, error);

    if (said)
        *ret_mark = g_steal_pointer(&mark);
    return said != NULL;
}

static gboolean has_mark(Job *job, const Side *side, const char *dsn, const char *mark,
                         gboolean *ret_has, GError **error)
{
    g_autofree char *sql = replication_seen_sql(mark);
    guint64 count;

    if (!replica_count(job, side, dsn, sql, &count, error))
        return FALSE;
    *ret_has = count > 0;
    return TRUE;
}

/* A peer that will never catch up: failed, or with more log than it may have. */
static gboolean check_peer(Job *job, const Side *from, const Side *to, const char *dsn,
                           GError **error)
{
    g_autoptr(GPtrArray) peers = replica_peers(job, from, dsn, error);
    g_autofree char *name = peers ? replica_name(to, dsn, error) : NULL;
    const ReplicationPeer *peer = name ? replication_find_peer(peers, name) : NULL;

    if (!name)
        return FALSE;
    if (!peer || peer->state == PEER_FAILED || peer->state == PEER_STOP)
        return tu_error_set(
            error, TU_ERROR_NOT_POSSIBLE,
            "Instance %s does not send database %s to instance %s any more: the peer %s is %s "
            "there "
            "(ttRepAdmin -receiver -list). Raise ReplicationLogFiles= if it fell too far behind, "
            "see tterrors.log in %s and %s, then start again",
            from->config->name, dsn, to->config->name, name,
            peer ? peer_state_words[peer->state] : "gone", from->facts->daemon_home,
            to->facts->daemon_home);
    if (peer->logs > (int)job->server->replication_log_files)
        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "%d log files of database %s are held for instance %s, more than "
                            "ReplicationLogFiles=%u allows. Raise it, or start again at a quieter "
                            "time",
                            peer->logs, dsn, to->config->name, job->server->replication_log_files);
    return TRUE;
}

/* What is committed on a side now arrives on the other: *ret_small whether soon. */
static gboolean await_arrival(Job *job, const Side *from, const Side *to, const char *dsn,
                              guint64 end, gboolean *ret_small, GError **error)
{
    g_autofree char *mark = NULL;
    guint64 begun = g_get_monotonic_time();

    if (!send_mark(job, from, dsn, &mark, error))
        return FALSE;
    for (guint looks = 1;; looks++) {
        guint64 now;
        gboolean there;

        if (!has_mark(job, to, dsn, mark, &there, error))
            return FALSE;
        now = g_get_monotonic_time();
        /* On a slow host a look itself takes its time. */
        *ret_small = looks <= 3 || now - begun <= SMALL_USEC;
        if (there)
            return TRUE;
        if (!check_peer(job, from, to, dsn, error))
            return FALSE;
        if (now >= end) {
            g_autofree char *waited = text_timespan(now - begun);

            return tu_error_set(
                error, TU_ERROR_DEADLINE_PASSED,
                "What is written to database %s of instance %s does not arrive in instance %s: a "
                "marked row is not there after %s, so the lag does not shrink. See tterrors.log in "
                "%s and %s, mend the cause or start again at a quieter time",
                dsn, from->config->name, to->config->name, waited, from->facts->daemon_home,
                to->facts->daemon_home);
        }
        meter_advance(job->meter, 0.5, "%s: waiting for what was written meanwhile", dsn);
        if (!job_sleep(job, LOOK_USEC, error))
            return FALSE;
    }
}

static WaitAnswer ask_wait(Job *job, const Side *from, const Side *to, const char *dsn,
                           guint seconds, GError **error)
{
    g_autofree char *peer = replica_name(to, dsn, error);
    g_autofree char *sql = peer ? replication_wait_sql(peer, seconds) : NULL;
    g_autofree char *said = sql ? replica_sql(job, from, dsn, sql, error) : NULL;

    return said ? replication_wait(said) : WAIT_UNKNOWN;
}

/* ttRepAdmin -wait as the guide has it. What it ends with when the time is over is not known, so
 * anything but 0 is asked again with ttRepSubscriberWait (facts 3.7). */
static gboolean wait_durable(Job *job, const Side *from, const Side *to, const char *dsn,
                             guint seconds, gboolean *ret_arrived, GError **error)
{
    g_autofree char *peer = replica_name(to, dsn, error);
    const UtilityArguments arguments = { .dsn = dsn, .peer = peer, .seconds = seconds };
    g_autoptr(UtilityResult) result =
        peer ? run_utility(job, from, UTILITY_REPLICATION_WAIT, &arguments, error) : NULL;
    g_autoptr(GError) problem = NULL;

    if (!result)
        return FALSE;
    *ret_arrived =
        !result->reason || ask_wait(job, from, to, dsn, seconds, &problem) == WAIT_ARRIVED;
    if (!problem)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* Tables that one side has and the other lacks: definitions are not replicated (D), so what clients
 * wrote to a table that they made meanwhile would be lost. */
static gboolean check_tables(const Side *from, const Side *to, const char *dsn,
                             const char *from_output, const char *to_output, GError **error)
{
    g_auto(GStrv) there = replication_tables(from_output), here = replication_tables(to_output);
    g_autofree char *missing = replication_missing(there, here);

    return !missing ||
           tu_error_set(
               error, TU_ERROR_NOT_POSSIBLE,
               "Database %s of instance %s has tables that instance %s lacks: %s. They "
               "were made after its copy, and definitions are not replicated. Start again, "
               "or take them away",
               dsn, from->config->name, to->config->name, missing);
}

/* --- catch-up -----------------------------------------------------------------------------------
 */

/* Twice what the copy took must be enough to send what was written meanwhile; a way back has no
 * copy and may have been cut for longer. */
static guint64 catch_up_end(const Job *job)
{
    const RecordStep *copy = record_find_step(job->summary, "copy");
    const char *text = copy ? g_hash_table_lookup(copy->values, "monotonic") : NULL;
    guint64 now = g_get_monotonic_time(), begun = now;
    guint64 least = 10 * USEC_PER_SEC + 3 * job->server->replication_delay_usec;

    if (!copy)
        return now + least + 300 * USEC_PER_SEC;
    text_parse_uint64(text, 1, now, &begun);
    return now + least + 2 * (now - begun);
}

static gboolean catch_up(Job *job, const char *dsn, GError **error)
{
    guint64 end = catch_up_end(job);
    gboolean small = FALSE, arrived = FALSE;
    g_autofree char *tables = replication_tables_sql(), *old = NULL, *new = NULL;

    while (!small || !arrived) {
        if (!await_arrival(job, &job->from, &job->to, dsn, end, &small, error) ||
            (small && !wait_durable(job, &job->from, &job->to, dsn, WAIT_SEC, &arrived, error)))
            return FALSE;
        if ((!small || !arrived) && (guint64)g_get_monotonic_time() >= end)
            return tu_error_set(
                error, TU_ERROR_DEADLINE_PASSED,
                "What is written to database %s arrives in instance %s too late: the lag does not "
                "shrink. Start again at a quieter time",
                dsn, job->to.config->name);
    }
    if (!await_arrival(job, &job->to, &job->from, dsn, end, &small, error))
        return FALSE;
    old = replica_sql(job, &job->from, dsn, tables, error);
    new = old ? replica_sql(job, &job->to, dsn, tables, error) : NULL;
    return new &&check_tables(&job->from, &job->to, dsn, old, new, error);
}

gboolean step_catch_up(Job *job, GError **error)
{
    return each(job, catch_up, error);
}

static gboolean start_agents(Job *job, const char *dsn, GError **error)
{
    return replica_start_agent(job, &job->from, dsn, error) &&
           replica_start_agent(job, &job->to, dsn, error);
}

gboolean step_start_agents(Job *job, GError **error)
{
    return each(job, start_agents, error);
}

/* --- drain-replication --------------------------------------------------------------------------
 */

/* While connects wait, so there must be time left to go back before they are refused. */
static guint64 drain_patience(const Job *job)
{
    return CLAMP(job_hold_left(job) / 3, 3 * USEC_PER_SEC, 20 * USEC_PER_SEC);
}

static guint left_seconds(guint64 end)
{
    guint64 now = g_get_monotonic_time();

    return now < end ? (guint)MAX((end - now) / USEC_PER_SEC, 1) : 1;
}

/* The last row that the old side will ever commit, and the word of replication that it arrived. */
static gboolean send_last(Job *job, const char *dsn, guint64 end, const char *mark,
                          char **ret_tables, GError **error)
{
    g_autofree char *peer = replica_name(&job->to, dsn, error);
    g_autofree char *tables = replication_tables_sql(), *insert = replication_mark_sql(mark);
    g_autofree char *wait = peer ? replication_wait_sql(peer, left_seconds(end)) : NULL;
    g_autofree char *sql = wait ? g_strjoin(" ", tables, insert, wait, NULL) : NULL;
    WaitAnswer answer = WAIT_TIMED_OUT;

    *ret_tables = sql ? replica_sql(job, &job->from, dsn, sql, error) : NULL;
    if (!*ret_tables)
        return FALSE;
    answer = replication_wait(*ret_tables);
    while (answer == WAIT_TIMED_OUT && (guint64)g_get_monotonic_time() < end) {
        g_autoptr(GError) problem = NULL;

        answer = ask_wait(job, &job->from, &job->to, dsn, left_seconds(end), &problem);
        if (problem) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
    }
    return answer == WAIT_ARRIVED ||
           tu_error_set(error, TU_ERROR_DEADLINE_PASSED,
                        "What was written last to database %s has not arrived in instance %s: "
                        "ttRepSubscriberWait answers %s. See tterrors.log in %s and %s, then start "
                        "again",
                        dsn, job->to.config->name, answer == WAIT_TIMED_OUT ? "01" : "nothing",
                        job->from.facts->daemon_home, job->to.facts->daemon_home);
}

/* The row itself: an agent may have confirmed what it never applied. Then the other way. */
static gboolean see_last(Job *job, const char *dsn, const char *mark, const char *back,
                         const char *old_tables, GError **error)
{
    g_autofree char *tables = replication_tables_sql(), *seen = replication_seen_sql(mark);
    g_autofree char *insert = replication_mark_sql(back);
    g_autofree char *sql = g_strjoin(" ", tables, insert, seen, NULL);
    g_autofree char *said = replica_sql(job, &job->to, dsn, sql, error);
    g_auto(GStrv) rows = said ? isql_rows(said) : NULL;
    guint count = rows ? g_strv_length(rows) : 0;

    if (!said || !check_tables(&job->from, &job->to, dsn, old_tables, said, error))
        return FALSE;
    return (count > 0 && g_str_equal(g_strstrip(rows[count - 1]), "1")) ||
           tu_error_set(error, TU_ERROR_UTILITY_FAILED,
                        "Replication says that all of database %s arrived in instance %s, but the "
                        "marked row that was written last is not there. See tterrors.log in %s, "
                        "then start again",
                        dsn, job->to.config->name, job->to.facts->daemon_home);
}

static gboolean drain(Job *job, const char *dsn, GError **error)
{
    guint64 end = g_get_monotonic_time() + drain_patience(job);
    g_autofree char *mark = new_mark(job), *back = g_strconcat(mark, ".back", NULL);
    g_autofree char *tables = NULL;
    gboolean arrived = FALSE, there = FALSE;

    if (!send_last(job, dsn, end, mark, &tables, error) ||
        !see_last(job, dsn, mark, back, tables, error) ||
        !wait_durable(job, &job->from, &job->to, dsn, left_seconds(end), &arrived, error))
        return FALSE;
    if (!arrived)
        return tu_error_set(error, TU_ERROR_DEADLINE_PASSED,
                            "ttRepAdmin -wait does not find all of database %s in instance %s. See "
                            "tterrors.log in %s, then start again",
                            dsn, job->to.config->name, job->to.facts->daemon_home);
    for (;;) {
        if (!has_mark(job, &job->from, dsn, back, &there, error) || there)
            return there;
        if ((guint64)g_get_monotonic_time() >= end)
            return tu_error_set(
                error, TU_ERROR_DEADLINE_PASSED,
                "A marked row of database %s does not come back from instance %s to "
                "%s, so there would be no way back. See tterrors.log in %s and %s, "
                "then start again",
                dsn, job->to.config->name, job->from.config->name, job->from.facts->daemon_home,
                job->to.facts->daemon_home);
        if (!job_sleep(job, 20 * USEC_PER_MSEC, error))
            return FALSE;
    }
}

gboolean step_drain_replication(Job *job, GError **error)
{
    return each(job, drain, error);
}

/* --- end-replication ----------------------------------------------------------------------------
 */

static gboolean end_on(Job *job, const Side *side, GError **error)
{
    if (!step_bring_daemon_up(job, side, error))
        return FALSE;
    for (char **dsn = job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(side->facts, *dsn);

        if (facts && facts->exists && !replica_end(job, side, *dsn, error))
            return FALSE;
    }
    return TRUE;
}

/* The side that serves must come to its end, or its log would be held for ever; of the other one
 * only what can be reached: nobody needs it any more. */
gboolean step_end_replication(Job *job, GError **error)
{
    const Side *serving = job_moves_server(job) && job->committed ? &job->to : &job->from;
    Side *sides[] = { &job->from, &job->to };

    for (guint i = 0; i < G_N_ELEMENTS(sides); i++) {
        const Side *side = sides[i];
        g_autoptr(GError) problem = NULL;

        if (side->facts && end_on(job, side, &problem))
            continue;
        if (job->stopping || side == serving) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        g_warning("The replication of instance %s is not ended: %s, ignoring", side->config->name,
                  problem ? problem->message : "it cannot be looked at");
    }
    return TRUE;
}
