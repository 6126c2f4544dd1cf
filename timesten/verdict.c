/* What a utility's end means: exit status and output together, never one alone, by rows. Runs
 * nothing. Its verdict is one signal of several: a caller asks ttStatus too before it rests on it.
 */
#include "timesten/admin.h"
#include "timesten/migrate.h"
#include "timesten/utility.h"
#include "timesten/version.h"
#include "common/text.h"

#include <string.h>

#define REASON_LIMIT 300 /* bytes of a utility's own line in a message */
#define KILLED       128 /* exit statuses above it tell a signal */

/* Exit statuses that say more than "error". 6, 8 and 9 of ttAdmin are S (11.2.1), 5 and 7 I; those
 * of ttMigrate are R. Where MEANING is set it goes into the reason. */
static const struct {
    UtilityId id;
    int status;
    Verdict verdict;
    const char *meaning;
} statuses[] = {
    { UTILITY_EXPORT, 1, VERDICT_PARTIAL, "some objects could not be saved" },
    { UTILITY_EXPORT, 2, VERDICT_FAILED, "fatal error" },
    { UTILITY_EXPORT, 3, VERDICT_FAILED, "interrupted by a signal" },
    { UTILITY_IMPORT, 1, VERDICT_PARTIAL, "some objects could not be restored" },
    { UTILITY_IMPORT, 2, VERDICT_FAILED, "fatal error" },
    { UTILITY_IMPORT, 3, VERDICT_FAILED, "interrupted by a signal" },
    { UTILITY_CACHE_START, 5, VERDICT_ALREADY, "already running" },
    { UTILITY_CACHE_STOP, 6, VERDICT_ALREADY, "already stopped" },
    { UTILITY_REPLICATION_START, 5, VERDICT_ALREADY, "already running" },
    { UTILITY_REPLICATION_STOP, 6, VERDICT_ALREADY, "already stopped" },
    { UTILITY_RAM_LOAD, 7, VERDICT_ALREADY, "already loaded" },
    { UTILITY_RAM_UNLOAD, 8, VERDICT_ALREADY, "already unloaded" },
    { UTILITY_RAM_UNLOAD, 9, VERDICT_FAILED, "the database is in use" },
    { UTILITY_CACHE_STOP, 9, VERDICT_FAILED, "the database is in use" },
};

typedef enum { ON_SUCCESS, ON_ERROR } TextWhen;

/* What an output may say against its exit status; lower case. All wordings here are R or G: the
 * references say that these things are told in the output, not how. A caller never rests on the
 * verdict alone, it asks ttStatus. */
static const struct {
    UtilityId id;
    TextWhen when;
    const char *text;
    Verdict verdict;
} texts[] = {
    /* Under the vendor's systemd unit ttDaemonAdmin refuses and names systemctl; status unknown. */
    { UTILITY_DAEMON_START, ON_SUCCESS, "systemctl", VERDICT_FAILED },
    { UTILITY_DAEMON_STOP, ON_SUCCESS, "systemctl", VERDICT_FAILED },
    { UTILITY_SERVER_START, ON_SUCCESS, "systemctl", VERDICT_FAILED },
    { UTILITY_SERVER_STOP, ON_SUCCESS, "systemctl", VERDICT_FAILED },
    { UTILITY_SERVER_STOP_FORCE, ON_SUCCESS, "systemctl", VERDICT_FAILED },
    { UTILITY_DAEMON_START, ON_SUCCESS, "startup failed", VERDICT_FAILED },
    { UTILITY_SERVER_START, ON_SUCCESS, "failed", VERDICT_FAILED },
    { UTILITY_DAEMON_START, ON_ERROR, "already running", VERDICT_ALREADY },
    { UTILITY_SERVER_START, ON_ERROR, "already running", VERDICT_ALREADY },
    { UTILITY_SERVER_START, ON_ERROR, "already started", VERDICT_ALREADY },
    { UTILITY_DAEMON_STOP, ON_ERROR, "not running", VERDICT_ALREADY },
    { UTILITY_SERVER_STOP, ON_ERROR, "not running", VERDICT_ALREADY },
    { UTILITY_SERVER_STOP_FORCE, ON_ERROR, "not running", VERDICT_ALREADY },
    { UTILITY_DAEMON_STOP, ON_ERROR, "unable to connect to daemon", VERDICT_ALREADY },
    { UTILITY_SERVER_STOP, ON_ERROR, "unable to connect to daemon", VERDICT_ALREADY },
    { UTILITY_SERVER_STOP_FORCE, ON_ERROR, "unable to connect to daemon", VERDICT_ALREADY },
    { UTILITY_DAEMON_STOP, ON_ERROR, "daemon: connection refused", VERDICT_ALREADY },
    { UTILITY_SERVER_STOP, ON_ERROR, "daemon: connection refused", VERDICT_ALREADY },
    { UTILITY_SERVER_STOP_FORCE, ON_ERROR, "daemon: connection refused", VERDICT_ALREADY },
    { UTILITY_CLOSE, ON_ERROR, "already closed", VERDICT_ALREADY },
    { UTILITY_OPEN, ON_ERROR, "already open", VERDICT_ALREADY },
    /* 833: no such database (S); destroying what is gone has to be repeatable. */
    { UTILITY_DESTROY, ON_ERROR, " 833:", VERDICT_ALREADY },
    { UTILITY_DESTROY, ON_ERROR, "tt0833:", VERDICT_ALREADY },
    { UTILITY_DESTROY, ON_ERROR, "does not exist", VERDICT_ALREADY },
    { UTILITY_DESTROY_FORCE, ON_ERROR, " 833:", VERDICT_ALREADY },
    { UTILITY_DESTROY_FORCE, ON_ERROR, "tt0833:", VERDICT_ALREADY },
    { UTILITY_DESTROY_FORCE, ON_ERROR, "does not exist", VERDICT_ALREADY },
    /* From 11.2 on access control is always on (D), and no password is ever given here: a server
     * that asks for one has found the database and answers for it. 7001 is D; that it comes before
     * anything else is refused is R, and so is the wording of a user without the right to connect.
     */
    { UTILITY_CLIENT_SQL, ON_ERROR, " 7001:", VERDICT_DONE },
    { UTILITY_CLIENT_SQL, ON_ERROR, "user authentication failed", VERDICT_DONE },
    { UTILITY_CLIENT_SQL, ON_ERROR, "logon denied", VERDICT_DONE },
};

/* Words by which a line of output is taken for the complaint, in this order; lower case. */
static const char *const complaints[] = {
    "*** ",          "error",  "could not", "cannot", "can not", "unable",  "failed",
    "not permitted", "denied", "refus",     "in use", "invalid", "unknown", "usage",
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
    for (guint c = 0; c < G_N_ELEMENTS(complaints); c++)
        for (guint i = 0; lines[i]; i++)
            if (strstr(lower_lines[i], complaints[c]) &&
                !strstr(lower_lines[i], "the command failed."))
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
    g_autofree char *lower = g_ascii_strdown(output ? output : "", -1);

    return id <= UTILITY_SERVER_STOP_FORCE && strstr(lower, "systemctl");
}

Verdict utility_judge(UtilityId id, const Release *release, int exit_status, const char *output,
                      char **ret_reason)
{
    Verdict verdict = exit_status == 0 ? VERDICT_DONE : VERDICT_FAILED;
    const char *meaning = NULL;
    const char *text = output ? output : "";
    g_autofree char *lower = g_ascii_strdown(text, -1);

    *ret_reason = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(statuses); i++)
        if (statuses[i].id == id && statuses[i].status == exit_status) {
            verdict = statuses[i].verdict;
            meaning = statuses[i].meaning;
        }
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        if (texts[i].id == id && (texts[i].when == ON_SUCCESS) == (exit_status == 0) &&
            exit_status < KILLED && strstr(lower, texts[i].text)) {
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
