/* facts.d: what a good file changes, and what is said of a wrong one. */
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"
#include "timesten/belief.h"
#include "timesten/migrate.h"
#include "timesten/options.h"
#include "timesten/status.h"
#include "timesten/utility.h"

#include <string.h>
#include <sys/stat.h>
#include <glib/gstdio.h>

typedef struct {
    char *root, *directory;
} Site;

static void site_begin(Site *site, gconstpointer data)
{
    site->root = g_dir_make_tmp("facts-XXXXXX", NULL);
    path_set_root(site->root);
    site->directory = path_facts_directory();
    g_assert_cmpint(g_mkdir_with_parents(site->directory, 0755), ==, 0);
}

static void site_end(Site *site, gconstpointer data)
{
    char *words[] = { (char *)"rm", (char *)"-r", site->root, NULL };

    g_assert_true(
        g_spawn_sync(NULL, words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
    g_free(site->root);
    g_free(site->directory);
}

static void write_file(const Site *site, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(site->directory, name, NULL);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_cmpint(g_chmod(path, 0644), ==, 0);
}

static void must_load(void)
{
    g_auto(GStrv) problems = belief_load();

    g_assert_cmpstr(problems[0], ==, NULL);
}

static void each_row_is_whole_and_its_value_of_its_type(void)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < N_BELIEFS; i++) {
        const Belief *row = &beliefs[i];

        g_assert_nonnull(row->name);
        g_assert_true(g_hash_table_add(names, (gpointer)row->name));
        g_assert_nonnull(strchr("SRIG", row->tag));
        g_assert_cmpuint(strlen(row->meaning), >, 10);
        g_assert_cmpuint(strlen(row->source), >, 10);
        g_assert_cmpstr(belief_value(i), ==, row->value); /* dies where it is none of the type */
        g_assert_null(belief_override(i));
    }
}

static void a_file_is_told_by_place_and_forgotten_when_gone(Site *site, gconstpointer data)
{
    g_autofree char *path = g_build_filename(site->directory, "site.conf", NULL);
    g_autofree char *place = g_strconcat(path, ":3", NULL);

    write_file(site, "site.conf", "[Facts]\n# ours\nclient-sql-program = ttIsqlNet\n");
    write_file(site, "site.conf.dpkg-old", "[Facts]\ncolour=red\n");
    must_load();
    g_assert_cmpstr(belief_word(BELIEF_CLIENT_SQL_PROGRAM), ==, "ttIsqlNet");
    g_assert_cmpstr(belief_override(BELIEF_CLIENT_SQL_PROGRAM), ==, place);
    g_unlink(path);
    must_load();
    g_assert_cmpstr(belief_word(BELIEF_CLIENT_SQL_PROGRAM), ==, "ttIsqlCS");
    g_assert_null(belief_override(BELIEF_CLIENT_SQL_PROGRAM));
}

static Verdict judge(UtilityId id, int status, const char *output)
{
    Release release;
    g_autofree char *reason = NULL;

    g_assert_true(release_parse("22.1.1.18.0", &release, NULL));
    return utility_judge(id, &release, status, output, &reason);
}

static char *line_of(UtilityId id, const char *release_text)
{
    const UtilityArguments arguments = { .dsn = "a", .file = "/f", .sql = "x;", .port = 1 };
    Release release;
    g_auto(GStrv) words = NULL;

    g_assert_true(release_parse(release_text, &release, NULL));
    words = utility_argv(id, "/i", &release, &arguments, NULL);
    return words ? g_strjoinv(" ", words) : NULL;
}

/* One of each type, where it is used. */
static void what_a_file_says_is_what_is_done(Site *site, gconstpointer data)
{
    g_autoptr(TimesTenStatus) status = NULL;
    g_autoptr(OptionsFile) options = NULL;
    g_autoptr(GPtrArray) tables = NULL;
    g_autofree char *relaxed = NULL, *start = NULL, *stop = NULL, *text = NULL;

    g_assert_cmpint(judge(UTILITY_RAM_UNLOAD, 28, ""), ==, VERDICT_FAILED);
    g_assert_cmpint(judge(UTILITY_CLOSE, 1, "It is shut since yesterday"), ==, VERDICT_FAILED);
    write_file(site, "a.conf",
               "[Facts]\nadmin-unloaded=8 28\nsays-closed=already closed | \" shut since \"\n"
               "status-server=ttserver process\nmigrate-restoring=\"loading \"\n");
    write_file(site, "b.conf",
               "[Facts]\nmigrate-option-new=none\nstart-force-since=never\n"
               "server-stop-force-since=11.2.2\nlimit-look=2min\nsql-error-width=6\n"
               "compat-attribute=old_clients=1\nversion-banner-instance=no\n");
    must_load();
    g_assert_cmpint(judge(UTILITY_RAM_UNLOAD, 28, ""), ==, VERDICT_ALREADY);
    g_assert_cmpint(judge(UTILITY_RAM_UNLOAD, 8, ""), ==, VERDICT_ALREADY);
    g_assert_cmpint(judge(UTILITY_CLOSE, 1, "It is Shut Since yesterday"), ==, VERDICT_ALREADY);
    g_assert_cmpint(judge(UTILITY_CLOSE, 1, "shut"), ==, VERDICT_FAILED);
    status = status_parse("TTServer process pid 7 started on port 6625\n", 0);
    g_assert_cmpuint(status->server_port, ==, 6625);
    tables =
        migrate_parse("Loading table A.B\n  2/2 rows restored.\nTable successfully restored.\n");
    g_assert_cmpuint(tables->len, ==, 1);
    relaxed = line_of(UTILITY_IMPORT, "22.1");
    g_assert_cmpstr(relaxed, ==, "/i/bin/ttenv ttMigrate -r -connStr DSN=a;AutoCreate=1 /f");
    start = line_of(UTILITY_DAEMON_START, "7.0");
    g_assert_cmpstr(start, ==, "/i/bin/ttDaemonAdmin -start");
    stop = line_of(UTILITY_SERVER_STOP_FORCE, "11.2.2.8");
    g_assert_cmpstr(stop, ==, "/i/bin/ttDaemonAdmin -force -stopserver");
    g_assert_cmpuint(utility_limit_usec(UTILITY_STATUS), ==, 120 * USEC_PER_SEC);
    options = options_parse("server_port=1\n", ERA_ENVIRONMENT);
    g_assert_true(options_set_backwards_compat(options, TRUE, NULL));
    text = options_text(options);
    g_assert_cmpstr(text, ==, "server_port=1\nold_clients=1\n");
    g_assert_true(options_backwards_compat(options));
    g_assert_true(options_set_backwards_compat(options, FALSE, NULL));
    g_assert_false(options_backwards_compat(options));
}

static const struct {
    const char *text;
    const char *told; /* what the message must hold */
} wrongs[] = {
    { "[Facts]\nlimit-look=1min\ncolour=red\n", "site.conf:3: unknown key colour=" },
    { "[Fact]\n", "site.conf:1: unknown section [Fact]. Known: [Facts]" },
    { "[Facts]\nlimit-look=soon\n", "site.conf:2: limit-look=soon is no value" },
    { "[Facts]\nlimit-look=1min\nlimit-sql=soon\n", "site.conf:3: limit-sql=soon is no value" },
    { "[Facts]\n\nadmin-unloaded=8 256\n", "site.conf:3: admin-unloaded=8 256 is no value" },
    { "[Facts]\nstart-force-since=later\n", "or always, or never" },
    { "[Facts]\nversion-banner-instance=maybe\n", "yes or no" },
    { "[Facts]\nclient-sql-program=a b\n", "one word" },
    { "[Facts]\nclient-sql-program=\n", "client-sql-program= is no value" },
    { "[Facts]\ntables-view=none\n", "tables-view=none is no value" },
    { "[Facts]\nsql-error-width=none\n", "from 1 to 65535" },
    { "[Facts]\nsays-open=a | | b\n", "says-open=a | | b is no value" },
    { "[Facts]\nlimit-look=1min\nlimit-look=2min\n", "site.conf:3: limit-look= is set a second" },
};

static void a_wrong_file_is_told_by_line_and_counts_for_nothing(Site *site, gconstpointer data)
{
    for (guint i = 0; i < G_N_ELEMENTS(wrongs); i++) {
        g_auto(GStrv) problems = NULL;

        write_file(site, "site.conf", wrongs[i].text);
        write_file(site, "zz.conf", "[Facts]\nlimit-wait=9min\n");
        problems = belief_load();
        g_assert_cmpuint(g_strv_length(problems), ==, 1);
        g_assert_nonnull(strstr(problems[0], wrongs[i].told));
        g_assert_cmpuint(belief_number(BELIEF_LIMIT_LOOK), ==, 30 * USEC_PER_SEC);
        g_assert_cmpuint(belief_number(BELIEF_LIMIT_WAIT), ==, 540 * USEC_PER_SEC);
    }
}

static void two_files_that_set_one_fact_are_told(Site *site, gconstpointer data)
{
    g_auto(GStrv) problems = NULL;

    write_file(site, "a.conf", "[Facts]\nlimit-look=1min\n");
    write_file(site, "b.conf", "[Facts]\nlimit-wait=1min\nlimit-look=3min\n");
    problems = belief_load();
    g_assert_cmpuint(g_strv_length(problems), ==, 1);
    g_assert_nonnull(strstr(problems[0], "b.conf:3: limit-look= is set in "));
    g_assert_nonnull(strstr(problems[0], "a.conf:2 already"));
    g_assert_cmpuint(belief_number(BELIEF_LIMIT_LOOK), ==, 60 * USEC_PER_SEC);
    g_assert_cmpuint(belief_number(BELIEF_LIMIT_WAIT), ==, 120 * USEC_PER_SEC);
}

static void a_file_that_administrators_cannot_read_counts_for_nobody(Site *site, gconstpointer data)
{
    g_autofree char *path = g_build_filename(site->directory, "site.conf", NULL);
    g_auto(GStrv) problems = NULL;

    write_file(site, "site.conf", "[Facts]\nlimit-look=1min\n");
    g_assert_cmpint(g_chmod(path, 0600), ==, 0);
    problems = belief_load();
    g_assert_cmpuint(g_strv_length(problems), ==, 1);
    g_assert_nonnull(strstr(problems[0], "chmod o+r"));
    g_assert_cmpuint(belief_number(BELIEF_LIMIT_LOOK), ==, 30 * USEC_PER_SEC);
}

#define SITE_TEST(name, function) g_test_add(name, Site, NULL, site_begin, function, site_end)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/belief/each-row-is-whole-and-its-value-of-its-type",
                    each_row_is_whole_and_its_value_of_its_type);
    SITE_TEST("/belief/a-file-is-told-by-place-and-forgotten-when-gone",
              a_file_is_told_by_place_and_forgotten_when_gone);
    SITE_TEST("/belief/what-a-file-says-is-what-is-done", what_a_file_says_is_what_is_done);
    SITE_TEST("/belief/a-wrong-file-is-told-by-line-and-counts-for-nothing",
              a_wrong_file_is_told_by_line_and_counts_for_nothing);
    SITE_TEST("/belief/two-files-that-set-one-fact-are-told", two_files_that_set_one_fact_are_told);
    SITE_TEST("/belief/a-file-that-administrators-cannot-read-counts-for-nobody",
              a_file_that_administrators_cannot_read_counts_for_nobody);
    return g_test_run();
}
