#include "common/error.h"
#include "timesten/facts.h"

#include <glib/gstdio.h>
#include <unistd.h>

/* Every byte that a path can have, and some that would break a careless format. */
#define NASTY "/a b=c\n[Database]\nDsn=x\t%41 \\ \x01\xff\xc3\xa4 "

static InstanceFacts *nasty_facts(void)
{
    InstanceFacts *facts = facts_new();
    DatabaseFacts *full = g_new0(DatabaseFacts, 1), *bare = g_new0(DatabaseFacts, 1);

    facts->home = g_strdup(NASTY);
    facts->release = (Release){ { 7, 0, 6 }, 3 };
    facts->release_source = g_strdup("ttVersion -m");
    facts->daemon_home = g_strdup("");
    facts->admin = g_strdup("tt\r");
    facts->options_path = g_strdup("/o");
    facts->odbc_path = g_strdup("/i");
    facts->pid_file = g_strdup("/p");
    facts->daemon_port = 65535;
    facts->server_port = 1;
    facts->backwards_compat = TRUE;
    facts->client_sql = TRUE;
    facts->bits = 64;
    *full = (DatabaseFacts){ g_strdup("Orders"),
                             g_strdup(NASTY),
                             g_strdup("/l"),
                             TRUE,
                             G_MAXUINT64,
                             G_MAXUINT64 - 1,
                             3,
                             TRUE,
                             TRUE,
                             g_strdup("TIMESTEN8") };
    *bare = (DatabaseFacts){ g_strdup("b"), g_strdup("/b"), g_strdup("/") };
    g_ptr_array_add(facts->databases, full);
    g_ptr_array_add(facts->databases, bare);
    return facts;
}

static void round_trip_is_exact(void)
{
    g_autoptr(InstanceFacts) before = nasty_facts();
    g_autofree char *text = facts_format(before), *again = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(InstanceFacts) after = facts_parse(text, &error);
    const DatabaseFacts *full;

    g_assert_no_error(error);
    again = facts_format(after);
    g_assert_cmpstr(again, ==, text);
    g_assert_cmpstr(after->home, ==, NASTY);
    g_assert_cmpstr(after->admin, ==, "tt\r");
    g_assert_cmpstr(after->daemon_home, ==, "");
    g_assert_null(after->instance_name);
    g_assert_cmpint(release_compare(&after->release, &before->release), ==, 0);
    g_assert_cmpuint(after->daemon_port, ==, 65535);
    g_assert_cmpuint(after->server_port, ==, 1);
    g_assert_true(after->backwards_compat);
    g_assert_false(after->options_writable);
    g_assert_true(after->client_sql);
    g_assert_cmpuint(after->bits, ==, 64);
    g_assert_cmpuint(after->databases->len, ==, 2);
    full = facts_find_database(after, "oRDERS");
    g_assert_cmpstr(full->data_store, ==, NASTY);
    g_assert_cmpuint(full->size, ==, G_MAXUINT64);
    g_assert_cmpuint(full->free_bytes, ==, G_MAXUINT64 - 1);
    g_assert_cmpuint(full->free_inodes, ==, 3);
    g_assert_true(full->exists && full->writable && full->network);
    g_assert_cmpstr(full->character_set, ==, "TIMESTEN8");
    g_assert_null(facts_find_database(after, "B")->character_set);
    g_assert_null(facts_find_database(after, "c"));
    g_assert_null(facts_find_database(after, NULL));
}

/* What is cut off at any byte is an error or facts, and never facts with a value that was not
 * there. */
static void torn_text_is_refused(void)
{
    g_autoptr(InstanceFacts) facts = nasty_facts();
    g_autofree char *text = facts_format(facts);
    const char *databases = strstr(text, "[Database]");

    for (gsize length = 0; length + 1 < (gsize)(strstr(text, "PidFile=") - text); length++) {
        g_autofree char *torn = g_strndup(text, length);

        g_assert_null(facts_parse(torn, NULL));
    }
    g_assert_nonnull(databases);
}

static void hostile_text_is_refused(void)
{
    g_autoptr(InstanceFacts) facts = nasty_facts();
    g_autofree char *good = facts_format(facts);
    static const struct {
        const char *from, *to;
    } rows[] = {
        { "[Instance]", "[Database]" },
        { "[Instance]", "[Instance]\n[Instance]" },
        { "[Instance]", "" },
        { "[Instance]\n", "Home=/x\n[Instance]\n" },
        { "Release=7.0.6", "Release=7" },
        { "ServerPort=1", "ServerPort=65536" },
        { "ServerPort=1", "ServerPort=-1" },
        { "BackwardsCompat=yes", "BackwardsCompat=1" },
        { "Bits=64", "Bits=99999999999" },
        { "Size=18446744073709551615", "Size=18446744073709551616" },
        { "PidFile=/p", "PidFile=%" },
        { "PidFile=/p", "PidFile=%00" },
        { "PidFile=/p", "PidFile" },
        { "PidFile=/p", "Pidfile=/p" },
        { "Dsn=Orders\n", "" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(GStrv) pieces = g_strsplit(good, rows[i].from, 2);
        g_autofree char *bad = g_strjoinv(rows[i].to, pieces);
        g_autoptr(GError) error = NULL;

        g_assert_cmpstr(bad, !=, good);
        g_assert_null(facts_parse(bad, &error));
        g_assert_error(error, TU_ERROR, TU_ERROR_FAILED);
    }
}

static void administrator_is_who_owns_the_programs(void)
{
    g_autofree char *home = g_dir_make_tmp("facts-XXXXXX", NULL);
    g_autofree char *bin = g_build_filename(home, "bin", NULL);
    g_autofree char *info = g_build_filename(home, "info", NULL);
    g_autofree char *admin = NULL, *linked = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_null(facts_guess_admin(home, &error));
    g_assert_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION);
    g_clear_error(&error);
    g_assert_cmpint(g_mkdir(bin, 0755), ==, 0);
    g_assert_cmpint(g_mkdir(info, 0755), ==, 0);
    admin = facts_guess_admin(home, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(admin, ==, g_get_user_name());
    if (geteuid() == 0) {
        /* Its programs are nobody's: they must not run as root because its state is root's. */
        g_assert_cmpint(chown(bin, 65534, 65534), ==, 0);
        g_assert_null(facts_guess_admin(home, &error));
        g_assert_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION);
        g_clear_error(&error);
        /* Nor because a link leads to something of root's. */
        g_assert_cmpint(g_rmdir(info), ==, 0);
        g_assert_cmpint(symlink("/etc", info), ==, 0);
        linked = facts_guess_admin(home, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(linked, ==, "nobody");
        unlink(info);
    }
    g_rmdir(info);
    g_rmdir(bin);
    g_rmdir(home);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/facts/round-trip-is-exact", round_trip_is_exact);
    g_test_add_func("/facts/torn-text-is-refused", torn_text_is_refused);
    g_test_add_func("/facts/hostile-text-is-refused", hostile_text_is_refused);
    g_test_add_func("/facts/administrator-is-who-owns-the-programs",
                    administrator_is_who_owns_the_programs);
    return g_test_run();
}
