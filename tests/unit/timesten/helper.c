/* The program instance-helper, run as others run it. HELPER is its path. */
#include "timesten/facts.h"
#include "install.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Runs it with the arguments (NULL ends them) and gives its exit status. */
static int helper(char **ret_output, char **ret_error, ...)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    const char *word;
    va_list words;
    int status;

    g_ptr_array_add(argv, HELPER);
    va_start(words, ret_error);
    while ((word = va_arg(words, const char *)))
        g_ptr_array_add(argv, (char *)word);
    va_end(words);
    g_ptr_array_add(argv, NULL);
    g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_DEFAULT, NULL, NULL, ret_output,
                 ret_error, &status, &error);
    g_assert_no_error(error);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static char *read_options(const char *home)
{
    g_autofree char *path = g_build_filename(home, "info/ttendaemon.options", NULL);
    char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

static void probe_prints_facts(void)
{
    g_autofree char *home = install_7_0(), *output = NULL, *complaint = NULL;
    g_autoptr(InstanceFacts) facts = NULL;

    g_assert_cmpint(helper(&output, &complaint, "probe", home, NULL), ==, 0);
    g_assert_cmpstr(complaint, ==, "");
    facts = facts_parse(output, NULL);
    g_assert_nonnull(facts);
    g_assert_cmpuint(facts->server_port, ==, 17002);
    uninstall(home);
}

/* What was created or removed since a probe is found without another one. */
static void databases_are_looked_at_alone(void)
{
    g_autofree char *home = install_7_0(), *output = NULL, *more = NULL, *complaint = NULL;
    g_autofree char *info = g_build_filename(home, "info", NULL);
    g_autofree char *odbc = g_build_filename(info, "sys.odbc.ini", NULL);
    g_autofree char *option = g_strconcat("--odbc=", odbc, NULL), *dsn = NULL;
    g_autofree char *checkpoint = g_build_filename(info, "new.ds0", NULL);
    g_autofree char *version = g_build_filename(home, "bin/ttVersion", NULL);
    g_autoptr(InstanceFacts) before = facts_probe(home, NULL, NULL), after = NULL, wrong = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_nonnull(before);
    g_assert_null(facts_find_database(before, "new"));
    dsn = g_strdup_printf("[new]\nDriver=x\nDataStore=%s/new\n", info);
    g_assert_true(g_file_set_contents(odbc, dsn, -1, NULL));
    g_assert_true(g_file_set_contents(checkpoint, "x", 1, NULL));
    g_assert_cmpint(g_unlink(version), ==, 0); /* nobody asks it */
    g_assert_cmpint(helper(&output, &complaint, "databases", home, option, NULL), ==, 0);
    after = facts_with_databases(before, output, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(after->daemon_home, ==, before->daemon_home);
    g_assert_cmpuint(after->databases->len, ==, 1);
    g_assert_true(facts_find_database(after, "new")->exists);
    /* Nothing but databases is taken from it. */
    more = g_strconcat("Admin=root\n", output, NULL);
    wrong = facts_with_databases(before, more, &error);
    g_assert_null(wrong);
    g_assert_nonnull(error);
    uninstall(home);
}

static void set_changes_its_lines_and_says_so(void)
{
    g_autofree char *home = install_7_0(), *before = read_options(home);
    g_autofree char *path = g_build_filename(home, "info/ttendaemon.options", NULL);
    g_autofree char *said = NULL, *again = NULL, *gone = NULL, *complaint = NULL;
    g_autofree char *after = NULL, *end = NULL;
    g_auto(GStrv) pieces = g_strsplit(before, "-server 17002\n", 2);
    g_autofree char *expected = g_strjoin("-server 27002\n", pieces[0], pieces[1], NULL);
    g_autofree char *with_compat = g_strconcat(expected, "-insecure-backwards-compat\n", NULL);
    g_autofree char *without =
        g_strconcat(pieces[0], pieces[1], "-insecure-backwards-compat\n", NULL);
    struct stat status;

    g_assert_cmpint(
        helper(&said, NULL, "set", home, "--server-port=27002", "--backwards-compat=yes", NULL), ==,
        0);
    g_assert_cmpstr(said, ==, "server-port 17002 -> 27002\nbackwards-compat no -> yes\n");
    after = read_options(home);
    g_assert_cmpstr(after, ==, with_compat);
    g_assert_cmpint(stat(path, &status), ==, 0);
    g_assert_cmpint(status.st_mode & 07777, ==, 0640);

    /* The same again has nothing to do, and is as good. */
    g_assert_cmpint(
        helper(&again, NULL, "set", home, "--server-port=27002", "--backwards-compat=yes", NULL),
        ==, 0);
    g_assert_cmpstr(again, ==, "");

    g_assert_cmpint(helper(&gone, &complaint, "set", "--server-port=0", home, NULL), ==, 0);
    g_assert_cmpstr(gone, ==, "server-port 27002 -> none\n");
    end = read_options(home);
    g_assert_cmpstr(end, ==, without);
    uninstall(home);
}

static void port_is_changed_only_from_a_listed_one(void)
{
    static const struct {
        const char *list;
        const char *said;
    } rows[] = {
        { "--if-port=16002,17003", "" },
        { "--if-port=0", "" },
        { "--if-port=16002,17002", "server-port 17002 -> none\n" },
        { "--if-port=16002,17002", "" }, /* none is configured now, and none is not listed */
    };
    g_autofree char *home = install_7_0(), *back = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *said = NULL;

        g_assert_cmpint(helper(&said, NULL, "set", home, "--server-port=0", rows[i].list, NULL), ==,
                        0);
        g_assert_cmpstr(said, ==, rows[i].said);
    }
    g_assert_cmpint(helper(&back, NULL, "set", home, "--server-port=5", "--if-port=1,0", NULL), ==,
                    0);
    g_assert_cmpstr(back, ==, "server-port none -> 5\n");
    uninstall(home);
}

static void link_stays_a_link(void)
{
    g_autofree char *home = install_7_0(), *text = read_options(home), *output = NULL, *now = NULL;
    g_autofree char *path = g_build_filename(home, "info/ttendaemon.options", NULL);
    g_autofree char *real = g_build_filename(home, "etc/options", NULL);

    install_file(home, "etc/options", text, 0600);
    g_unlink(path);
    g_assert_cmpint(symlink("../etc/options", path), ==, 0);
    g_assert_cmpint(helper(&output, NULL, "set", home, "--server-port=9", NULL), ==, 0);
    g_assert_true(g_file_test(path, G_FILE_TEST_IS_SYMLINK));
    g_assert_true(g_file_get_contents(real, &now, NULL, NULL));
    g_assert_nonnull(strstr(now, "-server 9\n"));
    uninstall(home);
}

/* Nothing but the edited file is left behind in the daemon's directory. */
static void no_temporary_file_is_left(void)
{
    g_autofree char *home = install_7_0(), *info = g_build_filename(home, "info", NULL);
    g_autofree char *output = NULL;
    g_autoptr(GDir) directory = NULL;
    guint names = 0;

    g_assert_cmpint(helper(&output, NULL, "set", home, "--server-port=9", NULL), ==, 0);
    directory = g_dir_open(info, 0, NULL);
    while (g_dir_read_name(directory))
        names++;
    g_assert_cmpuint(names, ==, 2);
    uninstall(home);
}

static char *read_odbc(const char *home)
{
    g_autofree char *path = g_build_filename(home, "info/sys.odbc.ini", NULL);
    char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

/* The copy's DSN and its directory come and go; the rest of the file stays as it was. */
static void dsn_of_a_copy_comes_and_goes(void)
{
    g_autofree char *home = install_7_0(),
                    *path = g_build_filename(home, "info/sys.odbc.ini", NULL);
    g_autofree char *store = g_build_filename(home, "ttupgrade-1/new", NULL);
    g_autofree char *directory = g_path_get_dirname(store);
    g_autofree char *place = g_strconcat("--data-store=", store, NULL);
    g_autofree char *before = NULL, *between = NULL, *after = NULL, *said = NULL, *none = NULL;

    g_assert_true(g_file_set_contents(path, "[orders]\nDataStore=/d/orders\n", -1, NULL));
    before = read_odbc(home);
    g_assert_cmpint(
        helper(&said, NULL, "add-dsn", home, "--dsn=copy", "--like=orders", place, NULL), ==, 0);
    g_assert_true(g_str_has_prefix(said, "dsn copy added"));
    between = read_odbc(home);
    g_assert_nonnull(strstr(between, store));
    g_assert_true(g_file_test(directory, G_FILE_TEST_IS_DIR));
    g_clear_pointer(&said, g_free);
    g_assert_cmpint(
        helper(&said, NULL, "add-dsn", home, "--dsn=copy", "--like=orders", place, NULL), ==, 0);
    g_assert_cmpstr(said, ==, "");
    for (guint i = 0; i < 2; i++) {
        g_clear_pointer(&none, g_free);
        g_assert_cmpint(helper(&none, NULL, "remove-dsn", home, "--dsn=copy", NULL), ==, 0);
    }
    g_assert_cmpstr(none, ==, "");
    after = read_odbc(home);
    g_assert_cmpstr(after, ==, before);
    g_assert_false(g_file_test(directory, G_FILE_TEST_EXISTS));
    uninstall(home);
}

static void mistakes_are_told_by_status_and_line(void)
{
    g_autofree char *home = install_7_0();
    const char *const rows[][4] = {
        { "2" },
        { "2", "probe" },
        { "2", "prove", home },
        { "2", "set", home, "--server-port=x" },
        { "2", "set", home, "--server-port=70000" },
        { "2", "set", home, "--backwards-compat=1" },
        { "2", "set", home, "--if-port=1,,2" },
        { "2", "set", home, "--no-such-thing" },
        { "2", "probe", home, "--server-port=1" },
        { "2", "probe", home, "--dsn=a" },
        { "2", "add-dsn", home, "--dsn=a" },
        { "2", "remove-dsn", home },
        { "2", "remove-dsn", home, "--dsn=a]" },
        { "1", "probe", "/nowhere" },
        { "1", "set", "/nowhere", "--server-port=1" },
        { "1", "probe", home, "--release=seven" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *output = NULL, *complaint = NULL, *status = NULL;

        status = g_strdup_printf(
            "%d", helper(&output, &complaint, rows[i][1], rows[i][2], rows[i][3], NULL));
        g_assert_cmpstr(status, ==, rows[i][0]);
        g_assert_cmpstr(output, ==, "");
        g_assert_true(g_str_has_prefix(complaint, "error: "));
        g_assert_true(strchr(complaint, '\n') == complaint + strlen(complaint) - 1);
    }
    uninstall(home);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/helper/probe-prints-facts", probe_prints_facts);
    g_test_add_func("/helper/databases-are-looked-at-alone", databases_are_looked_at_alone);
    g_test_add_func("/helper/set-changes-its-lines-and-says-so", set_changes_its_lines_and_says_so);
    g_test_add_func("/helper/port-is-changed-only-from-a-listed-one",
                    port_is_changed_only_from_a_listed_one);
    g_test_add_func("/helper/link-stays-a-link", link_stays_a_link);
    g_test_add_func("/helper/no-temporary-file-is-left", no_temporary_file_is_left);
    g_test_add_func("/helper/dsn-of-a-copy-comes-and-goes", dsn_of_a_copy_comes_and_goes);
    g_test_add_func("/helper/mistakes-are-told-by-status-and-line",
                    mistakes_are_told_by_status_and_line);
    return g_test_run();
}
