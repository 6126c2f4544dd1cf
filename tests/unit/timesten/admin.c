#include "timesten/admin.h"
#include "sample.h"

static void state_is_read(void)
{
    g_autofree char *old_text = sample("admin-7.0"), *new_text = sample("admin-22.1-closed");
    g_autoptr(AdminState) old = admin_parse(old_text);
    g_autoptr(AdminState) new = admin_parse(new_text);

    g_assert_cmpstr(old->ram_policy, ==, "manual");
    g_assert_true(old->manually_loaded);
    g_assert_cmpstr(old->replication_policy, ==, "manual");
    g_assert_false(old->replication_started);
    g_assert_false(old->cache_started);
    g_assert_false(old->closed);
    g_assert_cmpstr(new->ram_policy, ==, "inUse");
    g_assert_cmpuint(new->ram_grace, ==, 60);
    g_assert_cmpuint(old->ram_grace, ==, 0);
    g_assert_false(new->manually_loaded);
    g_assert_true(new->replication_started);
    g_assert_true(new->cache_started);
    g_assert_true(new->closed); /* one page prints it in lower case */
}

static void peers_are_counted(void)
{
    g_autofree char *two = sample("repadmin-7.0"), *none = sample("repadmin-none");

    g_assert_cmpuint(replication_peers(two), ==, 2);
    g_assert_cmpuint(replication_peers(none), ==, 0);
    g_assert_cmpuint(replication_peers(""), ==, 0);
}

static void isql_error_is_found_among_rows(void)
{
    g_autofree char *failed = sample("isql-707"), *fine = sample("isql-rows");
    g_autofree char *error = isql_first_error(failed), *none = isql_first_error(fine);

    g_assert_cmpstr(
        error, ==,
        "707: Attempt to connect to a data store that has been manually unloaded from RAM");
    g_assert_null(none);
    g_assert_null(isql_first_error("12:30 is no error\n< 1: x >\n"));
}

static void isql_rows_lose_their_brackets(void)
{
    g_autofree char *text = sample("isql-rows");
    g_auto(GStrv) rows = isql_rows(text);

    g_assert_cmpuint(g_strv_length(rows), ==, 3);
    g_assert_cmpstr(rows[0], ==, "3, APP");
    g_assert_cmpstr(rows[1], ==, "00");
    g_assert_cmpstr(rows[2], ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/admin/state-is-read", state_is_read);
    g_test_add_func("/admin/peers-are-counted", peers_are_counted);
    g_test_add_func("/admin/isql-error-is-found-among-rows", isql_error_is_found_among_rows);
    g_test_add_func("/admin/isql-rows-lose-their-brackets", isql_rows_lose_their_brackets);
    return g_test_run();
}
