#include "common/error.h"
#include "common/text.h"
#include "timesten/belief.h"
#include "timesten/utility.h"
#include "sample.h"

static const char *const eras[] = { "5.1.26",      "6.0.8",  "7.0.6.0.0",   "11.2.1.9.0",
                                    "11.2.2.8.27", "18.1.4", "22.1.1.18.0", "26.1.1.1" };

static Release of(const char *text)
{
    Release release;

    g_assert_true(release_parse(text, &release, NULL));
    return release;
}

static const UtilityArguments plain = { "orders", "/w/orders.ttm", "select 1 from t;", FALSE,
                                        26002,    "OLD",           "pause",            30 };
static const UtilityArguments replicated = { "orders", "/w/orders.ttm", "select 1 from t;", TRUE,
                                             26002,    "OLD",           "pause",            30 };

static const struct {
    UtilityId id;
    const char *release;
    const UtilityArguments *arguments;
    const char *line; /* words with '|' between; NULL: there is none */
} lines[] = {
    { UTILITY_DAEMON_START, "6.0.8", NULL, "/i/bin/ttDaemonAdmin|-force|-start" },
    { UTILITY_DAEMON_STOP, "22.1", NULL, "/i/bin/ttenv|ttDaemonAdmin|-stop" },
    { UTILITY_SERVER_START, "7.0.6", NULL, "/i/bin/ttDaemonAdmin|-startserver" },
    { UTILITY_SERVER_STOP, "6.0.8", NULL, "/i/bin/ttDaemonAdmin|-stopserver" },
    { UTILITY_SERVER_STOP_FORCE, "6.0.8", NULL, "/i/bin/ttDaemonAdmin|-stopserver" },
    { UTILITY_SERVER_STOP_FORCE, "22.1", NULL, "/i/bin/ttenv|ttDaemonAdmin|-force|-stopserver" },
    { UTILITY_STATUS, "18.1", NULL, "/i/bin/ttenv|ttStatus" },
    { UTILITY_VERSION, "6.0.8", NULL, "/i/bin/ttVersion" },
    { UTILITY_VERSION, "7.0.6", NULL, "/i/bin/ttVersion|-m" },
    { UTILITY_EXPORT, "6.0.8", &plain,
      "/i/bin/ttMigrate|-c|-connStr|DSN=orders;AutoCreate=0|/w/orders.ttm" },
    { UTILITY_EXPORT, "7.0.6", &plain,
      "/i/bin/ttMigrate|-c|-noRepUpgrade|-connStr|DSN=orders;AutoCreate=0|/w/orders.ttm" },
    { UTILITY_EXPORT, "7.0.6", &replicated,
      "/i/bin/ttMigrate|-c|-connStr|DSN=orders;AutoCreate=0|/w/orders.ttm" },
    { UTILITY_IMPORT, "6.0.8", &plain,
      "/i/bin/ttMigrate|-r|-noRepUpgrade|-connStr|DSN=orders;AutoCreate=1|/w/orders.ttm" },
    { UTILITY_IMPORT, "11.2.1", &plain,
      "/i/bin/ttMigrate|-r|-noRepUpgrade|-connStr|DSN=orders;AutoCreate=1|/w/orders.ttm" },
    { UTILITY_IMPORT, "11.2.2", &plain,
      "/i/bin/ttMigrate|-r|-relaxedUpgrade|-connStr|DSN=orders;AutoCreate=1|/w/orders.ttm" },
    { UTILITY_IMPORT, "22.1", &replicated,
      "/i/bin/ttenv|ttMigrate|-r|-connStr|DSN=orders;AutoCreate=1|/w/orders.ttm" },
    { UTILITY_DESTROY, "7.0.6", &plain, "/i/bin/ttDestroy|orders" },
    { UTILITY_DESTROY_FORCE, "7.0.6", &plain, "/i/bin/ttDestroy|-force|orders" },
    { UTILITY_QUERY, "7.0.6", &plain, "/i/bin/ttAdmin|-query|orders" },
    { UTILITY_RAM_POLICY, "7.0.6", &plain, "/i/bin/ttAdmin|-ramPolicy|pause|orders" },
    { UTILITY_RAM_GRACE, "6.0.8", &plain, "/i/bin/ttAdmin|-ramPolicy|inUse|-ramGrace|30|orders" },
    { UTILITY_MODIFY, "22.1", &plain, "/i/bin/ttenv|ttInstanceModify|-install|/w/orders.ttm" },
    { UTILITY_SHM_DETACH, "22.1", &plain, "/i/bin/ttenv|ttAdmin|-shmDetach|-ckpt|orders" },
    { UTILITY_SHM_ATTACH, "11.2.2", &plain, NULL },
    { UTILITY_CLOSE, "7.0.6", &plain, NULL },
    { UTILITY_CLOSE, "18.1", &plain, "/i/bin/ttenv|ttAdmin|-close|orders" },
    { UTILITY_OPEN, "11.2.2", &plain, NULL },
    { UTILITY_REPLICATION_LIST, "7.0.6", &plain, "/i/bin/ttRepAdmin|-receiver|-list|orders" },
    { UTILITY_REPLICATION_START, "6.0.8", &plain, "/i/bin/ttAdmin|-repStart|orders" },
    { UTILITY_REPLICATION_STOP, "22.1", &plain, "/i/bin/ttenv|ttAdmin|-repStop|orders" },
    { UTILITY_REPLICATION_POLICY, "7.0.6", &plain, "/i/bin/ttAdmin|-repPolicy|pause|orders" },
    { UTILITY_REPLICATION_STATE, "6.0.8", &plain,
      "/i/bin/ttRepAdmin|-connStr|DSN=orders;AutoCreate=0|-receiver|-name|OLD|-state|pause" },
    { UTILITY_REPLICATION_RESET, "7.0.6", &plain,
      "/i/bin/ttRepAdmin|-connStr|DSN=orders;AutoCreate=0|-receiver|-name|OLD|-reset" },
    { UTILITY_REPLICATION_WAIT, "7.0.6", &plain,
      "/i/bin/ttRepAdmin|-connStr|DSN=orders;AutoCreate=0|-wait|-name|OLD|-timeout|30" },
    { UTILITY_DUPLICATE, "6.0.8", &plain,
      "/i/bin/ttRepAdmin|-duplicate|-from|OLD|-host|localhost|-localhost|localhost|"
      "-setMasterRepStart|orders" },
    { UTILITY_SQL, "7.0.6", &plain,
      "/i/bin/ttIsql|-v|1|-e|select 1 from t; exit;|-connStr|DSN=orders;AutoCreate=0" },
    { UTILITY_CLIENT_SQL, "6.0.8", &plain,
      "/i/bin/ttIsqlCS|-v|1|-e|select 1 from t; exit;|-connStr|"
      "TTC_Server=127.0.0.1;TTC_Server_DSN=orders;TCP_Port=26002" },
    { UTILITY_CLIENT_SQL, "22.1", &plain,
      "/i/bin/ttenv|ttIsqlCS|-v|1|-e|select 1 from t; exit;|-connStr|"
      "TTC_Server=127.0.0.1;TTC_Server_DSN=orders;TCP_Port=26002" },
};

static void command_line_is_that_of_the_era(gconstpointer data)
{
    guint i = GPOINTER_TO_UINT(data);
    Release release = of(lines[i].release);
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) words = utility_argv(lines[i].id, "/i", &release, lines[i].arguments, &error);
    g_autofree char *line = words ? g_strjoinv("|", words) : NULL;

    g_assert_cmpstr(line, ==, lines[i].line);
    if (!line)
        g_assert_error(error, TU_ERROR, TU_ERROR_NOT_POSSIBLE);
}

/* Each utility of each era either has a command line or is told to have none, as the era's row
 * says. */
static void tables_agree_with_each_other(void)
{
    for (guint e = 0; e < G_N_ELEMENTS(eras); e++)
        for (UtilityId id = 0; id < N_UTILITIES; id++) {
            Release release = of(eras[e]);
            const Era *era = release_era(&release);
            g_autoptr(GError) error = NULL;
            g_auto(GStrv) words = utility_argv(id, "/i", &release, &plain, &error);
            g_autofree char *line = words ? g_strjoinv(" ", words) : NULL;
            gboolean has = (era->can_close || (id != UTILITY_CLOSE && id != UTILITY_OPEN)) &&
                           (era->can_modify || id < UTILITY_SHM_DETACH || id > UTILITY_MODIFY);
            const char *program = era->kind == ERA_PATH ? "/i/bin/tt" : "/i/bin/ttenv";
            g_autofree char *first = g_strndup(utility_name(id), strcspn(utility_name(id), " "));

            g_assert_cmpint(words != NULL, ==, has);
            g_assert_cmpuint(utility_limit_usec(id), >, 0);
            if (!words)
                continue;
            g_assert_true(g_str_has_prefix(words[0], program));
            g_assert_nonnull(strstr(line, first));
            if (id == UTILITY_SERVER_STOP_FORCE)
                g_assert_cmpint(strstr(line, "-force") != NULL, ==, era->can_close);
            if (id == UTILITY_IMPORT)
                g_assert_nonnull(strstr(line, belief_word(era->unreplicated)));
        }
    g_assert_cmpuint(utility_limit_usec(UTILITY_EXPORT), ==, USEC_NEVER);
    g_assert_cmpuint(utility_limit_usec(UTILITY_IMPORT), ==, USEC_NEVER);
}

/* Facts 2.5: the words are not known, systemctl is named. */
static void a_refusal_for_the_vendors_unit_is_recognised(void)
{
    static const char refusal[] = "ttDaemonAdmin: managed by systemd. Use Systemctl stop tt_tt221";

    g_assert_true(utility_left_to_systemd(UTILITY_SERVER_STOP, refusal));
    g_assert_true(utility_left_to_systemd(UTILITY_DAEMON_START, refusal));
    g_assert_false(utility_left_to_systemd(UTILITY_SERVER_STOP, "TimesTen Server stopped."));
    g_assert_false(utility_left_to_systemd(UTILITY_SQL, refusal));
}

static void names_cannot_bend_a_connection_string(void)
{
    static const char *const bad[] = { NULL,    "",     "-x",  "a;PWD=b", "a=b",
                                       "a b\n", "\xff", "{a}", "a/b" };
    Release release = of("7.0.6");

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        UtilityArguments arguments = { .dsn = bad[i], .file = "/f", .sql = "x;", .port = 26002 };
        g_autoptr(GError) error = NULL;

        g_assert_null(utility_argv(UTILITY_DESTROY, "/i", &release, &arguments, &error));
        g_assert_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION);
        g_assert_null(utility_argv(UTILITY_CLIENT_SQL, "/i", &release, &arguments, NULL));
    }
}

/* The client's default port would be that of some other server. */
static void client_needs_a_port(void)
{
    Release release = of("7.0.6");
    UtilityArguments arguments = { .dsn = "orders", .sql = "x;" };
    g_autoptr(GError) error = NULL;

    g_assert_null(utility_argv(UTILITY_CLIENT_SQL, "/i", &release, &arguments, &error));
    g_assert_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION);
    g_assert_nonnull(strstr(error->message, "PrivatePort="));
}

static void paths_must_be_absolute(void)
{
    Release release = of("7.0.6");
    UtilityArguments arguments = { "orders", "-r", NULL, FALSE, 0 };

    g_assert_null(utility_argv(UTILITY_STATUS, "i", &release, NULL, NULL));
    g_assert_null(utility_argv(UTILITY_EXPORT, "/i", &release, &arguments, NULL));
}

static void environment_selects_the_instance(void)
{
    Release old = of("7.0.6"), new = of("22.1");
    g_auto(GStrv) old_words = utility_environment(UTILITY_SQL, "/i", &old);
    g_auto(GStrv) new_words = utility_environment(UTILITY_STATUS, "/i", &new);
    g_auto(GStrv) client_words = utility_environment(UTILITY_CLIENT_SQL, "/i", &old);

    g_assert_true(g_strv_contains((const char *const *)old_words, "TTISQL="));
    g_assert_true(g_strv_contains((const char *const *)client_words, "TTISQL="));
    g_assert_true(g_strv_contains((const char *const *)new_words, "TIMESTEN_HOME=/i"));
    g_assert_false(g_strv_contains((const char *const *)old_words, "TIMESTEN_HOME=/i"));
}

static const struct {
    const char *name;
    UtilityId id;
    int status;
    const char *output; /* "@NAME": a sample */
    Verdict verdict;
    const char *reason; /* NULL: none */
} verdicts[] = {
    { "export", UTILITY_EXPORT, 0, "@migrate-saved-7.0", VERDICT_DONE, NULL },
    { "import-1", UTILITY_IMPORT, 1, "@migrate-partial-7.0", VERDICT_PARTIAL,
      "ttMigrate -r of release 7.0.6 ended with exit status 1 (some objects could not be "
      "restored): 802: "
      "Data store space exhausted" },
    { "import-0-but-rows-missing", UTILITY_IMPORT, 0, "Restoring table A.B\n1/2 rows restored.\n",
      VERDICT_PARTIAL,
      "ttMigrate -r of release 7.0.6 ended with exit status 0 (fewer rows than the table has): 1/2 "
      "rows restored." },
    { "import-1-driver-error", UTILITY_IMPORT, 1,
      "Restoring table A.B\n*** [TimesTen]TT2207: Table A.B already exists\nTable not restored.\n",
      VERDICT_PARTIAL,
      "ttMigrate -r of release 7.0.6 ended with exit status 1 (some objects could not be "
      "restored): *** [TimesTen]TT2207: Table A.B already exists" },
    { "import-2", UTILITY_IMPORT, 2, "ttMigrate: could not open /w/f: No such file or directory\n",
      VERDICT_FAILED,
      "ttMigrate -r of release 7.0.6 ended with exit status 2 (fatal error): ttMigrate: could not "
      "open "
      "/w/f: No such file or directory" },
    { "import-3", UTILITY_IMPORT, 3, "", VERDICT_FAILED,
      "ttMigrate -r of release 7.0.6 ended with exit status 3 (interrupted by a signal): it "
      "printed "
      "nothing" },
    { "export-killed", UTILITY_EXPORT, 137, "Saving table A.B\n", VERDICT_FAILED,
      "ttMigrate -c of release 7.0.6 was killed by signal 9: Saving table A.B" },
    { "unload", UTILITY_RAM_UNLOAD, 0, "@admin-7.0", VERDICT_DONE, NULL },
    { "unload-8", UTILITY_RAM_UNLOAD, 8, "", VERDICT_ALREADY, NULL },
    { "unload-9", UTILITY_RAM_UNLOAD, 9, "", VERDICT_FAILED,
      "ttAdmin -ramUnload of release 7.0.6 ended with exit status 9 (the database is in use): it "
      "printed nothing" },
    { "unload-6", UTILITY_RAM_UNLOAD, 6, NULL, VERDICT_FAILED,
      "ttAdmin -ramUnload of release 7.0.6 ended with exit status 6: it printed nothing" },
    { "load-7", UTILITY_RAM_LOAD, 7, "", VERDICT_ALREADY, NULL },
    { "cache-stop-6", UTILITY_CACHE_STOP, 6, "", VERDICT_ALREADY, NULL },
    { "cache-start-5", UTILITY_CACHE_START, 5, "", VERDICT_ALREADY, NULL },
    { "sql", UTILITY_SQL, 0, "@isql-rows", VERDICT_DONE, NULL },
    { "sql-0-but-error", UTILITY_SQL, 0, "@isql-707", VERDICT_FAILED,
      "ttIsql of release 7.0.6 ended with exit status 0: 707: Attempt to connect to a data store "
      "that "
      "has been manually unloaded from RAM" },
    { "client-sql", UTILITY_CLIENT_SQL, 0, "< 31 >\n", VERDICT_DONE, NULL },
    { "client-sql-0-but-error", UTILITY_CLIENT_SQL, 0,
      "  994: Connection lost\nThe command failed.\n", VERDICT_FAILED,
      "ttIsqlCS of release 7.0.6 ended with exit status 0: 994: Connection lost" },
    { "client-sql-0-but-nothing", UTILITY_CLIENT_SQL, 0, "", VERDICT_FAILED,
      "ttIsqlCS of release 7.0.6 ended with exit status 0 (no row came back): it printed nothing" },
    { "client-sql-0-but-long-number", UTILITY_CLIENT_SQL, 0,
      "47001: The server answered with nonsense\nThe command failed.\n", VERDICT_FAILED,
      "ttIsqlCS of release 7.0.6 ended with exit status 0: 47001: The server answered with "
      "nonsense" },
    { "client-sql-0-but-only-failed", UTILITY_CLIENT_SQL, 0, "Strange.\nThe command failed.\n",
      VERDICT_FAILED,
      "ttIsqlCS of release 7.0.6 ended with exit status 0 (no row came back): Strange." },
    { "client-sql-0-but-7001-in-a-command", UTILITY_CLIENT_SQL, 0, " 7001: x\n", VERDICT_FAILED,
      "ttIsqlCS of release 7.0.6 ended with exit status 0: 7001: x" },
    { "client-sql-7001", UTILITY_CLIENT_SQL, 1,
      "Enter password for 'ttadmin': \n 7001: User authentication failed\nThe command failed.\n",
      VERDICT_DONE, NULL },
    { "client-sql-no-right-to-connect", UTILITY_CLIENT_SQL, 1,
      "15100: User TTADMIN lacks privilege CREATE SESSION; logon denied\n", VERDICT_DONE, NULL },
    { "client-sql-17001", UTILITY_CLIENT_SQL, 1, "17001: no\n", VERDICT_FAILED,
      "ttIsqlCS of release 7.0.6 ended with exit status 1: 17001: no" },
    { "client-sql-refused", UTILITY_CLIENT_SQL, 1,
      "S1000: [TimesTen 7.0 CLIENT]Cannot connect: Connection refused\n", VERDICT_FAILED,
      "ttIsqlCS of release 7.0.6 ended with exit status 1: S1000: [TimesTen 7.0 CLIENT]Cannot "
      "connect: Connection refused" },
    { "client-sql-killed-in-7001", UTILITY_CLIENT_SQL, 137, " 7001: x\n", VERDICT_FAILED,
      "ttIsqlCS of release 7.0.6 was killed by signal 9: 7001: x" },
    { "status", UTILITY_STATUS, 0, "@status-7.0", VERDICT_DONE, NULL },
    { "status-down", UTILITY_STATUS, 1, "@status-7.0-down", VERDICT_FAILED,
      "ttStatus of release 7.0.6 ended with exit status 1: ttStatus: Could not connect to the "
      "TimesTen "
      "daemon." },
    { "daemon-start", UTILITY_DAEMON_START, 0, "TimesTen Daemon startup OK.\n", VERDICT_DONE,
      NULL },
    { "daemon-start-again", UTILITY_DAEMON_START, 1, "TimesTen Daemon is already running.\n",
      VERDICT_ALREADY, NULL },
    { "daemon-start-refused", UTILITY_DAEMON_START, 0, "Use systemctl to start this instance.\n",
      VERDICT_FAILED,
      "ttDaemonAdmin -start of release 7.0.6 ended with exit status 0: Use systemctl to start this "
      "instance." },
    { "server-stop-down", UTILITY_SERVER_STOP, 1, "@status-6.0-down", VERDICT_ALREADY, NULL },
    { "server-stop-daemon-down", UTILITY_SERVER_STOP, 1,
      "ttDaemonAdmin: Unable to connect to daemon; check daemon status\n", VERDICT_ALREADY, NULL },
    { "server-start-daemon-down", UTILITY_SERVER_START, 1, "@status-7.0-down", VERDICT_FAILED,
      "ttDaemonAdmin -startserver of release 7.0.6 ended with exit status 1: ttStatus: Could not "
      "connect "
      "to the TimesTen daemon." },
    { "destroy", UTILITY_DESTROY, 0, "", VERDICT_DONE, NULL },
    { "destroy-gone", UTILITY_DESTROY, 1, "  833: No such data store\n", VERDICT_ALREADY, NULL },
    { "destroy-force-gone", UTILITY_DESTROY_FORCE, 1, "  833: No such data store\n",
      VERDICT_ALREADY, NULL },
    { "destroy-in-use", UTILITY_DESTROY, 1, "Data store is in use\n", VERDICT_FAILED,
      "ttDestroy of release 7.0.6 ended with exit status 1: Data store is in use" },
    { "version", UTILITY_VERSION, 0, "@version-7.0-m", VERDICT_DONE, NULL },
    { "version-silent", UTILITY_VERSION, 0, "\n", VERDICT_FAILED,
      "ttVersion of release 7.0.6 ended with exit status 0: it printed nothing" },
};

static void end_is_judged_by_status_and_output(gconstpointer data)
{
    guint i = GPOINTER_TO_UINT(data);
    const char *output = verdicts[i].output;
    g_autofree char *text = output && output[0] == '@' ? sample(output + 1) : g_strdup(output),
                    *reason = NULL;
    Release release = of("7.0.6");
    Verdict verdict = utility_judge(verdicts[i].id, &release, verdicts[i].status, text, &reason);

    g_assert_cmpint(verdict, ==, verdicts[i].verdict);
    g_assert_cmpstr(reason, ==, verdicts[i].reason);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *name =
            g_strdup_printf("/utility/command-line-is-that-of-the-era/%u-%s", i, lines[i].release);

        g_test_add_data_func(name, GUINT_TO_POINTER(i), command_line_is_that_of_the_era);
    }
    g_test_add_func("/utility/tables-agree-with-each-other", tables_agree_with_each_other);
    g_test_add_func("/utility/a-refusal-for-the-vendors-unit-is-recognised",
                    a_refusal_for_the_vendors_unit_is_recognised);
    g_test_add_func("/utility/names-cannot-bend-a-connection-string",
                    names_cannot_bend_a_connection_string);
    g_test_add_func("/utility/client-needs-a-port", client_needs_a_port);
    g_test_add_func("/utility/paths-must-be-absolute", paths_must_be_absolute);
    g_test_add_func("/utility/environment-selects-the-instance", environment_selects_the_instance);
    for (guint i = 0; i < G_N_ELEMENTS(verdicts); i++) {
        g_autofree char *name =
            g_strconcat("/utility/end-is-judged-by-status-and-output/", verdicts[i].name, NULL);

        g_test_add_data_func(name, GUINT_TO_POINTER(i), end_is_judged_by_status_and_output);
    }
    return g_test_run();
}
