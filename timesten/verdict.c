/* What a utility's end means: exit status and output together, never one alone, by rows. Runs
 * nothing. Its verdict is one signal of several: a caller asks ttStatus too before it rests on it.
 */
#include "timesten/admin.h"
#include "timesten/belief.h"
#include "timesten/migrate.h"
#include "timesten/utility.h"
#include "timesten/version.h"
#include "common/text.h"

#include <string.h>

#define REASON_LIMIT 300 /* bytes of a utility's own line in a message */
#define KILLED       128 /* exit statuses above it tell a signal */

/* Exit statuses that say more than "error". Where MEANING is set it goes into the reason. */
static const struct {
    UtilityId id;
    BeliefId status;
    Verdict verdict;
    const char *meaning;
} statuses[] = {
    { UTILITY_EXPORT, BELIEF_MIGRATE_PARTIAL, VERDICT_PARTIAL, "some objects could not be saved" },
    { UTILITY_EXPORT, BELIEF_MIGRATE_FATAL, VERDICT_FAILED, "fatal error" },
    { UTILITY_EXPORT, BELIEF_MIGRATE_INTERRUPTED, VERDICT_FAILED, "interrupted by a signal" },
    { UTILITY_IMPORT, BELIEF_MIGRATE_PARTIAL, VERDICT_PARTIAL,
      "some objects could not be restored" },
    { UTILITY_IMPORT, BELIEF_MIGRATE_FATAL, VERDICT_FAILED, "fatal error" },
    { UTILITY_IMPORT, BELIEF_MIGRATE_INTERRUPTED, VERDICT_FAILED, "interrupted by a signal" },
    { UTILITY_CACHE_START, BELIEF_ADMIN_AGENT_RUNS, VERDICT_ALREADY, "already running" },
    { UTILITY_CACHE_STOP, BELIEF_ADMIN_AGENT_STOPPED, VERDICT_ALREADY, "already stopped" },
    { UTILITY_REPLICATION_START, BELIEF_ADMIN_AGENT_RUNS, VERDICT_ALREADY, "already running" },
    { UTILITY_REPLICATION_STOP, BELIEF_ADMIN_AGENT_STOPPED, VERDICT_ALREADY, "already stopped" },
    { UTILITY_RAM_LOAD, BELIEF_ADMIN_LOADED, VERDICT_ALREADY, "already loaded" },
    { UTILITY_RAM_UNLOAD, BELIEF_ADMIN_UNLOADED, VERDICT_ALREADY, "already unloaded" },
    { UTILITY_RAM_UNLOAD, BELIEF_ADMIN_IN_USE, VERDICT_FAILED, "the database is in use" },
    { UTILITY_CACHE_STOP, BELIEF_ADMIN_IN_USE, VERDICT_FAILED, "the database is in use" },
};

typedef enum { ON_SUCCESS, ON_ERROR } TextWhen;

/* What an output may say against its exit status. A caller never rests on the verdict alone, it
 * asks ttStatus. The first row that holds is taken. */
static const struct {
    UtilityId id;
    TextWhen when;
    BeliefId text;
    Verdict verdict;
} texts[] = {
    { UTILITY_DAEMON_START, ON_SUCCESS, BELIEF_SAYS_SYSTEMCTL, VERDICT_FAILED },
    { UTILITY_DAEMON_STOP, ON_SUCCESS, BELIEF_SAYS_SYSTEMCTL, VERDICT_FAILED },
    { UTILITY_SERVER_START, ON_SUCCESS, BELIEF_SAYS_SYSTEMCTL, VERDICT_FAILED },
    { UTILITY_SERVER_STOP, ON_SUCCESS, BELIEF_SAYS_SYSTEMCTL, VERDICT_FAILED },
    { UTILITY_SERVER_STOP_FORCE, ON_SUCCESS, BELIEF_SAYS_SYSTEMCTL, VERDICT_FAILED },
    { UTILITY_DAEMON_START, ON_SUCCESS, BELIEF_SAYS_START_FAILED, VERDICT_FAILED },
    { UTILITY_SERVER_START, ON_SUCCESS, BELIEF_SAYS_SERVER_START_FAILED, VERDICT_FAILED },
    { UTILITY_DAEMON_START, ON_ERROR, BELIEF_SAYS_DAEMON_RUNS, VERDICT_ALREADY },
    { UTILITY_SERVER_START, ON_ERROR, BELIEF_SAYS_SERVER_RUNS, VERDICT_ALREADY },
    { UTILITY_DAEMON_STOP, ON_ERROR, BELIEF_SAYS_NOT_RUNNING, VERDICT_ALREADY },
    { UTILITY_SERVER_STOP, ON_ERROR, BELIEF_SAYS_NOT_RUNNING, VERDICT_ALREADY },
    { UTILITY_SERVER_STOP_FORCE, ON_ERROR, BELIEF_SAYS_NOT_RUNNING, VERDICT_ALREADY },
    { UTILITY_CLOSE, ON_ERROR, BELIEF_SAYS_CLOSED, VERDICT_ALREADY },
    { UTILITY_OPEN, ON_ERROR, BELIEF_SAYS_OPEN, VERDICT_ALREADY },
    /* Destroying what is gone has to be repeatable. */
    { UTILITY_DESTROY, ON_ERROR, BELIEF_SAYS_NO_DATABASE, VERDICT_ALREADY },
    { UTILITY_DESTROY_FORCE, ON_ERROR, BELIEF_SAYS_NO_DATABASE, VERDICT_ALREADY },
    { UTILITY_REPLICATION_LIST, ON_ERROR, BELIEF_SAYS_NO_REPLICATION, VERDICT_DONE },
    /* From 11.2 on access control is always on (D), and no password is ever given here: a server
     * that asks for one has found the database and answers for it. */
    { UTILITY_CLIENT_SQL, ON_ERROR, BELIEF_SAYS_ASKS_USER, VERDICT_DONE },
};

/* The line of an output that says what is wrong: an error with its number, else the first that
 * sounds like one, else the last. NULL where nothing was printed. */
static char *complaint_of(const char *output)
{
    char *numbered = isql_first_error(output);
    g_autofree char *valid = g_utf8_make_valid(output, -1);
    g_autofree char *lower = g_ascii_strdown(valid, -1);
    g_auto(GStrv) lines = g_strsplit(valid, "\n", -1), lower_lines = g_strsplit(lower, "\n", -1);
    const char *last = NULL;

    if (numbered)
        return numbered;
    for (char **word = belief_phrases(BELIEF_COMPLAINTS); *word; word++)
        for (guint i = 0; lines[i]; i++)
            if (strstr(lower_lines[i], *word) && !strstr(lower_lines[i], "the command failed."))
                return g_strdup(lines[i]);
    for (guint i = 0; lines[i]; i++)
        if (g_strstrip(lines[i])[0] && !strstr(lower_lines[i], "the command failed."))
            last = lines[i];
    return g_strdup(last);
}

static char *reason_for(UtilityId id, const Release *release, int status, const char *meaning,
                        const char *output)
{
    g_autofree char *complaint = complaint_of(output);
    g_autofree char *line = complaint ? text_one_line(complaint, REASON_LIMIT) : NULL;
    g_autofree char *number = release ? release_format(release) : g_strdup("?");
    g_autofree char *end = NULL;

    if (status > KILLED && status < KILLED + 65)
        end = g_strdup_printf("was killed by signal %d", status - KILLED);
    else
        end = g_strdup_printf("ended with exit status %d", status);
    return g_strdup_printf("%s of release %s %s%s%s%s: %s", utility_name(id), number, end,
                           meaning ? " (" : "", meaning ? meaning : "", meaning ? ")" : "",
                           line && line[0] ? line : "it printed nothing");
}

/* A table of which fewer rows were moved than it has: the output contradicts a status of 0. */
static gboolean rows_are_missing(const char *output)
{
    g_autoptr(GPtrArray) tables = migrate_parse(output);

    for (guint i = 0; i < tables->len; i++) {
        const MigrateTable *table = tables->pdata[i];

        if (table->rows < table->expected)
            return TRUE;
    }
    return FALSE;
}

static gboolean has_rows(const char *output)
{
    g_auto(GStrv) rows = isql_rows(output);

    return rows[0] != NULL;
}

gboolean utility_left_to_systemd(UtilityId id, const char *output)
{
    return id <= UTILITY_SERVER_STOP_FORCE && output &&
           belief_is_said(BELIEF_SAYS_SYSTEMCTL, output);
}

Verdict utility_judge(UtilityId id, const Release *release, int exit_status, const char *output,
                      char **ret_reason)
{
    Verdict verdict = exit_status == 0 ? VERDICT_DONE : VERDICT_FAILED;
    const char *meaning = NULL;
    const char *text = output ? output : "";

    *ret_reason = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(statuses); i++)
        if (statuses[i].id == id && belief_has_status(statuses[i].status, exit_status)) {
            verdict = statuses[i].verdict;
            meaning = statuses[i].meaning;
        }
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        if (texts[i].id == id && (texts[i].when == ON_SUCCESS) == (exit_status == 0) &&
            exit_status < KILLED && belief_is_said(texts[i].text, text)) {
            verdict = texts[i].verdict;
            break;
        }
    if ((id == UTILITY_EXPORT || id == UTILITY_IMPORT) && verdict == VERDICT_DONE &&
        rows_are_missing(text)) {
        verdict = VERDICT_PARTIAL;
        meaning = "fewer rows than the table has";
    }
    if ((id == UTILITY_SQL || id == UTILITY_CLIENT_SQL) && exit_status == 0) {
        g_autofree char *error = isql_first_error(text);

        if (error)
            verdict = VERDICT_FAILED;
    }
    /* Somebody who takes the connect and answers nothing is no server. */
    if (id == UTILITY_CLIENT_SQL && exit_status == 0 && verdict == VERDICT_DONE &&
        !has_rows(text)) {
        verdict = VERDICT_FAILED;
        meaning = "no row came back";
    }
    if (id == UTILITY_VERSION && verdict == VERDICT_DONE) {
        g_autoptr(Version) version = version_parse(text);

        if (!version)
            verdict = VERDICT_FAILED;
    }
    if (verdict != VERDICT_DONE && verdict != VERDICT_ALREADY)
        *ret_reason = reason_for(id, release, exit_status, meaning, text);
    return verdict;
}
