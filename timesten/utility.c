/* Command lines of the utilities by era, and what their end means.
 *
 * Runs nothing and reads nothing: the worker runs the words in a transient unit and asks here what
 * came of it.
 */
#include "timesten/utility.h"
#include "timesten/admin.h"
#include "timesten/migrate.h"
#include "common/error.h"
#include "common/text.h"

#include <string.h>

#define MINUTE       (60 * USEC_PER_SEC)
#define REASON_LIMIT 300 /* bytes of a utility's own line in a message */
#define KILLED       128 /* exit statuses above it tell a signal */

/* The limits are this project's: long enough for what the step may rightly take, short enough that
 * a hung program is noticed. Start and stop of the daemon include recovery and the last
 * checkpoints. */
static const struct {
    const char *name;
    guint64 limit_usec;
} utilities[] = {
    [UTILITY_DAEMON_START] = { "ttDaemonAdmin -start", 5 * MINUTE },
    [UTILITY_DAEMON_STOP] = { "ttDaemonAdmin -stop", 5 * MINUTE },
    [UTILITY_SERVER_START] = { "ttDaemonAdmin -startserver", MINUTE },
    [UTILITY_SERVER_STOP] = { "ttDaemonAdmin -stopserver", 2 * MINUTE },
    [UTILITY_SERVER_STOP_FORCE] = { "ttDaemonAdmin -stopserver", MINUTE },
    [UTILITY_STATUS] = { "ttStatus", MINUTE / 2 },
    [UTILITY_VERSION] = { "ttVersion", MINUTE / 2 },
    [UTILITY_EXPORT] = { "ttMigrate -c", USEC_NEVER },
    [UTILITY_IMPORT] = { "ttMigrate -r", USEC_NEVER },
    [UTILITY_DESTROY] = { "ttDestroy", 10 * MINUTE },
    [UTILITY_QUERY] = { "ttAdmin -query", MINUTE },
    [UTILITY_RAM_LOAD] = { "ttAdmin -ramLoad", 60 * MINUTE },
    [UTILITY_RAM_UNLOAD] = { "ttAdmin -ramUnload", 60 * MINUTE },
    [UTILITY_CLOSE] = { "ttAdmin -close", MINUTE },
    [UTILITY_OPEN] = { "ttAdmin -open", MINUTE },
    [UTILITY_CACHE_STOP] = { "ttAdmin -cacheStop", 5 * MINUTE },
    [UTILITY_CACHE_START] = { "ttAdmin -cacheStart", 2 * MINUTE },
    [UTILITY_REPLICATION_LIST] = { "ttRepAdmin -receiver -list", MINUTE },
    [UTILITY_SQL] = { "ttIsql", 5 * MINUTE },
};
G_STATIC_ASSERT(G_N_ELEMENTS(utilities) == N_UTILITIES);

/* Words of a command line. */
#define DSN      "\1" /* the DSN */
#define EXISTING "\2" /* a connection string that never creates a database */
#define CREATING "\3" /* one that does, whatever the DSN says */
#define PATH     "\4"
#define SQL      "\5" /* the statements, and the end of the session */
#define RELAXED  "\6" /* the option of the era for a database without replication, or nothing */

/* A row holds for FROM <= release < BEFORE; NULL leaves an end open. The first row that holds is
 * taken. The order of the words is that of the usage in the references (facts 3). */
static const struct {
    UtilityId id;
    const char *from, *before;
    const char *words[8];
} commands[] = {
    /* -force: a pid file that a power cut left is no reason not to start; the vendor's own unit and
     * samples always give it. 5.1: R. */
    { UTILITY_DAEMON_START, NULL, NULL, { "ttDaemonAdmin", "-force", "-start" } },
    { UTILITY_DAEMON_STOP, NULL, NULL, { "ttDaemonAdmin", "-stop" } },
    { UTILITY_SERVER_START, NULL, NULL, { "ttDaemonAdmin", "-startserver" } },
    { UTILITY_SERVER_STOP, NULL, NULL, { "ttDaemonAdmin", "-stopserver" } },
    { UTILITY_SERVER_STOP_FORCE, "18.1", NULL, { "ttDaemonAdmin", "-force", "-stopserver" } },
    { UTILITY_SERVER_STOP_FORCE, NULL, NULL, { "ttDaemonAdmin", "-stopserver" } },
    { UTILITY_STATUS, NULL, NULL, { "ttStatus" } },
    { UTILITY_VERSION, "7.0", NULL, { "ttVersion", "-m" } },
    { UTILITY_VERSION, NULL, NULL, { "ttVersion" } },
    /* A connection string with AutoCreate=0, because a mistyped DSN would otherwise be created and
     * saved as an empty database with exit status 0. The option for databases without replication
     * stands in the -c usage from 7.0 on (7.0 reference, 11.2.2 usage text), not in that of 6.0. */
    { UTILITY_EXPORT, NULL, "7.0", { "ttMigrate", "-c", "-connStr", EXISTING, PATH } },
    { UTILITY_EXPORT, "7.0", NULL, { "ttMigrate", "-c", RELAXED, "-connStr", EXISTING, PATH } },
    { UTILITY_IMPORT, NULL, NULL, { "ttMigrate", "-r", RELAXED, "-connStr", CREATING, PATH } },
    { UTILITY_DESTROY, NULL, NULL, { "ttDestroy", DSN } },
    { UTILITY_QUERY, NULL, NULL, { "ttAdmin", "-query", DSN } },
    { UTILITY_RAM_LOAD, NULL, NULL, { "ttAdmin", "-ramLoad", DSN } },
    { UTILITY_RAM_UNLOAD, NULL, NULL, { "ttAdmin", "-ramUnload", DSN } },
    { UTILITY_CLOSE, "18.1", NULL, { "ttAdmin", "-close", DSN } },
    { UTILITY_OPEN, "18.1", NULL, { "ttAdmin", "-open", DSN } },
    { UTILITY_CACHE_STOP, NULL, NULL, { "ttAdmin", "-cacheStop", DSN } },
    { UTILITY_CACHE_START, NULL, NULL, { "ttAdmin", "-cacheStart", DSN } },
    { UTILITY_REPLICATION_LIST, NULL, NULL, { "ttRepAdmin", "-receiver", "-list", DSN } },
    { UTILITY_SQL, NULL, NULL, { "ttIsql", "-v", "1", "-e", SQL, "-connStr", EXISTING } },
};

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
    { UTILITY_DAEMON_START, ON_SUCCESS, "failed", VERDICT_FAILED },
    { UTILITY_SERVER_START, ON_SUCCESS, "failed", VERDICT_FAILED },
    { UTILITY_DAEMON_START, ON_ERROR, "already running", VERDICT_ALREADY },
    { UTILITY_SERVER_START, ON_ERROR, "already running", VERDICT_ALREADY },
    { UTILITY_SERVER_START, ON_ERROR, "already started", VERDICT_ALREADY },
    { UTILITY_DAEMON_STOP, ON_ERROR, "not running", VERDICT_ALREADY },
    { UTILITY_SERVER_STOP, ON_ERROR, "not running", VERDICT_ALREADY },
    { UTILITY_SERVER_STOP_FORCE, ON_ERROR, "not running", VERDICT_ALREADY },
    { UTILITY_DAEMON_STOP, ON_ERROR, "daemon: connection refused", VERDICT_ALREADY },
    { UTILITY_SERVER_STOP, ON_ERROR, "daemon: connection refused", VERDICT_ALREADY },
    { UTILITY_SERVER_STOP_FORCE, ON_ERROR, "daemon: connection refused", VERDICT_ALREADY },
    { UTILITY_CLOSE, ON_ERROR, "already closed", VERDICT_ALREADY },
    { UTILITY_OPEN, ON_ERROR, "already open", VERDICT_ALREADY },
    /* 833: no such database (S); destroying what is gone has to be repeatable. */
    { UTILITY_DESTROY, ON_ERROR, " 833:", VERDICT_ALREADY },
    { UTILITY_DESTROY, ON_ERROR, "tt0833:", VERDICT_ALREADY },
    { UTILITY_DESTROY, ON_ERROR, "does not exist", VERDICT_ALREADY },
};

const char *utility_name(UtilityId id)
{
    return utilities[id].name;
}

guint64 utility_limit_usec(UtilityId id)
{
    return utilities[id].limit_usec;
}

static gboolean is_before(const Release *release, const char *text)
{
    Release limit;

    return release_parse(text, &limit, NULL) && release_compare(release, &limit) < 0;
}

static gboolean row_holds(const char *from, const char *before, const Release *release)
{
    return (!from || !is_before(release, from)) && (!before || is_before(release, before));
}

/* DSN names as ODBC has them: what would end or bend a connection string is no part of a name. */
static gboolean check_dsn(const char *dsn, GError **error)
{
    if (dsn && dsn[0] && dsn[0] != '-' && strlen(dsn) <= 128 && !strpbrk(dsn, "[]{}(),;?*=!@\\/") &&
        g_utf8_validate(dsn, -1, NULL)) {
        const char *p = dsn;

        while (*p && !g_ascii_iscntrl(*p))
            p++;
        if (!*p)
            return TRUE;
    }
    g_set_error(
        error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION,
        "\"%s\" cannot be the name of a database. Name a DSN of the instance's sys.odbc.ini",
        dsn ? dsn : "");
    return FALSE;
}

static gboolean check_path(const char *what, const char *path, GError **error)
{
    if (path && path[0] == '/')
        return TRUE;
    g_set_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION,
                "The %s \"%s\" is not an absolute path. Begin it with /", what, path ? path : "");
    return FALSE;
}

/* Appends what a word of a row stands for. */
static gboolean append_word(GStrvBuilder *builder, const char *word, const Release *release,
                            const UtilityArguments *arguments, GError **error)
{
    const UtilityArguments none = { 0 };
    g_autofree char *made = NULL;

    if (!arguments)
        arguments = &none;
    if (strchr(DSN EXISTING CREATING, word[0]) && !check_dsn(arguments->dsn, error))
        return FALSE;
    if (word[0] == PATH[0] && !check_path("file", arguments->file, error))
        return FALSE;
    switch (word[0]) {
    case '\1':
        word = arguments->dsn;
        break;
    case '\2':
        word = made = g_strdup_printf("DSN=%s;AutoCreate=0", arguments->dsn);
        break;
    case '\3':
        word = made = g_strdup_printf("DSN=%s;AutoCreate=1", arguments->dsn);
        break;
    case '\4':
        word = arguments->file;
        break;
    case '\5':
        /* Without the exit it would go on to read commands from its standard input. */
        word = made = g_strdup_printf("%s exit;", arguments->sql ? arguments->sql : "");
        break;
    case '\6':
        word = arguments->replicated ? NULL : release_era(release)->unreplicated;
        break;
    }
    if (word)
        g_strv_builder_add(builder, word);
    return TRUE;
}

char **utility_argv(UtilityId id, const char *home, const Release *release,
                    const UtilityArguments *arguments, GError **error)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autofree char *program = NULL, *shown = NULL;

    if (!check_path("instance's home", home, error))
        return NULL;
    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        const char *const *words = commands[i].words;

        if (commands[i].id != id || !row_holds(commands[i].from, commands[i].before, release))
            continue;
        if (release_era(release)->kind == ERA_PATH) {
            program = g_strdup_printf("%s/bin/%s", home, words[0]);
            g_strv_builder_add(builder, program);
        } else {
            program = g_strdup_printf("%s/bin/ttenv", home);
            g_strv_builder_add_many(builder, program, words[0], NULL);
        }
        for (guint w = 1; w < G_N_ELEMENTS(commands[i].words) && words[w]; w++)
            if (!append_word(builder, words[w], release, arguments, error))
                return NULL;
        return g_strv_builder_end(builder);
    }
    shown = release_format(release);
    g_set_error(error, TU_ERROR, TU_ERROR_NOT_POSSIBLE, "Release %s has no %s", shown,
                utilities[id].name);
    return NULL;
}

char **utility_environment(UtilityId id, const char *home, const Release *release)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autofree char *place = NULL;

    /* The parsers know the English texts. */
    g_strv_builder_add(builder, "LC_ALL=C");
    /* DSNs come from the instance's sys.odbc.ini alone, which is what the checks have looked at;
     * one of the same name in the administrator's own .odbc.ini could name another database. That
     * an empty file there is taken as "no DSNs" is I. */
    g_strv_builder_add(builder, "ODBCINI=/dev/null");
    if (id == UTILITY_SQL) /* default options of a site would change what is printed (D) */
        g_strv_builder_add(builder, "TTISQL=");
    /* Up to 11.2 bin/ttenv.sh sets the library path and nothing else calls it; that the programs
     * need it is R. */
    place = release_era(release)->kind == ERA_PATH ? g_strdup_printf("LD_LIBRARY_PATH=%s/lib", home)
                                                   : g_strdup_printf("TIMESTEN_HOME=%s", home);
    g_strv_builder_add(builder, place);
    return g_strv_builder_end(builder);
}

/* Words by which a line of output is taken for the complaint, in this order; lower case. */
static const char *const complaints[] = {
    "tt0",    "tt1",           "*** error", "error", "could not", "cannot",  "can not", "unable",
    "failed", "not permitted", "denied",    "refus", "invalid",   "unknown", "usage",
};

/* The line of an output that says what is wrong: an error with its number, else the first that
 * sounds like one, else the last. NULL where nothing was printed. */
static char *complaint_of(const char *output)
{
    char *numbered = isql_first_error(output);
    g_autofree char *valid = NULL;
    g_auto(GStrv) lines = NULL;
    const char *last = NULL;

    if (numbered)
        return numbered;
    valid = g_utf8_make_valid(output, -1);
    lines = g_strsplit(valid, "\n", -1);
    for (guint c = 0; c < G_N_ELEMENTS(complaints); c++)
        for (guint i = 0; lines[i]; i++) {
            g_autofree char *lower = g_ascii_strdown(lines[i], -1);

            if (strstr(lower, complaints[c]) && !strstr(lower, "the command failed."))
                return g_strdup(lines[i]);
        }
    for (guint i = 0; lines[i]; i++)
        if (g_strstrip(lines[i])[0])
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
    return g_strdup_printf("%s of release %s %s%s%s%s: %s", utilities[id].name, number, end,
                           meaning ? " (" : "", meaning ? meaning : "", meaning ? ")" : "",
                           line && line[0] ? line : "it printed nothing");
}

/* A table of which fewer rows were moved than there are; the output then contradicts a status of 0.
 */
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
    if (id == UTILITY_SQL && verdict == VERDICT_DONE) {
        g_autofree char *error = isql_first_error(text);

        if (error)
            verdict = VERDICT_FAILED;
    }
    if (id == UTILITY_VERSION && verdict == VERDICT_DONE && !strpbrk(lower, G_CSET_DIGITS))
        verdict = VERDICT_FAILED;
    if (verdict != VERDICT_DONE && verdict != VERDICT_ALREADY)
        *ret_reason = reason_for(id, release, exit_status, meaning, text);
    return verdict;
}
