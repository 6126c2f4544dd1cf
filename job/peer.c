#include "job/peer.h"
#include "job/replication.h"
#include "job/runner.h"
#include "common/error.h"
#include "common/text.h"

#include <string.h>
#include <unistd.h>

#define QUESTION_SECONDS                                                                           \
    5                   /* of one ttRepSubscriberWait; between two of them a job can be stopped */
#define WORD_SECONDS 70 /* of ttRepAdmin -wait, which may take 60 s on an idle database (D) */
#define AGAIN_USEC   (500 * USEC_PER_MSEC)

static char *place(const Job *job)
{
    return g_strdup_printf("%s:%u", job->options.peer_host, job->options.peer_port);
}

/* Statements for the peer's database; what its server answered, g_free(). */
static char *ask(Job *job, const char *dsn, const char *sql, GError **error)
{
    const UtilityArguments arguments = {
        .dsn = dsn, .sql = sql, .host = job->options.peer_host, .port = job->options.peer_port
    };
    g_autofree char *where = place(job);
    g_autoptr(UtilityResult) result =
        run_utility(job, &job->from, UTILITY_CLIENT_SQL, &arguments, error);

    if (!result)
        return NULL;
    if (!result->reason)
        return g_steal_pointer(&result->output);
    tu_error_set(error, TU_ERROR_UTILITY_FAILED,
                 "The TimesTen Server at %s does not answer for database %s: %s. See whether it "
                 "and the network are up, then start again",
                 where, dsn, result->reason);
    return NULL;
}

PeerLink *peer_link(Job *job, const Side *side, const char *dsn, GError **error)
{
    g_autofree char *output = replica_sql(job, side, dsn, PEER_STATUS_SQL, error);
    g_autoptr(GPtrArray) links = output ? peer_links_parse(output) : NULL;

    if (!links)
        return NULL;
    if (links->len == 1 && peer_link_is_to(links->pdata[0], job->options.peer_host))
        return g_ptr_array_steal_index(links, 0);
    if (links->len == 1)
        tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                     "Database %s of instance %s replicates to host %s, not to %s. Name it as the "
                     "replication scheme does",
                     dsn, side->config->name, ((PeerLink *)links->pdata[0])->host,
                     job->options.peer_host);
    else
        tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                     "Database %s of instance %s has %u subscribers, and must have one, on host "
                     "%s. Upgrade it by hand as the manual's page of two hosts shows",
                     dsn, side->config->name, links->len, job->options.peer_host);
    return NULL;
}

/* As gethostname() has it, or the first part of that, or of the other. */
static gboolean is_this_host(const char *host)
{
    char name[256] = "";
    gsize length;

    gethostname(name, sizeof name - 1);
    length = MIN(strcspn(name, "."), strcspn(host, "."));
    return g_ascii_strcasecmp(host, name) == 0 ||
           ((strchr(name, '.') == NULL || strchr(host, '.') == NULL) &&
            strcspn(name, ".") == strcspn(host, ".") &&
            g_ascii_strncasecmp(host, name, length) == 0);
}

PeerLink *peer_link_back(Job *job, const char *dsn, GError **error)
{
    g_autofree char *output = ask(job, dsn, PEER_STATUS_SQL, error);
    g_autofree char *store = output ? replica_name(&job->from, dsn, error) : NULL;
    g_autoptr(GPtrArray) links = store ? peer_links_parse(output) : NULL;
    gint found = -1;

    if (!links)
        return NULL;
    for (guint i = 0; i < links->len; i++) {
        const PeerLink *link = links->pdata[i];

        if (g_str_equal(link->store, store) && (links->len == 1 || is_this_host(link->host)))
            found = (gint)i;
    }
    if (found >= 0)
        return g_ptr_array_steal_index(links, (guint)found);
    tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                 "Database %s on %s does not replicate to %s of this host, so nothing that is "
                 "written there would come here. Make the replication scheme on both hosts",
                 dsn, job->options.peer_host, store);
    return NULL;
}

gboolean peer_keeps_log(const PeerLink *link)
{
    return link->state == PEER_START || link->state == PEER_PAUSE;
}

gboolean peer_fail_state(const Job *job, const char *dsn, const PeerLink *link, GError **error)
{
    const char *word = link->state == PEER_UNKNOWN ? "unknown" : peer_state_words[link->state];

    return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                        "Database %s on %s has its peer %s on %s in state %s, so it keeps no log "
                        "for it and rows are missing there. Copy the database anew with ttRepAdmin "
                        "-duplicate, then start again",
                        dsn, job->options.peer_host, link->store, link->host, word);
}

/* --- waiting ------------------------------------------------------------------------------------
 */

/* One try, which may fail; PROBLEM tells why. */
typedef gboolean (*Try)(Job *job, const Side *side, const char *dsn, GError **ret_problem);

/* The other host may be away for a while, so any answer but yes is asked for again. */
static gboolean await(Job *job, const Side *side, const char *dsn, Try try, guint64 limit_usec,
                      GError **error)
{
    guint64 end = g_get_monotonic_time() + limit_usec;

    for (;;) {
        g_autoptr(GError) problem = NULL;

        if (try(job, side, dsn, &problem))
            return TRUE;
        if (job->stopping || g_error_matches(problem, TU_ERROR, TU_ERROR_CANCELLED) ||
            g_error_matches(problem, TU_ERROR, TU_ERROR_DEADLINE_PASSED) ||
            g_error_matches(problem, TU_ERROR, TU_ERROR_NOT_POSSIBLE)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        if ((guint64)g_get_monotonic_time() >= end) {
            g_autofree char *limit = text_timespan(limit_usec);

            return tu_error_set(error, TU_ERROR_DEADLINE_PASSED, "Waited %s in vain. %s", limit,
                                problem->message);
        }
        job_set_trouble(job, g_strdup(problem->message));
        if (!job_sleep(job, AGAIN_USEC, error))
            return FALSE;
    }
}

static gboolean judge(const Job *job, const char *dsn, const char *direction, const char *output,
                      GError **ret_problem)
{
    if (!output)
        return FALSE;
    if (replication_wait(output) == WAIT_ARRIVED)
        return TRUE;
    return tu_error_set(ret_problem, TU_ERROR_UTILITY_FAILED,
                        "What was written to database %s has not all arrived %s %s. See whether "
                        "the network is up and the replication agents run on both hosts",
                        dsn, direction, job->options.peer_host);
}

static gboolean try_sent(Job *job, const Side *side, const char *dsn, GError **ret_problem)
{
    g_autoptr(PeerLink) link = peer_link(job, side, dsn, ret_problem);
    g_autofree char *sql = link ? peer_wait_sql(link, QUESTION_SECONDS) : NULL;
    g_autofree char *output = sql ? replica_sql(job, side, dsn, sql, ret_problem) : NULL;
    const UtilityArguments arguments = { .dsn = dsn,
                                         .peer = link ? link->store : NULL,
                                         .seconds = WORD_SECONDS };
    g_autoptr(UtilityResult) word = NULL;

    if (!judge(job, dsn, "on", output, ret_problem))
        return FALSE;
    /* Never one signal alone. */
    word = run_utility_checked(job, side, UTILITY_REPLICATION_WAIT, &arguments, ret_problem);
    return word != NULL;
}

gboolean peer_await_sent(Job *job, const Side *side, const char *dsn, guint64 limit_usec,
                         GError **error)
{
    return await(job, side, dsn, try_sent, limit_usec, error);
}

static gboolean try_received(Job *job, const Side *side, const char *dsn, GError **ret_problem)
{
    g_autoptr(PeerLink) link = peer_link_back(job, dsn, ret_problem);
    g_autofree char *sql = NULL, *output = NULL;

    if (!link)
        return FALSE;
    if (!peer_keeps_log(link))
        return peer_fail_state(job, dsn, link, ret_problem);
    if (link->state == PEER_PAUSE)
        return tu_error_set(ret_problem, TU_ERROR_UTILITY_FAILED,
                            "Database %s on %s has its peer %s in state pause and sends nothing. "
                            "There: ttRepAdmin -receiver -name %s -state start %s",
                            dsn, job->options.peer_host, link->store, link->store, dsn);
    sql = peer_wait_sql(link, QUESTION_SECONDS);
    output = ask(job, dsn, sql, ret_problem);
    return judge(job, dsn, "from", output, ret_problem);
}

gboolean peer_await_received(Job *job, const char *dsn, guint64 limit_usec, GError **error)
{
    return await(job, &job->from, dsn, try_received, limit_usec, error);
}
