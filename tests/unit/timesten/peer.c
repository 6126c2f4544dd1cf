#include "timesten/peer.h"
#include "common/error.h"

static void host_has_a_port_where_one_is_given(void)
{
    g_autofree char *host = NULL, *other = NULL;
    guint16 port = 1;

    g_assert_true(peer_address_parse("db-1.example.org:16002", &host, &port, NULL));
    g_assert_cmpstr(host, ==, "db-1.example.org");
    g_assert_cmpuint(port, ==, 16002);
    g_assert_true(peer_address_parse("10.0.0.1", &other, &port, NULL));
    g_assert_cmpstr(other, ==, "10.0.0.1");
    g_assert_cmpuint(port, ==, 0);
}

/* It becomes part of connection strings and of statements. */
static void odd_hosts_are_refused(void)
{
    static const char *const odd[] = { "",     ":1",    "a b",   "a;UID=x",   "a'b",   "-a",
                                       "db1:", "db1:0", "db1:x", "db1:70000", "a:1:2", "a,b" };

    for (guint i = 0; i <= G_N_ELEMENTS(odd); i++) {
        g_autofree char *long_one = g_strnfill(254, 'a');
        g_autoptr(GError) error = NULL;
        char *host = NULL;
        guint16 port;

        g_assert_false(
            peer_address_parse(i < G_N_ELEMENTS(odd) ? odd[i] : long_one, &host, &port, &error));
        g_assert_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION);
        g_assert_null(host);
    }
}

static void links_are_the_rows_of_the_status(void)
{
    g_autoptr(GPtrArray) links =
        peer_links_parse("< ORDERS, db2, 20002, pause, 3, -, REP, TT >\n"
                         "< stock    , db3, 0, start, 1, 12, R2, O'NEIL >\n"
                         "< 00 >\n"
                         "< X, a b, 1, start, 1, -, R, T >\n"
                         "< IT'S, db4, 1, start, 1, -, R, T >\n");
    const PeerLink *first, *second;
    g_autofree char *sql = NULL, *odd = NULL;

    g_assert_cmpuint(links->len, ==, 3);
    first = links->pdata[0];
    second = links->pdata[1];
    g_assert_cmpstr(first->store, ==, "ORDERS");
    g_assert_cmpint(first->state, ==, PEER_PAUSE);
    g_assert_cmpuint(first->port, ==, 20002);
    g_assert_true(peer_link_is_to(first, "DB2"));
    g_assert_false(peer_link_is_to(first, "db3"));
    g_assert_cmpstr(second->store, ==, "STOCK");
    g_assert_cmpuint(second->port, ==, 0);
    sql = peer_wait_sql(second, 5);
    g_assert_cmpstr(sql, ==, "call ttRepSubscriberWait('R2', 'O''NEIL', 'STOCK', 'db3', 5);");
    odd = peer_wait_sql(links->pdata[2], 5);
    g_assert_cmpstr(odd, ==, "call ttRepSubscriberWait('R', 'T', 'IT''S', 'db4', 5);");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/peer/host-has-a-port-where-one-is-given", host_has_a_port_where_one_is_given);
    g_test_add_func("/peer/odd-hosts-are-refused", odd_hosts_are_refused);
    g_test_add_func("/peer/links-are-the-rows-of-the-status", links_are_the_rows_of_the_status);
    return g_test_run();
}
