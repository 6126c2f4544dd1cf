#include "timesten/trial.h"
#include "timesten/admin.h"
#include "timesten/bench.h"
#include "timesten/capture.h"
#include "timesten/replication.h"
#include "timesten/status.h"
#include "timesten/version.h"
#include "common/error.h"
#include "common/text.h"

#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <glib/gstdio.h>

#define SEEN_LIMIT   400           /* bytes of an output in the result */
#define OUTPUT_LIMIT (1024 * 1024) /* bytes */
#define NO_SUCH_DSN  "TTUPGRADE_NO_SUCH_DSN"
#define LONGEST_USEC (10 * 60 * USEC_PER_SEC) /* of a call without a limit of its own */

const char *const trial_outcome_nicks[] = { "held", "differs", "untried", NULL };
G_STATIC_ASSERT(G_N_ELEMENTS(trial_outcome_nicks) == N_TRIAL_OUTCOMES + 1);

/* --- the bench ----------------------------------------------------------------------------------
 */

void answer_free(Answer *answer)
{
    if (!answer)
        return;
    g_free(answer->output);
    g_free(answer);
}

static void note_time(Bench *bench, BeliefId limit, guint64 usec)
{
    bench->longest[limit] = MAX(bench->longest[limit], usec);
}

static Answer *run_words(Bench *bench, UtilityId id, BeliefId limit, char **words)
{
    g_auto(GStrv) environment = utility_environment(id, bench->facts->home, &bench->facts->release);
    guint64 began = g_get_monotonic_time();
    g_autoptr(GError) error = NULL;
    Answer *answer = g_new0(Answer, 1);

    if (!capture_run(words, environment, MIN(belief_number(limit), LONGEST_USEC), OUTPUT_LIMIT,
                     &answer->output, &answer->status, &error)) {
        answer->status = -1;
        answer->output = g_strdup(error->message);
    }
    note_time(bench, limit, g_get_monotonic_time() - began);
    return answer;
}

Answer *bench_ask(Bench *bench, UtilityId id, const UtilityArguments *arguments)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) words =
        utility_argv(id, bench->facts->home, &bench->facts->release, arguments, &error);
    Answer *answer;

    if (words)
        return run_words(bench, id, utility_limit(id), words);
    answer = g_new0(Answer, 1);
    *answer = (Answer){ -1, g_strdup(error->message) };
    return answer;
}

Answer *bench_run(Bench *bench, BeliefId limit, const char *program, ...)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_auto(GStrv) words = NULL;
    const char *word;
    va_list args;

    utility_add_program(builder, bench->facts->home, &bench->facts->release, program);
    va_start(args, program);
    while ((word = va_arg(args, const char *)))
        g_strv_builder_add(builder, word);
    va_end(args);
    words = g_strv_builder_end(builder);
    return run_words(bench, UTILITY_SQL, limit, words);
}

static char *show(const Answer *answer)
{
    g_autofree char *line = text_one_line(answer->output, SEEN_LIMIT);

    if (answer->status < 0)
        return g_steal_pointer(&line);
    return g_strdup_printf("exit status %d: %s", answer->status, *line ? line : "nothing printed");
}

static void set(Bench *bench, BeliefId id, TrialOutcome outcome, const char *how, char *seen)
{
    Trial *trial = &bench->trials[id];

    g_free(trial->how);
    g_free(trial->seen);
    *trial = (Trial){ outcome, g_strdup(how), seen };
}

void bench_note(Bench *bench, BeliefId id, gboolean holds, const Answer *seen, const char *how)
{
    if (bench->trials[id].outcome != TRIAL_DIFFERS)
        set(bench, id, holds ? TRIAL_HELD : TRIAL_DIFFERS, how, show(seen));
}

void bench_pass(Bench *bench, BeliefId id, const char *why)
{
    if (bench->trials[id].outcome == TRIAL_UNTRIED)
        set(bench, id, TRIAL_UNTRIED, why, NULL);
}

gboolean answer_has_line(const Answer *answer, BeliefId begin)
{
    g_auto(GStrv) lines = g_strsplit(answer->output, "\n", -1);

    for (guint i = 0; lines[i]; i++)
        if (belief_behind(begin, g_strstrip(lines[i])))
            return TRUE;
    return FALSE;
}

/* --- releases and files -------------------------------------------------------------------------
 */

static void try_version(Bench *bench)
{
    g_autoptr(Answer) keys = bench_run(bench, BELIEF_LIMIT_LOOK, "ttVersion", "-m", NULL);
    g_autoptr(Answer) banner = bench_run(bench, BELIEF_LIMIT_LOOK, "ttVersion", NULL);
    g_autoptr(Version) of_keys = version_parse(keys->output);
    g_autoptr(Version) of_banner = version_parse(banner->output);
    gboolean takes = keys->status == 0 && of_keys && of_keys->keys;

    bench_note(bench, BELIEF_VERSION_M_SINCE,
               takes == belief_holds_since(BELIEF_VERSION_M_SINCE, &bench->facts->release), keys,
               "ttVersion -m");
    if (takes) {
        bench_note(bench, BELIEF_VERSION_KEY_ADMIN, of_keys->admin != NULL, keys, "ttVersion -m");
        bench_note(bench, BELIEF_VERSION_KEY_DAEMON_HOME, of_keys->daemon_home != NULL, keys,
                   "ttVersion -m");
    }
    if (takes && of_keys->instance && of_banner)
        bench_note(bench, BELIEF_VERSION_BANNER_INSTANCE,
                   (g_strcmp0(of_keys->instance, of_banner->instance) == 0) ==
                       belief_is_so(BELIEF_VERSION_BANNER_INSTANCE),
                   banner, "ttVersion, beside instance= of ttVersion -m");
    else
        bench_pass(bench, BELIEF_VERSION_BANNER_INSTANCE, "ttVersion has no second form here");
}

static void try_programs(Bench *bench)
{
    const char *name = belief_word(BELIEF_CLIENT_SQL_PROGRAM);
    g_autoptr(Answer) answer =
        bench_run(bench, BELIEF_LIMIT_LOOK, name ? name : "ttIsqlCS", "-V", NULL);

    bench_note(bench, BELIEF_CLIENT_SQL_PROGRAM, (name != NULL) == (answer->status == 0), answer,
               "the program, with -V");
    if (release_era(&bench->facts->release)->kind == ERA_PATH) {
        g_autofree char *path =
            g_build_filename(bench->facts->home, belief_word(BELIEF_LIBRARY_DIRECTORY), NULL);
        const Answer found = { 0, path };

        bench_note(bench, BELIEF_LIBRARY_DIRECTORY, g_file_test(path, G_FILE_TEST_IS_DIR), &found,
                   "a directory of that name, and the utilities that ran with it");
    } else {
        bench_pass(bench, BELIEF_LIBRARY_DIRECTORY, "for releases up to 11.2");
    }
}

/* What the usage text of ttMigrate takes where it saves, and where it restores. */
static void try_migrate_options(Bench *bench)
{
    BeliefId id = release_era(&bench->facts->release)->unreplicated;
    const char *word = belief_word(id);
    g_autoptr(Answer) usage = bench_run(bench, BELIEF_LIMIT_LOOK, "ttMigrate", "-h", NULL);
    const char *restore = strstr(usage->output, "ttMigrate -r");
    g_autofree char *save = restore ? g_strndup(usage->output, restore - usage->output) : NULL;

    if (!restore || !word)
        return;
    bench_note(bench, id, strstr(restore, word) != NULL, usage, "ttMigrate -h");
    bench_note(bench, BELIEF_MIGRATE_EXPORT_OPTION_SINCE,
               (strstr(save, word) != NULL) ==
                   belief_holds_since(BELIEF_MIGRATE_EXPORT_OPTION_SINCE, &bench->facts->release),
               usage, "ttMigrate -h, above ttMigrate -r");
}

static void try_fatal(Bench *bench)
{
    g_autofree char *file = g_build_filename(bench->directory, "none.ttm", NULL);
    const UtilityArguments arguments = { .dsn = NO_SUCH_DSN, .file = file };
    g_autoptr(Answer) answer = bench_ask(bench, UTILITY_EXPORT, &arguments);

    bench_note(bench, BELIEF_MIGRATE_FATAL, belief_has_status(BELIEF_MIGRATE_FATAL, answer->status),
               answer, "ttMigrate -c of a DSN that is not there");
}

/* --- the main daemon and its server -------------------------------------------------------------
 */

static gboolean accepts(guint16 port)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons(port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    gboolean good = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;

    if (fd >= 0)
        close(fd);
    return good;
}

/* A daemon that runs is known by its port, whatever ttStatus says. */
static void try_daemon(Bench *bench)
{
    g_autoptr(Answer) answer = bench_ask(bench, UTILITY_STATUS, NULL);
    g_autoptr(TimesTenStatus) status = status_parse(answer->output, answer->status);
    guint16 port = bench->facts->server_port;

    bench->running = accepts(bench->facts->daemon_port);
    if (!bench->running)
        return;
    bench_note(bench, BELIEF_STATUS_REPORT, answer_has_line(answer, BELIEF_STATUS_REPORT), answer,
               "ttStatus");
    bench_note(bench, BELIEF_STATUS_DAEMON,
               answer_has_line(answer, BELIEF_STATUS_DAEMON) &&
                   status->daemon_port == bench->facts->daemon_port,
               answer, "ttStatus, while the main daemon's port answers");
    if (port != 0 && accepts(port))
        bench_note(bench, BELIEF_STATUS_SERVER, status->server_port == port, answer,
                   "ttStatus, while the server's port answers");
    else
        bench_pass(bench, BELIEF_STATUS_SERVER, "no TimesTen Server runs");
    for (guint i = 0; i < bench->facts->databases->len; i++)
        bench_try_status(bench,
                         ((const DatabaseFacts *)bench->facts->databases->pdata[i])->data_store);
}

/* What an order says that has nothing to do. Without -force, so that nothing is killed or begun. */
static void try_orders(Bench *bench)
{
    if (bench->running) {
        g_autoptr(Answer) answer =
            bench_run(bench, BELIEF_LIMIT_DAEMON, "ttDaemonAdmin", "-start", NULL);

        if (belief_is_said(BELIEF_SAYS_SYSTEMCTL, answer->output))
            bench_note(bench, BELIEF_SAYS_SYSTEMCTL, TRUE, answer, "ttDaemonAdmin -start");
        else
            bench_note(bench, BELIEF_SAYS_DAEMON_RUNS,
                       answer->status != 0 &&
                           belief_is_said(BELIEF_SAYS_DAEMON_RUNS, answer->output),
                       answer, "ttDaemonAdmin -start, while it runs");
    } else {
        g_autoptr(Answer) answer =
            bench_run(bench, BELIEF_LIMIT_DAEMON, "ttDaemonAdmin", "-stop", NULL);

        bench_note(bench, BELIEF_SAYS_NOT_RUNNING,
                   answer->status != 0 && belief_is_said(BELIEF_SAYS_NOT_RUNNING, answer->output),
                   answer, "ttDaemonAdmin -stop, while it does not run");
    }
}

void bench_try_status(Bench *bench, const char *data_store)
{
    g_autoptr(Answer) answer = bench_ask(bench, UTILITY_STATUS, NULL);
    g_autoptr(TimesTenStatus) status = status_parse(answer->output, answer->status);
    const StatusStore *store = status_find_store(status, data_store);

    if (!strstr(answer->output, data_store)) /* not loaded */
        return;
    bench_note(bench, BELIEF_STATUS_STORE, store != NULL, answer, "ttStatus of a loaded database");
    if (!store || store->connections->len == 0)
        return;
    bench_note(bench, BELIEF_STATUS_CONNECTIONS, answer_has_line(answer, BELIEF_STATUS_CONNECTIONS),
               answer, "ttStatus of a database with connections");
    bench_note(bench, BELIEF_STATUS_OWN_TYPES,
               status_user_connections(store) < store->connections->len, answer,
               "ttStatus of a database that is in memory");
}

void bench_try_query(Bench *bench, const char *dsn)
{
    static const BeliefId keys[] = { BELIEF_QUERY_RAM_POLICY, BELIEF_QUERY_REPLICATION_POLICY,
                                     BELIEF_QUERY_REPLICATION, BELIEF_QUERY_CACHE };
    const UtilityArguments arguments = { .dsn = dsn };
    g_autoptr(Answer) answer = bench_ask(bench, UTILITY_QUERY, &arguments);
    g_autoptr(AdminState) state = admin_parse(answer->output);

    for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
        bench_note(bench, keys[i], answer_has_line(answer, keys[i]), answer, "ttAdmin -query");
    if (release_era(&bench->facts->release)->can_close)
        bench_note(bench, BELIEF_QUERY_STATE, answer_has_line(answer, BELIEF_QUERY_STATE), answer,
                   "ttAdmin -query");
    if (g_strcmp0(state->ram_policy, "manual") == 0)
        bench_note(bench, BELIEF_QUERY_LOADED, answer_has_line(answer, BELIEF_QUERY_LOADED), answer,
                   "ttAdmin -query of a database with the policy manual");
    bench_note(bench, BELIEF_USER_ODBC_INI, answer->status == 0, answer,
               "ttAdmin -query with it, of a DSN in sys.odbc.ini");
}

/* A row and no error: the status tells nothing. */
static gboolean is_answered(const Answer *answer)
{
    g_autofree char *problem = isql_first_error(answer->output);
    g_auto(GStrv) rows = isql_rows(answer->output);

    return answer->status == 0 && !problem && rows[0];
}

static Answer *ask_sql(Bench *bench, const char *dsn, const char *sql)
{
    const UtilityArguments arguments = { .dsn = dsn, .sql = sql };

    return bench_ask(bench, UTILITY_SQL, &arguments);
}

/* Only of a database that is in memory already: a connect would load it. */
void bench_try_sql(Bench *bench, const char *dsn)
{
    static const BeliefId columns[] = { BELIEF_TABLES_OWNER, BELIEF_TABLES_NAME,
                                        BELIEF_TABLES_KEY };
    const char *view = belief_word(BELIEF_TABLES_VIEW);
    g_autoptr(Answer) wrong = ask_sql(bench, dsn, "select * from TTUPGRADE.NO_SUCH_TABLE;");
    g_autofree char *line = isql_first_error(wrong->output), *whole = NULL;
    g_autoptr(Answer) all = NULL;
    const char *found = line ? strstr(wrong->output, line) : NULL;
    gsize blanks = 0;

    while (found && found - blanks > wrong->output && found[-1 - (gssize)blanks] == ' ')
        blanks++;
    bench_note(bench, BELIEF_SQL_ERROR_WIDTH,
               found &&
                   blanks + strspn(line, G_CSET_DIGITS) == belief_number(BELIEF_SQL_ERROR_WIDTH),
               wrong, "ttIsql with a statement of a table that is not there");
    for (guint i = 0; i < G_N_ELEMENTS(columns); i++) {
        g_autofree char *sql = g_strdup_printf("select count(*) from %s where %s is not null;",
                                               view, belief_word(columns[i]));
        g_autoptr(Answer) answer = ask_sql(bench, dsn, sql);

        bench_note(bench, columns[i], is_answered(answer), answer, sql);
    }
    whole = g_strdup_printf("select count(*) from %s;", view);
    all = ask_sql(bench, dsn, whole);
    bench_note(bench, BELIEF_TABLES_VIEW, is_answered(all), all, whole);
}

static void try_databases(Bench *bench)
{
    g_autoptr(Answer) answer = bench_ask(bench, UTILITY_STATUS, NULL);
    g_autoptr(TimesTenStatus) status = status_parse(answer->output, answer->status);

    for (guint i = 0; i < bench->facts->databases->len; i++) {
        const DatabaseFacts *database = bench->facts->databases->pdata[i];
        const StatusStore *store = status_find_store(status, database->data_store);

        if (!database->exists)
            continue;
        bench_try_query(bench, database->dsn);
        if (store && store->connections->len > 0)
            bench_try_sql(bench, database->dsn);
    }
}

/* --- all of them --------------------------------------------------------------------------------
 */

static void note_limits(Bench *bench)
{
    for (guint i = 0; i < N_BELIEFS; i++) {
        g_autofree char *time = NULL;

        if (bench->longest[i] == 0)
            continue;
        time = text_timespan(bench->longest[i]);
        set(bench, i, bench->longest[i] < belief_number(i) ? TRIAL_HELD : TRIAL_DIFFERS,
            "the longest of the calls of this probe", g_strdup_printf("%s at most", time));
    }
}

static gboolean check_scratch(const Bench *bench, GError **error)
{
    const DatabaseFacts *database = facts_find_database(bench->facts, bench->scratch);

    if (!database)
        return tu_error_set(error, TU_ERROR_INVALID_OPTION,
                            "%s has no DSN %s. Add one, with a DataStore= of its own, for a "
                            "database that may be made and destroyed",
                            bench->facts->odbc_path, bench->scratch);
    if (database->exists)
        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "There is a database %s at %s. Name a DSN whose database is not there",
                            bench->scratch, database->data_store);
    if (!bench->running)
        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "The main daemon of the instance in %s does not run. Start it first",
                            bench->facts->home);
    return TRUE;
}

static gboolean run_all(Bench *bench, GError **error)
{
    try_version(bench);
    try_programs(bench);
    try_migrate_options(bench);
    try_daemon(bench);
    if (bench->scratch && !check_scratch(bench, error))
        return FALSE;
    try_orders(bench);
    if (bench->running) {
        try_fatal(bench);
        try_databases(bench);
    }
    if (bench->scratch)
        bench_try_scratch(bench);
    note_limits(bench);
    return TRUE;
}

Trial *trials_run(const char *home, const char *release_override, const char *scratch,
                  GError **error)
{
    g_autoptr(InstanceFacts) facts = facts_probe(home, release_override, error);
    Bench bench = { .facts = facts, .scratch = scratch };
    gboolean good;

    if (!facts)
        return NULL;
    bench.trials = g_new0(Trial, N_BELIEFS);
    for (guint i = 0; i < N_BELIEFS; i++)
        set(&bench, i, TRIAL_UNTRIED,
            scratch ? "there was no occasion"
                    : "there was no occasion; more can be tried on a scratch database",
            NULL);
    bench.directory = g_dir_make_tmp("timesten-probe-XXXXXX", error);
    good = bench.directory && run_all(&bench, error);
    if (bench.directory)
        g_rmdir(bench.directory);
    g_free(bench.directory);
    if (!good)
        g_clear_pointer(&bench.trials, trials_free);
    return bench.trials;
}

void trials_free(Trial *trials)
{
    for (guint i = 0; trials && i < N_BELIEFS; i++) {
        g_free(trials[i].how);
        g_free(trials[i].seen);
    }
    g_free(trials);
}

GVariant *trials_variant(const Trial *trials)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE(TRIALS_TYPE));
    for (guint i = 0; i < N_BELIEFS; i++) {
        const char tag[] = { beliefs[i].tag, '\0' };

        g_variant_builder_add(&list, "(ssssss)", beliefs[i].name, tag,
                              trial_outcome_nicks[trials[i].outcome], belief_value(i),
                              trials[i].how, trials[i].seen ? trials[i].seen : "");
    }
    return g_variant_builder_end(&list);
}
