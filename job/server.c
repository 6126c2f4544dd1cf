#include "job/server.h"
#include "job/meter.h"
#include "job/runner.h"
#include "common/error.h"
#include "common/file.h"
#include "common/text.h"
#include "timesten/admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* What cannot live (a library, shared memory, a bad option) dies at once; this much time is spent
 * on seeing it, before the port is held where the new server has a port of its own. */
#define STAYS_USEC  (1500 * USEC_PER_MSEC)
#define RETRY_USEC  (500 * USEC_PER_MSEC)
#define GLANCE_USEC (5 * USEC_PER_SEC)
/* Bytes per second at which a slow disk lets a database be loaded, which the first connect may have
 * to wait for. A guess; too low only means more patience. */
#define LOAD_RATE (50 * 1024 * 1024)

#define TABLE_LIMIT (64 * 1024 * 1024)
#define QUESTION    "select count(*) from sys.tables;"

gboolean server_port_answers(guint16 port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct pollfd wait = { .fd = fd, .events = POLLOUT };
    int problem = 0;
    socklen_t size = sizeof problem;

    if (fd < 0)
        return FALSE;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 &&
        (errno != EINPROGRESS || poll(&wait, 1, 1000) != 1 ||
         getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) < 0))
        problem = ECONNREFUSED;
    close(fd);
    return problem == 0;
}

guint server_sessions(guint16 port)
{
    static const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };
    guint count = 0;

    for (guint i = 0; i < G_N_ELEMENTS(tables); i++) {
        g_autofree char *text = file_read(tables[i], TABLE_LIMIT, NULL, NULL);

        for (const char *line = text ? strchr(text, '\n') : NULL; line && line[1];
             line = strchr(line + 1, '\n')) {
            unsigned local, state;

            /* SYN_RECV, ESTABLISHED and CLOSE_WAIT: the server has it, or is about to. */
            if (sscanf(line + 1, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &local, &state) == 2 &&
                local == port && (state == 1 || state == 3 || state == 8))
                count++;
        }
    }
    return count;
}

gboolean server_is_up(const Side *side, const TimesTenStatus *status)
{
    return status->server_pid && status->server_port == side->backend_port &&
           server_port_answers(side->backend_port);
}

/* Why a result is no proof; NULL where it is one. g_free(). */
static char *find_fault(const Side *side, const char *dsn, const UtilityResult *result)
{
    g_auto(GStrv) rows = NULL;
    guint64 count;

    if (result->reason)
        return g_strdup(result->reason);
    rows = isql_rows(result->output);
    if (!rows[0]) /* judged as done without a row: it asked for a password */
        g_message("The server of instance %s lets nobody in to database %s without a password; it "
                  "answers for it, which is what was asked",
                  side->config->name, dsn);
    else if (!text_parse_uint64(rows[0], 0, G_MAXUINT64, &count)) {
        g_autofree char *row = text_one_line(rows[0], 100);

        return g_strdup_printf("Instance %s, database %s: %s asked for a number of tables and got "
                               "\"%s\". See tterrors.log in %s, mend the cause, then start again",
                               side->config->name, dsn, utility_name(UTILITY_CLIENT_SQL), row,
                               side->facts->daemon_home);
    }
    return NULL;
}

static void set_dead(const Side *side, const TimesTenStatus *status, const char *fault,
                     GError **error)
{
    g_autofree char *remedy = g_strdup_printf(
        "See tterrors.log in %s, mend the cause, then start again", side->facts->daemon_home);

    g_set_error(error, TU_ERROR, TU_ERROR_UTILITY_FAILED,
                "The TimesTen Server of instance %s came up on its port %u and %s. %s",
                side->config->name, side->backend_port,
                status->server_pid ? "did not stay: another one is there now, or it listens no more"
                                   : "died right after its start",
                fault ? fault : remedy);
}

static gboolean is_same_server(const Side *side, const TimesTenStatus *before,
                               const TimesTenStatus *now)
{
    return now->server_pid == before->server_pid && server_is_up(side, now);
}

/* Asks until there is an answer. An attempt that could not end within the time is not begun. */
static gboolean prove_database(Job *job, const Side *side, const char *dsn,
                               const TimesTenStatus *before, GError **error)
{
    const DatabaseFacts *facts = facts_find_database(job->from.facts, dsn);
    UtilityArguments arguments = { .dsn = dsn, .sql = QUESTION, .port = side->backend_port };
    guint64 patience = SERVER_UP_USEC + (facts ? facts->size / LOAD_RATE * USEC_PER_SEC : 0);
    guint64 end = g_get_monotonic_time() + patience;
    g_autofree char *fault = NULL;

    job_set_trouble(job,
                    g_strdup_printf("The TimesTen Server of instance %s had not answered a query "
                                    "of %s on database %s. See tterrors.log in %s",
                                    side->config->name, utility_name(UTILITY_CLIENT_SQL), dsn,
                                    side->facts->daemon_home));
    for (;;) {
        g_autoptr(UtilityResult) result =
            run_utility(job, side, UTILITY_CLIENT_SQL, &arguments, error);
        g_autoptr(TimesTenStatus) status = NULL;

        if (!result)
            return FALSE;
        g_free(fault);
        fault = find_fault(side, dsn, result);
        if (!fault)
            return TRUE;
        job_set_trouble(job,
                        g_strdup_printf("The TimesTen Server did not serve before: %s", fault));
        status = run_status(job, side, error);
        if (!status)
            return FALSE;
        if (!is_same_server(side, before, status)) {
            set_dead(side, status, fault, error);
            return FALSE;
        }
        if (g_get_monotonic_time() + utility_limit_usec(UTILITY_CLIENT_SQL) > end) {
            g_set_error(error, TU_ERROR, TU_ERROR_UTILITY_FAILED,
                        "The TimesTen Server of instance %s listens on its port %u but does not "
                        "serve: %s",
                        side->config->name, side->backend_port, fault);
            return FALSE;
        }
        if (!job_sleep(job, RETRY_USEC, error))
            return FALSE;
    }
}

gboolean server_lasts(Job *job, Side *side, const TimesTenStatus *status, GError **error)
{
    g_autoptr(TimesTenStatus) after = NULL;

    if (side->lasting_server == status->server_pid)
        return TRUE;
    if (!side->facts->client_sql)
        g_message("Instance %s has no %s: that its server serves rests on ttStatus and a connect",
                  side->config->name, utility_name(UTILITY_CLIENT_SQL));
    after = job_sleep(job, STAYS_USEC, error) ? run_status(job, side, error) : NULL;
    if (!after)
        return FALSE;
    if (!is_same_server(side, status, after)) {
        set_dead(side, after, NULL, error);
        return FALSE;
    }
    side->lasting_server = after->server_pid;
    return TRUE;
}

gboolean server_prove(Job *job, Side *side, const TimesTenStatus *status, GError **error)
{
    guint count = g_strv_length(job->server->databases);
    g_autoptr(TimesTenStatus) asked = status ? NULL : run_status(job, side, error);
    const TimesTenStatus *before = status ? status : asked;

    if (!before)
        return FALSE;
    for (guint i = 0; i < count && side->facts->client_sql; i++) {
        meter_advance(job->meter, (double)i / count, "querying %s as a client",
                      job->server->databases[i]);
        if (!prove_database(job, side, job->server->databases[i], before, error))
            return FALSE;
    }
    return server_lasts(job, side, before, error);
}

void server_glance(Job *job, const Side *side)
{
    guint64 end = g_get_monotonic_time() + GLANCE_USEC;

    for (char **dsn = job->server->databases; *dsn && side->facts->client_sql; dsn++) {
        UtilityArguments arguments = { .dsn = *dsn, .sql = QUESTION, .port = side->backend_port };
        g_autoptr(GError) error = NULL;
        g_autoptr(UtilityResult) result =
            run_utility(job, side, UTILITY_CLIENT_SQL, &arguments, &error);
        g_autofree char *fault = result ? find_fault(side, *dsn, result) : NULL;

        /* Its clients wait at the port meanwhile, so the first trouble is enough to tell. */
        if ((!result && !job->stopping) || fault)
            g_warning("The TimesTen Server of instance %s is up but may not serve: %s, ignoring",
                      side->config->name, fault ? fault : error->message);
        if (!result || fault || (guint64)g_get_monotonic_time() > end)
            return;
    }
}
