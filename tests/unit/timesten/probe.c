#include "common/error.h"
#include "timesten/facts.h"
#include "install.h"

static void installation_of_7_0_is_read(void)
{
    g_autofree char *home = install_7_0(), *info = g_build_filename(home, "info", NULL);
    g_autofree char *options = g_build_filename(info, "ttendaemon.options", NULL);
    g_autofree char *odbc = g_build_filename(info, "sys.odbc.ini", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(InstanceFacts) facts = facts_probe(home, NULL, &error);
    const DatabaseFacts *orders;

    g_assert_no_error(error);
    g_assert_cmpstr(facts->home, ==, home);
    g_assert_cmpstr(facts->release_source, ==, "ttVersion -m");
    g_assert_cmpuint(facts->release.part[2], ==, 6);
    g_assert_cmpstr(facts->instance_name, ==, "tt70");
    g_assert_cmpstr(facts->admin, ==, "timesten");
    g_assert_cmpstr(facts->daemon_home, ==, info);
    g_assert_cmpstr(facts->options_path, ==, options);
    g_assert_cmpstr(facts->odbc_path, ==, odbc);
    g_assert_cmpuint(facts->daemon_port, ==, 17000);
    g_assert_cmpuint(facts->server_port, ==, 17002);
    g_assert_true(facts->options_writable);
    g_assert_cmpuint(facts->databases->len, ==, 1); /* the client DSN is none */
    orders = facts_find_database(facts, "orders");
    g_assert_cmpstr(orders->data_store, ==, "/var/TimesTen/data/orders70");
    g_assert_cmpstr(orders->log_directory, ==, "/var/TimesTen/logs");
    g_assert_cmpstr(orders->character_set, ==, "TIMESTEN8");
    g_assert_false(orders->exists || orders->writable);
    g_assert_false(facts->client_sql); /* as a server-only installation */
    uninstall(home);
}

/* 6.0 has no -m; ttVersion is asked again without it. */
static void installation_of_6_0_is_read(void)
{
    g_autofree char *home = install_7_0();
    g_autoptr(GError) error = NULL;
    g_autoptr(InstanceFacts) facts = NULL;

    install_version(home, "bin/ttVersion", "", "version-6.0", "/var/TimesTen/tt60");
    install_file(home, "bin/ttIsqlCS", "#!/bin/sh\n", 0755);
    facts = facts_probe(home, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(facts->release_source, ==, "ttVersion");
    g_assert_cmpuint(facts->release.part[0], ==, 6);
    g_assert_cmpuint(facts->daemon_port, ==, 15100);
    g_assert_true(facts->client_sql);
    uninstall(home);
}

static void instance_of_22_1_is_read(void)
{
    g_autofree char *home = g_dir_make_tmp("tt221-XXXXXX", NULL), *conf = sample("options-22.1");
    g_autoptr(GError) error = NULL;
    g_autoptr(InstanceFacts) facts = NULL;

    install_version(home, "bin/ttenv", "ttVersion -m", "version-22.1-m", "/tt/inst/ttinst/info");
    install_file(home, "conf/timesten.conf", conf, 0600);
    install_file(home, "install/bin/ttIsqlCS", "#!/bin/sh\n", 0755);
    facts = facts_probe(home, NULL, &error); /* no sys.odbc.ini: no databases yet */
    g_assert_no_error(error);
    g_assert_cmpuint(facts->release.part[0], ==, 22);
    g_assert_cmpuint(facts->server_port, ==, 6625);
    g_assert_true(facts->client_sql);
    g_assert_cmpuint(facts->databases->len, ==, 0);
    g_assert_true(g_str_has_suffix(facts->options_path, "/conf/timesten.conf"));
    g_assert_true(g_str_has_suffix(facts->odbc_path, "/conf/sys.odbc.ini"));
    uninstall(home);
}

static void database_is_measured(void)
{
    g_autofree char *home = install_7_0(), *data = g_build_filename(home, "data", NULL);
    g_autofree char *ini = g_strdup_printf("[d]\nDataStore=%s/d\nLogDir=%s/logs\n", data, home);
    g_autoptr(GError) error = NULL;
    g_autoptr(InstanceFacts) facts = NULL;
    const DatabaseFacts *d;

    install_file(home, "info/sys.odbc.ini", ini, 0644);
    install_file(home, "data/d.ds0", "12345", 0600);
    install_file(home, "data/d.ds1", "1234", 0600);
    install_file(home, "data/d.dump", "not a file of the store", 0600);
    install_file(home, "data/dd.ds0", "nor this", 0600);
    install_file(home, "logs/d.log0", "123", 0600);
    install_file(home, "logs/d.res2", "12", 0600);
    facts = facts_probe(home, NULL, &error);
    g_assert_no_error(error);
    d = facts_find_database(facts, "D");
    g_assert_true(d->exists);
    g_assert_true(d->writable);
    g_assert_cmpuint(d->size, ==, 5 + 4 + 3 + 2);
    g_assert_cmpuint(d->free_bytes, >, 0);
    g_assert_cmpuint(d->free_inodes, >, 0);
    uninstall(home);
}

static void configured_release_bridges_a_dumb_utility(void)
{
    g_autofree char *home = install_7_0();
    g_autoptr(GError) error = NULL;
    g_autoptr(InstanceFacts) facts = NULL;

    install_file(home, "bin/ttVersion", "#!/bin/sh\necho broken library\nexit 3\n", 0755);
    facts = facts_probe(home, NULL, &error);
    g_assert_null(facts);
    g_assert_error(error, TU_ERROR, TU_ERROR_UTILITY_FAILED);
    g_assert_nonnull(strstr(error->message, "/bin/ttVersion"));
    g_assert_nonnull(strstr(error->message, "broken library"));
    g_assert_nonnull(strstr(error->message, "Release="));
    g_clear_error(&error);
    facts = facts_probe(home, "7.0.6", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(facts->release_source, ==, "configuration");
    g_assert_cmpuint(facts->server_port, ==, 17002);
    uninstall(home);
}

static void missing_files_are_named(void)
{
    g_autofree char *home = install_7_0();
    g_autofree char *options = g_build_filename(home, "info/ttendaemon.options", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_null(facts_probe("/nowhere/tt70", NULL, &error));
    g_assert_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION);
    g_clear_error(&error);
    g_unlink(options);
    g_assert_null(facts_probe(home, NULL, &error));
    g_assert_nonnull(strstr(error->message, options));
    uninstall(home);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/probe/installation-of-7.0-is-read", installation_of_7_0_is_read);
    g_test_add_func("/probe/installation-of-6.0-is-read", installation_of_6_0_is_read);
    g_test_add_func("/probe/instance-of-22.1-is-read", instance_of_22_1_is_read);
    g_test_add_func("/probe/database-is-measured", database_is_measured);
    g_test_add_func("/probe/configured-release-bridges-a-dumb-utility",
                    configured_release_bridges_a_dumb_utility);
    g_test_add_func("/probe/missing-files-are-named", missing_files_are_named);
    return g_test_run();
}
