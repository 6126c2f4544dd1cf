#include "timesten/status.h"
#include "sample.h"

/* What each sample says of daemon, server and its first store. */
static const struct {
    const char *sample;
    guint64 daemon_pid;
    guint16 daemon_port;
    const char *instance;
    guint64 server_pid;
    guint16 server_port;
    guint stores;
    const char *path;
    guint connections, users;
    gboolean closed, unloaded, replication, cache;
    const char *ram_policy;
} rows[] = {
    { "status-5.1", 802, 15100, "tt51", 811, 15102, 1, "/var/TimesTen/data/orders" },
    { "status-6.0", 19174, 16000, "tt60", 19176, 16002, 1, "/var/TimesTen/data/orders", 3, 2 },
    { "status-7.0", 18091, 17000, "tt70", 18098, 17002, 1, "/var/TimesTen/data/orders70", 9, 2 },
    { "status-7.0-recovering", 18091, 17000, "tt70", 0, 0, 1, "/var/TimesTen/data/orders70", 3, 1 },
    { "status-11.2.1-unloaded", 5021, 53388, "tt1121", 0, 0, 1, "/opt/data/orders", 0, 0,
      .unloaded = TRUE, .ram_policy = "Manual" },
    { "status-11.2.2", 2954, 53396, "tt1122", 2963, 53397, 1, "/home/tt/data/sampledb_1122", 4, 1,
      .replication = TRUE },
    { "status-22.1", 407, 6624, "ttinst", 414, 6625, 1, "/tt/db/sampledb", 5, 2, .cache = TRUE },
    { "status-22.1-closed", 407, 6624, "ttinst", 0, 0, 2, "/tt/db/sampledb", 2, 0, .closed = TRUE,
      .ram_policy = "Manual" },
};

static void report_of_every_era_is_read(gconstpointer data)
{
    guint i = GPOINTER_TO_UINT(data);
    g_autofree char *text = sample(rows[i].sample);
    g_autoptr(TimesTenStatus) status = status_parse(text, 0);
    const StatusStore *store = status_find_store(status, rows[i].path);

    g_assert_true(status->daemon_running);
    g_assert_cmpuint(status->daemon_pid, ==, rows[i].daemon_pid);
    g_assert_cmpuint(status->daemon_port, ==, rows[i].daemon_port);
    g_assert_cmpstr(status->instance, ==, rows[i].instance);
    g_assert_cmpuint(status->server_pid, ==, rows[i].server_pid);
    g_assert_cmpuint(status->server_port, ==, rows[i].server_port);
    g_assert_cmpuint(status->stores->len, ==, rows[i].stores);
    g_assert_nonnull(store);
    g_assert_cmpuint(store->connections->len, ==, rows[i].connections);
    g_assert_cmpuint(status_user_connections(store), ==, rows[i].users);
    g_assert_cmpint(store->closed, ==, rows[i].closed);
    g_assert_cmpint(store->unloaded, ==, rows[i].unloaded);
    g_assert_cmpint(store->replication_running, ==, rows[i].replication);
    g_assert_cmpint(store->cache_running, ==, rows[i].cache);
    g_assert_cmpstr(store->ram_policy, ==, rows[i].ram_policy);
}

static void second_store_keeps_its_own_facts(void)
{
    g_autofree char *text = sample("status-22.1-closed");
    g_autoptr(TimesTenStatus) status = status_parse(text, 0);
    const StatusStore *other = status_find_store(status, "/tt/db//other");

    g_assert_true(other->unloaded);
    g_assert_false(other->closed);
    g_assert_null(other->ram_policy);
    g_assert_null(status_find_store(status, "/tt/db/othe"));
    g_assert_null(status_find_store(status, NULL));
}

static void daemon_down_is_told(void)
{
    static const char *const samples[] = { "status-6.0-down", "status-7.0-down" };

    for (guint i = 0; i < G_N_ELEMENTS(samples); i++) {
        g_autofree char *text = sample(samples[i]);
        g_autoptr(TimesTenStatus) status = status_parse(text, 1);

        g_assert_false(status->daemon_running);
        g_assert_cmpuint(status->stores->len, ==, 0);
    }
}

/* A report that was lost on its way says nothing, whatever the exit status. */
static void silence_is_no_daemon(void)
{
    g_autoptr(TimesTenStatus) status = status_parse("", 0);

    g_assert_false(status->daemon_running);
}

static void connections_are_named(void)
{
    g_autofree char *new_text = sample("status-22.1"), *old_text = sample("status-6.0");
    g_autoptr(TimesTenStatus) new = status_parse(new_text, 0);
    g_autoptr(TimesTenStatus) old = status_parse(old_text, 0);
    g_autofree char *new_names = status_name_connections(new->stores->pdata[0]);
    g_autofree char *old_names = status_name_connections(old->stores->pdata[0]);

    g_assert_cmpstr(new_names, ==, "pid 2211 (Process, sampledb), pid 3107 (Server, order entry)");
    g_assert_cmpstr(old_names, ==, "pid 19180 (Process), pid 19207 (Server)");
}

static void many_connections_are_counted_not_named(void)
{
    g_autoptr(GString) text =
        g_string_new("Data store /d\nType PID Context Connection Name ConnID\n");
    g_autoptr(TimesTenStatus) status = NULL;
    g_autofree char *names = NULL;

    for (guint i = 0; i < 11; i++)
        g_string_append_printf(text, "Process %u 0x1 a %u\n", 100 + i, i);
    status = status_parse(text->str, 0);
    names = status_name_connections(status->stores->pdata[0]);
    g_assert_true(g_str_has_suffix(names, "pid 107 (Process, a) and 3 more"));
}

/* A store with connections that cannot be read must never pass for idle. */
static void announced_connections_are_not_forgotten(void)
{
    g_autoptr(TimesTenStatus) status = status_parse(
        "Data store /d\nThere are 2 connections to the data store\nin a new format\n", 0);

    g_assert_cmpuint(status_user_connections(status->stores->pdata[0]), ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *name =
            g_strconcat("/status/report-of-every-era-is-read/", rows[i].sample, NULL);

        g_test_add_data_func(name, GUINT_TO_POINTER(i), report_of_every_era_is_read);
    }
    g_test_add_func("/status/second-store-keeps-its-own-facts", second_store_keeps_its_own_facts);
    g_test_add_func("/status/daemon-down-is-told", daemon_down_is_told);
    g_test_add_func("/status/silence-is-no-daemon", silence_is_no_daemon);
    g_test_add_func("/status/connections-are-named", connections_are_named);
    g_test_add_func("/status/many-connections-are-counted-not-named",
                    many_connections_are_counted_not_named);
    g_test_add_func("/status/announced-connections-are-not-forgotten",
                    announced_connections_are_not_forgotten);
    return g_test_run();
}
