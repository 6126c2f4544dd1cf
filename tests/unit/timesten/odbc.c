#include "timesten/odbc.h"
#include "sample.h"

static void data_sources_are_found(void)
{
    g_autofree char *text = sample("odbc-7.0.ini");
    g_autoptr(GPtrArray) dsns = odbc_parse(text);
    const Dsn *orders = odbc_find(dsns, "ORDERS"), *client = odbc_find(dsns, "client");

    g_assert_cmpuint(dsns->len, ==, 2);
    g_assert_cmpstr(orders->name, ==, "orders");
    g_assert_cmpstr(orders->data_store, ==, "/var/TimesTen/data/orders70");
    g_assert_cmpstr(orders->log_directory, ==, "/var/TimesTen/logs");
    g_assert_cmpstr(g_hash_table_lookup(orders->attributes, "databasecharacterset"), ==,
                    "TIMESTEN8");
    g_assert_cmpuint(orders->line, ==, 6);
    g_assert_null(client->data_store);
    g_assert_null(odbc_find(dsns, "ODBC Data Sources"));
    g_assert_null(odbc_find(dsns, "odbc"));
    g_assert_null(odbc_find(dsns, NULL));
}

/* As the driver manager: the first of two sections and of two values holds. */
static void first_of_two_wins(void)
{
    g_autoptr(GPtrArray) dsns =
        odbc_parse("[a]\r\nDataStore=/1\r\nDATASTORE=/2\r\n[A]\nDataStore=/3\n");

    g_assert_cmpstr(odbc_find(dsns, "a")->data_store, ==, "/1");
}

static void nonsense_is_passed_over(void)
{
    g_autoptr(GPtrArray) dsns = odbc_parse(
        "DataStore=/x\n[]\nDataStore=/y\n[empty]\n[open\n=1\n[b]\n\xff\xfe\n=\nDataStore=\n");

    g_assert_cmpuint(dsns->len, ==, 1);
    g_assert_null(odbc_find(dsns, "b")->data_store);
}

/* A copy has what the database has, and a place and logs of its own. */
static void copy_is_like_its_database(void)
{
    const char *text =
        "[ODBC Data Sources]\norders=TimesTen\n\n[orders]\n DataStore = /d/orders\nlogdir=/l\n"
        "PermSize=64\n# kept\n[other]\nDataStore=/d/other";
    g_autofree char *more = odbc_add(text, "copy", "ORDERS", "/d/c/new");
    g_autofree char *again = odbc_add(more, "copy", "orders", "/d/c/new");
    g_autofree char *less = odbc_remove(more, "COPY");
    g_autoptr(GPtrArray) dsns = odbc_parse(more);
    const Dsn *copy = odbc_find(dsns, "copy");

    g_assert_cmpstr(copy->data_store, ==, "/d/c/new");
    g_assert_null(copy->log_directory);
    g_assert_cmpstr(g_hash_table_lookup(copy->attributes, "permsize"), ==, "64");
    g_assert_cmpstr(odbc_find(dsns, "orders")->data_store, ==, "/d/orders");
    g_assert_cmpstr(odbc_find(dsns, "other")->data_store, ==, "/d/other");
    g_assert_cmpstr(again, ==, more);
    g_assert_true(g_str_has_prefix(less, text));
    g_assert_cmpuint(strlen(less), ==, strlen(text) + 1); /* a last line gets its end */
    g_assert_null(odbc_add(text, "copy", "nobody", "/d/c/new"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/odbc/data-sources-are-found", data_sources_are_found);
    g_test_add_func("/odbc/first-of-two-wins", first_of_two_wins);
    g_test_add_func("/odbc/nonsense-is-passed-over", nonsense_is_passed_over);
    g_test_add_func("/odbc/copy-is-like-its-database", copy_is_like_its_database);
    return g_test_run();
}
