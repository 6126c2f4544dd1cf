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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/odbc/data-sources-are-found", data_sources_are_found);
    g_test_add_func("/odbc/first-of-two-wins", first_of_two_wins);
    g_test_add_func("/odbc/nonsense-is-passed-over", nonsense_is_passed_over);
    return g_test_run();
}
