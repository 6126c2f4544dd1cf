#include "job/replication.h"
#include "job/runner.h"
#include "common/error.h"
#include "common/text.h"
#include "timesten/admin.h"

#define AGENT_UP_USEC (30 * USEC_PER_SEC)
#define LOOK_USEC     (200 * USEC_PER_MSEC)

char *replica_name(const Side *side, const char *dsn, GError **error)
{
    const DatabaseFacts *facts = side->facts ? facts_find_database(side->facts, dsn) : NULL;

    if (facts)
        return replication_store_name(facts->data_store);
    tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                 "Database %s is not known to instance %s. Add its DSN there", dsn,
                 side->config->name);
    return NULL;
}

static gboolean run(Job *job, const Side *side, UtilityId id, const UtilityArguments *arguments,
                    GError **error)
{
    g_autoptr(UtilityResult) result = run_utility_checked(job, side, id, arguments, error);

    return result != NULL;
}

char *replica_sql(Job *job, const Side *side, const char *dsn, const char *sql, GError **error)
{
    const UtilityArguments arguments = { .dsn = dsn, .sql = sql };
    g_autoptr(UtilityResult) result =
        run_utility_checked(job, side, UTILITY_SQL, &arguments, error);

    return result ? g_steal_pointer(&result->output) : NULL;
}

gboolean replica_count(Job *job, const Side *side, const char *dsn, const char *sql,
                       guint64 *ret_count, GError **error)
{
    g_autofree char *output = replica_sql(job, side, dsn, sql, error);
    g_auto(GStrv) rows = output ? isql_rows(output) : NULL;

    if (!rows)
        return FALSE;
    if (rows[0] && text_parse_uint64(g_strstrip(rows[0]), 0, G_MAXUINT64, ret_count))
        return TRUE;
    return tu_error_set(error, TU_ERROR_UTILITY_FAILED,
                        "Instance %s, database %s: \"%s\" was answered with \"%s\", which is no "
                        "number. See tterrors.log in %s, then start again",
                        side->config->name, dsn, sql, rows[0] ? rows[0] : "nothing",
                        side->facts->daemon_home);
}

GPtrArray *replica_peers(Job *job, const Side *side, const char *dsn, GError **error)
{
    const UtilityArguments arguments = { .dsn = dsn };
    g_autoptr(UtilityResult) result =
        run_utility_checked(job, side, UTILITY_REPLICATION_LIST, &arguments, error);

    return result ? replication_peers_parse(result->output) : NULL;
}

gboolean replica_has_marks(Job *job, const Side *side, const char *dsn, gboolean *ret_has,
                           GError **error)
{
    g_autofree char *sql = replication_has_marks_sql();
    guint64 count;

    if (!replica_count(job, side, dsn, sql, &count, error))
        return FALSE;
    *ret_has = count > 0;
    return TRUE;
}

gboolean replica_set_state(Job *job, const Side *side, const Side *other, const char *dsn,
                           PeerState state, GError **error)
{
    g_autofree char *peer = replica_name(other, dsn, error);
    const UtilityArguments arguments = { .dsn = dsn,
                                         .peer = peer,
                                         .word = peer_state_words[state] };

    return peer && run(job, side, UTILITY_REPLICATION_STATE, &arguments, error);
}

/* --- agents -------------------------------------------------------------------------------------
 */

static gboolean agent_runs(Job *job, const Side *side, const char *dsn, gboolean *ret_runs,
                           GError **error)
{
    const DatabaseFacts *facts = facts_find_database(side->facts, dsn);
    g_autoptr(TimesTenStatus) status = run_status(job, side, error);
    const StatusStore *store =
        status && facts ? status_find_store(status, facts->data_store) : NULL;

    *ret_runs = store && store->replication_running;
    return status != NULL;
}

static gboolean set_policy(Job *job, const Side *side, const char *dsn, const char *policy,
                           GError **error)
{
    const UtilityArguments arguments = { .dsn = dsn, .word = policy };

    return run(job, side, UTILITY_REPLICATION_POLICY, &arguments, error);
}

/* Its word is not believed: ttStatus decides, as for a server. */
gboolean replica_start_agent(Job *job, const Side *side, const char *dsn, GError **error)
{
    const UtilityArguments arguments = { .dsn = dsn };
    guint64 end = g_get_monotonic_time() + AGENT_UP_USEC;
    gboolean runs;

    if (!run(job, side, UTILITY_REPLICATION_START, &arguments, error) ||
        !set_policy(job, side, dsn, "always", error))
        return FALSE;
    for (;;) {
        if (!agent_runs(job, side, dsn, &runs, error) || runs)
            return runs;
        if ((guint64)g_get_monotonic_time() >= end)
            return tu_error_set(error, TU_ERROR_UTILITY_FAILED,
                                "The replication agent of database %s of instance %s did not come "
                                "up (ttStatus does not show it). See tterrors.log in %s, mend the "
                                "cause, then start again",
                                dsn, side->config->name, side->facts->daemon_home);
        if (!job_sleep(job, LOOK_USEC, error))
            return FALSE;
    }
}

/* The policy first: under "always" an agent cannot be stopped by hand (R). */
gboolean replica_stop_agent(Job *job, const Side *side, const char *dsn, GError **error)
{
    const UtilityArguments arguments = { .dsn = dsn };

    return set_policy(job, side, dsn, "manual", error) &&
           run(job, side, UTILITY_REPLICATION_STOP, &arguments, error);
}

/* --- the end ------------------------------------------------------------------------------------
 */

/* The table of marks is made before the scheme and goes after it, so where there is none, nothing
 * of ours is left. */
gboolean replica_end(Job *job, const Side *side, const char *dsn, GError **error)
{
    g_autofree char *drop_scheme = replication_drop_sql(),
                    *drop_marks = replication_drop_marks_sql();
    g_autofree char *dropped = NULL, *gone = NULL;
    g_autoptr(GPtrArray) peers = NULL;
    gboolean ours;

    if (!replica_has_marks(job, side, dsn, &ours, error))
        return FALSE;
    if (!ours)
        return TRUE;
    peers = replica_peers(job, side, dsn, error);
    if (!peers)
        return FALSE;
    if (peers->len > 0) {
        if (!replica_stop_agent(job, side, dsn, error))
            return FALSE;
        dropped = replica_sql(job, side, dsn, drop_scheme, error);
        if (!dropped)
            return FALSE;
    }
    gone = replica_sql(job, side, dsn, drop_marks, error);
    return gone != NULL;
}
