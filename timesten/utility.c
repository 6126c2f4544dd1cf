/* Command lines and environments of the utilities by era. Runs nothing and reads nothing: the
 * worker runs the words in a transient unit, and verdict.c says what came of it.
 */
#include "timesten/utility.h"
#include "timesten/belief.h"
#include "timesten/replication.h"
#include "common/error.h"
#include "common/text.h"

#include <string.h>

#define REASON_LIMIT 300 /* bytes of a wrong name in a message */
#define DSN_LIMIT    128 /* bytes; ODBC itself stops at 32 */

/* Each with how long it may take: long enough for what the step may rightly take, short enough that
 * a hung program is noticed. */
static const struct {
    const char *name;
    BeliefId limit;
} utilities[] = {
    [UTILITY_DAEMON_START] = { "ttDaemonAdmin -start", BELIEF_LIMIT_DAEMON },
    [UTILITY_DAEMON_STOP] = { "ttDaemonAdmin -stop", BELIEF_LIMIT_DAEMON },
    [UTILITY_SERVER_START] = { "ttDaemonAdmin -startserver", BELIEF_LIMIT_SERVER_START },
    [UTILITY_SERVER_STOP] = { "ttDaemonAdmin -stopserver", BELIEF_LIMIT_SERVER_STOP },
    [UTILITY_SERVER_STOP_FORCE] = { "ttDaemonAdmin -stopserver", BELIEF_LIMIT_SERVER_START },
    [UTILITY_STATUS] = { "ttStatus", BELIEF_LIMIT_LOOK },
    [UTILITY_VERSION] = { "ttVersion", BELIEF_LIMIT_LOOK },
    [UTILITY_EXPORT] = { "ttMigrate -c", BELIEF_LIMIT_COPY },
    [UTILITY_IMPORT] = { "ttMigrate -r", BELIEF_LIMIT_COPY },
    [UTILITY_DESTROY] = { "ttDestroy", BELIEF_LIMIT_DESTROY },
    [UTILITY_DESTROY_FORCE] = { "ttDestroy -force", BELIEF_LIMIT_DESTROY },
    [UTILITY_QUERY] = { "ttAdmin -query", BELIEF_LIMIT_ORDER },
    [UTILITY_RAM_LOAD] = { "ttAdmin -ramLoad", BELIEF_LIMIT_LOAD },
    [UTILITY_RAM_UNLOAD] = { "ttAdmin -ramUnload", BELIEF_LIMIT_LOAD },
    [UTILITY_RAM_POLICY] = { "ttAdmin -ramPolicy", BELIEF_LIMIT_LOAD }, /* "always" loads */
    [UTILITY_RAM_GRACE] = { "ttAdmin -ramGrace", BELIEF_LIMIT_ORDER },
    [UTILITY_SHM_DETACH] = { "ttAdmin -shmDetach", BELIEF_LIMIT_LOAD }, /* with a checkpoint */
    [UTILITY_SHM_ATTACH] = { "ttAdmin -shmAttach", BELIEF_LIMIT_DESTROY },
    [UTILITY_SHM_FREE] = { "ttAdmin -shmFree", BELIEF_LIMIT_ORDER },
    [UTILITY_MODIFY] = { "ttInstanceModify -install", BELIEF_LIMIT_DAEMON },
    [UTILITY_CLOSE] = { "ttAdmin -close", BELIEF_LIMIT_ORDER },
    [UTILITY_OPEN] = { "ttAdmin -open", BELIEF_LIMIT_ORDER },
    [UTILITY_CACHE_STOP] = { "ttAdmin -cacheStop", BELIEF_LIMIT_CACHE_STOP },
    [UTILITY_CACHE_START] = { "ttAdmin -cacheStart", BELIEF_LIMIT_AGENT },
    [UTILITY_REPLICATION_LIST] = { "ttRepAdmin -receiver -list", BELIEF_LIMIT_ORDER },
    [UTILITY_REPLICATION_START] = { "ttAdmin -repStart", BELIEF_LIMIT_AGENT },
    [UTILITY_REPLICATION_STOP] = { "ttAdmin -repStop", BELIEF_LIMIT_AGENT },
    [UTILITY_REPLICATION_POLICY] = { "ttAdmin -repPolicy", BELIEF_LIMIT_ORDER },
    [UTILITY_REPLICATION_STATE] = { "ttRepAdmin -receiver -state", BELIEF_LIMIT_ORDER },
    [UTILITY_REPLICATION_RESET] = { "ttRepAdmin -receiver -reset", BELIEF_LIMIT_ORDER },
    [UTILITY_REPLICATION_WAIT] = { "ttRepAdmin -wait", BELIEF_LIMIT_WAIT },
    [UTILITY_DUPLICATE] = { "ttRepAdmin -duplicate", BELIEF_LIMIT_COPY },
    [UTILITY_SQL] = { "ttIsql", BELIEF_LIMIT_SQL },
    [UTILITY_CLIENT_SQL] = { "ttIsqlCS", BELIEF_LIMIT_CLIENT_SQL },
};
G_STATIC_ASSERT(G_N_ELEMENTS(utilities) == N_UTILITIES);

/* Words of a command line that stand for something; see expansions[]. */
#define DSN            "{dsn}"
#define EXISTING       "{existing}" /* a connection string that never creates a database */
#define CREATING       "{creating}" /* one that does, whatever the DSN says */
#define CLIENT         "{client}"   /* one by way of the server of this host */
#define PATH           "{path}"
#define SQL            "{sql}"     /* the statements, and the end of the session */
#define RELAXED        "{relaxed}" /* the era's option for a database without replication, or nothing */
#define EXPORT_RELAXED "{export-relaxed}" /* the same of releases that take it there */
#define START_FORCE    "{start-force}"    /* -force of releases that take it, or nothing */
#define STOP_FORCE     "{stop-force}"
#define KEYS           "{keys}" /* -m, likewise */
#define CLIENT_PROGRAM "{client-program}"
#define PEER           "{peer}"
#define WORD           "{word}"
#define SECONDS        "{seconds}"

/* A row holds for FROM <= release < BEFORE; NULL leaves an end open. The first row that holds is
 * taken. The order of the words is that of the usage in the references (facts 3). */
static const struct {
    UtilityId id;
    const char *from, *before;
    const char *words[12];
} commands[] = {
    /* -force: a pid file that a power cut left is no reason not to start; the vendor's own unit and
     * samples always give it. */
    { UTILITY_DAEMON_START, NULL, NULL, { "ttDaemonAdmin", START_FORCE, "-start" } },
    { UTILITY_DAEMON_STOP, NULL, NULL, { "ttDaemonAdmin", "-stop" } },
    { UTILITY_SERVER_START, NULL, NULL, { "ttDaemonAdmin", "-startserver" } },
    { UTILITY_SERVER_STOP, NULL, NULL, { "ttDaemonAdmin", "-stopserver" } },
    { UTILITY_SERVER_STOP_FORCE, NULL, NULL, { "ttDaemonAdmin", STOP_FORCE, "-stopserver" } },
    { UTILITY_STATUS, NULL, NULL, { "ttStatus" } },
    { UTILITY_VERSION, NULL, NULL, { "ttVersion", KEYS } },
    /* A connection string with AutoCreate=0, because a mistyped DSN would otherwise be created and
     * saved as an empty database with exit status 0. */
    { UTILITY_EXPORT,
      NULL,
      NULL,
      { "ttMigrate", "-c", EXPORT_RELAXED, "-connStr", EXISTING, PATH } },
    { UTILITY_IMPORT, NULL, NULL, { "ttMigrate", "-r", RELAXED, "-connStr", CREATING, PATH } },
    { UTILITY_DESTROY, NULL, NULL, { "ttDestroy", DSN } },
    { UTILITY_DESTROY_FORCE, NULL, NULL, { "ttDestroy", "-force", DSN } },
    { UTILITY_QUERY, NULL, NULL, { "ttAdmin", "-query", DSN } },
    { UTILITY_RAM_LOAD, NULL, NULL, { "ttAdmin", "-ramLoad", DSN } },
    { UTILITY_RAM_UNLOAD, NULL, NULL, { "ttAdmin", "-ramUnload", DSN } },
    { UTILITY_RAM_POLICY, NULL, NULL, { "ttAdmin", "-ramPolicy", WORD, DSN } },
    { UTILITY_RAM_GRACE,
      NULL,
      NULL,
      { "ttAdmin", "-ramPolicy", "inUse", "-ramGrace", SECONDS, DSN } },
    /* With a checkpoint, so that a segment which cannot be attached again may be freed (facts 4.2). */
    { UTILITY_SHM_DETACH, "18.1", NULL, { "ttAdmin", "-shmDetach", "-ckpt", DSN } },
    { UTILITY_SHM_ATTACH, "18.1", NULL, { "ttAdmin", "-shmAttach", DSN } },
    { UTILITY_SHM_FREE, "18.1", NULL, { "ttAdmin", "-shmFree", DSN } },
    { UTILITY_MODIFY, "18.1", NULL, { "ttInstanceModify", "-install", PATH } },
    { UTILITY_CLOSE, "18.1", NULL, { "ttAdmin", "-close", DSN } },
    { UTILITY_OPEN, "18.1", NULL, { "ttAdmin", "-open", DSN } },
    { UTILITY_CACHE_STOP, NULL, NULL, { "ttAdmin", "-cacheStop", DSN } },
    { UTILITY_CACHE_START, NULL, NULL, { "ttAdmin", "-cacheStart", DSN } },
    { UTILITY_REPLICATION_LIST, NULL, NULL, { "ttRepAdmin", "-receiver", "-list", DSN } },
    { UTILITY_REPLICATION_START, NULL, NULL, { "ttAdmin", "-repStart", DSN } },
    { UTILITY_REPLICATION_STOP, NULL, NULL, { "ttAdmin", "-repStop", DSN } },
    { UTILITY_REPLICATION_POLICY, NULL, NULL, { "ttAdmin", "-repPolicy", WORD, DSN } },
    { UTILITY_REPLICATION_STATE,
      NULL,
      NULL,
      { "ttRepAdmin", "-connStr", EXISTING, "-receiver", "-name", PEER, "-state", WORD } },
    { UTILITY_REPLICATION_RESET,
      NULL,
      NULL,
      { "ttRepAdmin", "-connStr", EXISTING, "-receiver", "-name", PEER, "-reset" } },
    { UTILITY_REPLICATION_WAIT,
      NULL,
      NULL,
      { "ttRepAdmin", "-connStr", EXISTING, "-wait", "-name", PEER, "-timeout", SECONDS } },
    /* -setMasterRepStart: from the moment of the copy on its source keeps the log for it (D). From
     * BELIEF_DUPLICATE_USER_SINCE on a user of the source is asked for, and no password is ever
     * given here; the checks say so. */
    { UTILITY_DUPLICATE,
      NULL,
      NULL,
      { "ttRepAdmin", "-duplicate", "-from", PEER, "-host", REPLICATION_HOST, "-localhost",
        REPLICATION_HOST, "-setMasterRepStart", DSN } },
    { UTILITY_SQL, NULL, NULL, { "ttIsql", "-v", "1", "-e", SQL, "-connStr", EXISTING } },
    /* Without a client DSN: TTC_Server, TTC_Server_DSN and TCP_Port in the connection string are D
     * in 6.0, 7.0, 22.1 and 26.1, S in 11.2. */
    { UTILITY_CLIENT_SQL,
      NULL,
      NULL,
      { CLIENT_PROGRAM, "-v", "1", "-e", SQL, "-connStr", CLIENT } },
};

const char *utility_name(UtilityId id)
{
    return utilities[id].name;
}

BeliefId utility_limit(UtilityId id)
{
    return utilities[id].limit;
}

guint64 utility_limit_usec(UtilityId id)
{
    return belief_number(utilities[id].limit);
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

/* Whether a name is one as ODBC has them: what would end or bend a connection string is no part of
 * a name, and what begins like an option must not be taken for one. */
static gboolean is_dsn(const char *dsn)
{
    if (!dsn || !dsn[0] || dsn[0] == '-' || strlen(dsn) > DSN_LIMIT ||
        strpbrk(dsn, "[]{}(),;?*=!@\\/") || !g_utf8_validate(dsn, -1, NULL))
        return FALSE;
    for (const char *p = dsn; *p; p++)
        if (g_ascii_iscntrl(*p))
            return FALSE;
    return TRUE;
}

static char *expand_dsn(const Release *release, const UtilityArguments *arguments, GError **error)
{
    g_autofree char *shown = NULL;

    if (is_dsn(arguments->dsn))
        return g_strdup(arguments->dsn);
    shown = text_one_line(arguments->dsn ? arguments->dsn : "", DSN_LIMIT);
    g_set_error(
        error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION,
        "\"%s\" cannot be the name of a database. Name a DSN of the instance's sys.odbc.ini",
        shown);
    return NULL;
}

static char *expand_existing(const Release *release, const UtilityArguments *arguments,
                             GError **error)
{
    g_autofree char *dsn = expand_dsn(release, arguments, error);

    return dsn ? g_strdup_printf("DSN=%s;AutoCreate=0", dsn) : NULL;
}

static char *expand_creating(const Release *release, const UtilityArguments *arguments,
                             GError **error)
{
    g_autofree char *dsn = expand_dsn(release, arguments, error);

    return dsn ? g_strdup_printf("DSN=%s;AutoCreate=1", dsn) : NULL;
}

static char *expand_client(const Release *release, const UtilityArguments *arguments,
                           GError **error)
{
    g_autofree char *dsn = expand_dsn(release, arguments, error);

    if (!dsn)
        return NULL;
    if (arguments->port == 0) {
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION,
                    "No server port is known for database %s. Give the server a PrivatePort=", dsn);
        return NULL;
    }
    return g_strdup_printf("TTC_Server=%s;TTC_Server_DSN=%s;TCP_Port=%u",
                           arguments->host ? arguments->host : "127.0.0.1", dsn, arguments->port);
}

static gboolean check_path(const char *what, const char *path, GError **error)
{
    g_autofree char *shown = NULL;

    if (path && path[0] == '/')
        return TRUE;
    shown = text_one_line(path ? path : "", REASON_LIMIT);
    g_set_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION,
                "The %s \"%s\" is not an absolute path. Begin it with /", what, shown);
    return FALSE;
}

static char *expand_path(const Release *release, const UtilityArguments *arguments, GError **error)
{
    return check_path("file", arguments->file, error) ? g_strdup(arguments->file) : NULL;
}

/* Without the exit ttIsql would go on to read commands from its standard input. */
static char *expand_sql(const Release *release, const UtilityArguments *arguments, GError **error)
{
    return g_strdup_printf("%s exit;", arguments->sql ? arguments->sql : "");
}

static char *expand_relaxed(const Release *release, const UtilityArguments *arguments,
                            GError **error)
{
    const char *word = belief_word(release_era(release)->unreplicated);

    return g_strdup(arguments->replicated || !word ? "" : word);
}

static char *expand_export_relaxed(const Release *release, const UtilityArguments *arguments,
                                   GError **error)
{
    return belief_holds_since(BELIEF_MIGRATE_EXPORT_OPTION_SINCE, release)
               ? expand_relaxed(release, arguments, error)
               : g_strdup("");
}

static char *word_since(BeliefId id, const Release *release, const char *word)
{
    return g_strdup(belief_holds_since(id, release) ? word : "");
}

static char *expand_start_force(const Release *release, const UtilityArguments *arguments,
                                GError **error)
{
    return word_since(BELIEF_START_FORCE_SINCE, release, "-force");
}

static char *expand_stop_force(const Release *release, const UtilityArguments *arguments,
                               GError **error)
{
    return word_since(BELIEF_SERVER_STOP_FORCE_SINCE, release, "-force");
}

static char *expand_keys(const Release *release, const UtilityArguments *arguments, GError **error)
{
    return word_since(BELIEF_VERSION_M_SINCE, release, "-m");
}

static char *expand_client_program(const Release *release, const UtilityArguments *arguments,
                                   GError **error)
{
    const char *word = belief_word(BELIEF_CLIENT_SQL_PROGRAM);

    if (!word)
        tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                     "The fact client-sql-program says that there is no such program");
    return g_strdup(word);
}

static char *expand_peer(const Release *release, const UtilityArguments *arguments, GError **error)
{
    if (arguments->peer && replication_name_is_plain(arguments->peer))
        return g_strdup(arguments->peer);
    tu_error_set(
        error, TU_ERROR_INVALID_CONFIGURATION,
        "\"%s\" cannot be the name of a database in replication. Give its DataStore= a last "
        "part of letters and digits",
        arguments->peer ? arguments->peer : "");
    return NULL;
}

static char *expand_word(const Release *release, const UtilityArguments *arguments, GError **error)
{
    return g_strdup(arguments->word ? arguments->word : "");
}

static char *expand_seconds(const Release *release, const UtilityArguments *arguments,
                            GError **error)
{
    return g_strdup_printf("%u", arguments->seconds);
}

/* NULL is an error, an empty string is left out. */
static const struct {
    const char *word;
    char *(*expand)(const Release *release, const UtilityArguments *arguments, GError **error);
} expansions[] = {
    { DSN, expand_dsn },
    { EXISTING, expand_existing },
    { CREATING, expand_creating },
    { CLIENT, expand_client },
    { PATH, expand_path },
    { SQL, expand_sql },
    { RELAXED, expand_relaxed },
    { PEER, expand_peer },
    { WORD, expand_word },
    { SECONDS, expand_seconds },
    { EXPORT_RELAXED, expand_export_relaxed },
    { START_FORCE, expand_start_force },
    { STOP_FORCE, expand_stop_force },
    { KEYS, expand_keys },
    { CLIENT_PROGRAM, expand_client_program },
};

static char *expand(const char *word, const Release *release, const UtilityArguments *arguments,
                    GError **error)
{
    const UtilityArguments none = { 0 };

    for (guint i = 0; i < G_N_ELEMENTS(expansions); i++)
        if (g_str_equal(expansions[i].word, word))
            return expansions[i].expand(release, arguments ? arguments : &none, error);
    return g_strdup(word);
}

void utility_add_program(GStrvBuilder *words, const char *home, const Release *release,
                         const char *name)
{
    gboolean by_path = release_era(release)->kind == ERA_PATH;
    g_autofree char *program = g_build_filename(home, "bin", by_path ? name : "ttenv", NULL);

    g_strv_builder_add(words, program);
    if (!by_path)
        g_strv_builder_add(words, name);
}

char **utility_argv(UtilityId id, const char *home, const Release *release,
                    const UtilityArguments *arguments, GError **error)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autofree char *name = NULL, *shown = NULL;

    if (!check_path("instance's home", home, error))
        return NULL;
    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        const char *const *words = commands[i].words;

        if (commands[i].id != id || !row_holds(commands[i].from, commands[i].before, release))
            continue;
        if (!(name = expand(words[0], release, arguments, error)))
            return NULL;
        utility_add_program(builder, home, release, name);
        for (guint w = 1; w < G_N_ELEMENTS(commands[i].words) && words[w]; w++) {
            g_autofree char *word = expand(words[w], release, arguments, error);

            if (!word)
                return NULL;
            if (word[0])
                g_strv_builder_add(builder, word);
        }
        return g_strv_builder_end(builder);
    }
    shown = release_format(release);
    g_set_error(error, TU_ERROR, TU_ERROR_NOT_POSSIBLE, "Release %s has no %s", shown,
                utilities[id].name);
    return NULL;
}

static void add_variable(GStrvBuilder *builder, const char *name, const char *value)
{
    g_autofree char *text = name && value ? g_strconcat(name, "=", value, NULL) : NULL;

    if (text)
        g_strv_builder_add(builder, text);
}

char **utility_environment(UtilityId id, const char *home, const Release *release)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    const char *defaults = belief_word(BELIEF_SQL_DEFAULTS_VARIABLE);
    const char *library = belief_word(BELIEF_LIBRARY_DIRECTORY);

    /* The parsers know the English texts. */
    g_strv_builder_add(builder, "LC_ALL=C");
    /* DSNs come from the instance's sys.odbc.ini alone, which is what the checks have looked at;
     * one of the same name in the administrator's own .odbc.ini could name another database. */
    add_variable(builder, "ODBCINI", belief_word(BELIEF_USER_ODBC_INI));
    /* Default options of a site would change what is printed. */
    if (id == UTILITY_SQL || id == UTILITY_CLIENT_SQL)
        add_variable(builder, defaults, "");
    if (release_era(release)->kind != ERA_PATH) {
        add_variable(builder, "TIMESTEN_HOME", home);
    } else if (library) {
        g_autofree char *place = g_build_filename(home, library, NULL);

        add_variable(builder, "LD_LIBRARY_PATH", place);
    }
    return g_strv_builder_end(builder);
}
