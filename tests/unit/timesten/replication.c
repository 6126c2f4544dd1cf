#include "timesten/replication.h"
#include "sample.h"

static void name_is_the_last_part_of_the_path(void)
{
    g_autofree char *name = replication_store_name("/var/lib/tt60/orders60");

    g_assert_cmpstr(name, ==, "ORDERS60");
    g_assert_true(replication_name_is_plain(name));
    g_assert_true(replication_name_is_plain("A23456789012345678901234567890"));
}

static void odd_names_are_not_plain(void)
{
    static const char *const odd[] = { "",    "7UP",      "A-B",
                                       "A B", "A'B",      "A\"B",
                                       "_A",  "\xc3\x84", "A234567890123456789012345678901" };

    for (guint i = 0; i < G_N_ELEMENTS(odd); i++)
        g_assert_false(replication_name_is_plain(odd[i]));
}

static void scheme_goes_both_ways_over_static_ports(void)
{
    const ReplicationPair pair = { "OLD", "NEW", 20001, 20002, 64 };
    g_autofree char *sql = replication_create_sql(&pair);

    g_assert_cmpstr(
        sql, ==,
        "create replication TTUPGRADE.ONLINE"
        " element FORTH datastore master OLD on \"localhost\" subscriber NEW on \"localhost\""
        " element BACK datastore master NEW on \"localhost\" subscriber OLD on \"localhost\""
        " store OLD on \"localhost\" port 20001 failthreshold 64"
        " store NEW on \"localhost\" port 20002 failthreshold 64;");
}

/* A peer before 7.0 takes TimesTen's own types only, and has no prefix for them. */
static void marks_have_a_type_that_both_releases_know(void)
{
    const Release old = { { 6, 0, 8 }, 3 }, new = { { 7, 0, 6 }, 3 };
    g_autofree char *in_old = replication_create_marks_sql(&old);
    g_autofree char *in_new = replication_create_marks_sql(&new);

    g_assert_nonnull(strstr(in_old, "(MARK varchar(64)"));
    g_assert_nonnull(strstr(in_new, "(MARK tt_varchar(64)"));
}

/* Each of them is of the same scheme and table, which are ours alone. */
static void statements_name_what_is_ours(void)
{
    g_autofree char *mark = replication_mark_sql("7.commit.1"),
                    *seen = replication_seen_sql("7.commit.1"), *has = replication_has_marks_sql(),
                    *wait = replication_wait_sql("NEW", 9),
                    *no_marks = replication_drop_marks_sql(), *no_scheme = replication_drop_sql();

    g_assert_cmpstr(mark, ==, "insert into TTUPGRADE.MARKS values ('7.commit.1');");
    g_assert_cmpstr(seen, ==, "select count(*) from TTUPGRADE.MARKS where MARK = '7.commit.1';");
    g_assert_cmpstr(
        has, ==,
        "select count(*) from sys.tables where tblowner = 'TTUPGRADE' and tblname = 'MARKS';");
    g_assert_cmpstr(wait, ==,
                    "call ttRepSubscriberWait('ONLINE', 'TTUPGRADE', 'NEW', 'localhost', 9);");
    g_assert_cmpstr(no_marks, ==, "drop table TTUPGRADE.MARKS;");
    g_assert_cmpstr(no_scheme, ==, "drop replication TTUPGRADE.ONLINE;");
}

/* Neither TimesTen's own tables nor ours are replicated. */
static void tables_are_those_of_users(void)
{
    g_autofree char *tables = replication_tables_sql(), *keyless = replication_keyless_sql();

    g_assert_cmpstr(tables, ==,
                    "select tblowner, tblname from sys.tables where tblowner not in "
                    "('SYS', 'TTREP', 'GRID', 'TTUPGRADE');");
    g_assert_cmpstr(keyless, ==,
                    "select tblowner, tblname from sys.tables where tblowner not in "
                    "('SYS', 'TTREP', 'GRID', 'TTUPGRADE') and primcnt = 0;");
}

static void many_tables_are_named_in_part(void)
{
    char *many[] = { "A.1", "A.2", "A.3", "A.4", "A.5", "A.6", "A.7", "A.8", "A.9", "A.10", NULL };
    char *none[] = { NULL };
    g_autofree char *all_but_two = replication_missing(many, none),
                    *eight = replication_missing(many + 2, none);

    g_assert_cmpstr(all_but_two, ==, "A.1, A.2, A.3, A.4, A.5, A.6, A.7, A.8 and 2 more");
    g_assert_cmpstr(eight, ==, "A.3, A.4, A.5, A.6, A.7, A.8, A.9, A.10");
}

static void only_00_has_arrived(void)
{
    g_assert_cmpint(replication_wait("< 00 >\n"), ==, WAIT_ARRIVED);
    g_assert_cmpint(replication_wait("< 1 >\n< 00 >\n"), ==, WAIT_ARRIVED);
    g_assert_cmpint(replication_wait("< 00 >\n< 01 >\n"), ==, WAIT_TIMED_OUT);
    g_assert_cmpint(replication_wait(""), ==, WAIT_UNKNOWN);
    g_assert_cmpint(replication_wait(" 8003: no such thing\nThe command failed.\n"), ==,
                    WAIT_UNKNOWN);
}

static void tables_are_compared_by_owner_and_name(void)
{
    g_auto(GStrv) old = replication_tables("< TT , ORDERS          >\n< APP, ITEMS >\n");
    g_auto(GStrv) new = replication_tables("< APP, ITEMS >\n");
    g_autofree char *missing = replication_missing(old, new), *none = replication_missing(new, old);

    g_assert_cmpstr(old[0], ==, "APP.ITEMS");
    g_assert_cmpstr(old[1], ==, "TT.ORDERS");
    g_assert_null(old[2]);
    g_assert_cmpstr(missing, ==, "TT.ORDERS");
    g_assert_null(none);
}

static void peers_have_their_state_and_their_logs(void)
{
    g_autofree char *two = sample("repadmin-7.0"), *none = sample("repadmin-none");
    g_autoptr(GPtrArray) peers = replication_peers_parse(two),
                         empty = replication_peers_parse(none);
    const ReplicationPeer *first = replication_find_peer(peers, "subscriberds");
    const ReplicationPeer *second = replication_find_peer(peers, "ARCHIVE");

    g_assert_cmpuint(peers->len, ==, 2);
    g_assert_cmpuint(empty->len, ==, 0);
    g_assert_cmpint(first->state, ==, PEER_START);
    g_assert_cmpuint(first->port, ==, 0);
    g_assert_cmpint(first->logs, ==, 2);
    g_assert_cmpint(second->state, ==, PEER_PAUSE);
    g_assert_cmpuint(second->port, ==, 17100);
    g_assert_cmpint(second->logs, ==, 4);
    g_assert_null(replication_find_peer(peers, "NOBODY"));
}

/* Of a peer without a row of traffic nobody knows how much log it holds. */
static void logs_may_be_unknown(void)
{
    g_autoptr(GPtrArray) peers =
        replication_peers_parse("Peer name  Host name  Port   State  Proto\n"
                                "A          h          Auto   Start  10\n");

    g_assert_cmpuint(peers->len, ==, 1);
    g_assert_cmpint(replication_find_peer(peers, "A")->logs, ==, -1);
}

/* As it is printed where one table has all peers. */
static void rows_of_two_tables_belong_together(void)
{
    g_autoptr(GPtrArray) peers =
        replication_peers_parse("Peer name  Host name  Port   State  Proto\n"
                                "---------  ---------  ----   -----  -----\n"
                                "A          h          Auto   Start  10\n"
                                "B          h          20002  Failed 10\n\n"
                                "Last Msg Sent Last Msg Recv Latency TPS RecordsPS Logs\n"
                                "------------- ------------- ------- --- --------- ----\n"
                                "00:00:01      -             -1      -1  -1        3\n"
                                "-             -             -1      -1  -1        0\n");

    g_assert_cmpint(replication_find_peer(peers, "A")->logs, ==, 3);
    g_assert_cmpint(replication_find_peer(peers, "B")->logs, ==, 0);
    g_assert_cmpint(replication_find_peer(peers, "B")->state, ==, PEER_FAILED);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/replication/name-is-the-last-part-of-the-path",
                    name_is_the_last_part_of_the_path);
    g_test_add_func("/replication/odd-names-are-not-plain", odd_names_are_not_plain);
    g_test_add_func("/replication/scheme-goes-both-ways-over-static-ports",
                    scheme_goes_both_ways_over_static_ports);
    g_test_add_func("/replication/marks-have-a-type-that-both-releases-know",
                    marks_have_a_type_that_both_releases_know);
    g_test_add_func("/replication/statements-name-what-is-ours", statements_name_what_is_ours);
    g_test_add_func("/replication/tables-are-those-of-users", tables_are_those_of_users);
    g_test_add_func("/replication/many-tables-are-named-in-part", many_tables_are_named_in_part);
    g_test_add_func("/replication/logs-may-be-unknown", logs_may_be_unknown);
    g_test_add_func("/replication/only-00-has-arrived", only_00_has_arrived);
    g_test_add_func("/replication/tables-are-compared-by-owner-and-name",
                    tables_are_compared_by_owner_and_name);
    g_test_add_func("/replication/peers-have-their-state-and-their-logs",
                    peers_have_their_state_and_their_logs);
    g_test_add_func("/replication/rows-of-two-tables-belong-together",
                    rows_of_two_tables_belong_together);
    return g_test_run();
}
