/* The declared world: what is accepted, what is a problem, and that a problem stays alone. */
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"
#include "state/backing.h"
#include "state/inventory.h"
#include "tests/unit/state/scratch.h"

#include <string.h>

#define ETC "etc/timesten-upgrade/"

static void write_instance(const char *name, const char *text)
{
    g_autofree char *path = g_strconcat(ETC "instances.d/", name, ".conf", NULL);
    g_autofree char *whole = g_strconcat("[Instance]\n", text, NULL);

    scratch_write(path, whole);
}

static void write_server(const char *name, const char *text)
{
    g_autofree char *path = g_strconcat(ETC "servers.d/", name, ".conf", NULL);
    g_autofree char *whole = g_strconcat("[Server]\n", text, NULL);

    scratch_write(path, whole);
}

/* Two instances and one server that are right. */
static void begin(void)
{
    scratch_begin();
    write_instance("tt60", "Home=/opt/TimesTen/tt60\n");
    write_instance("tt70", "Home=/opt/TimesTen/tt70/\nAdmin=tten\nRelease=7.0.6.0.0\n");
    write_server("orders", "Listen=16002\nDatabases=orders, stock\nInstance=tt60\n");
}

static const InventoryProblem *only_problem(const Inventory *inventory)
{
    for (guint i = 1; i < inventory->problems->len; i++)
        g_printerr("%s\n",
                   ((InventoryProblem *)g_ptr_array_index(inventory->problems, i))->message);
    g_assert_cmpuint(inventory->problems->len, ==, 1);
    return g_ptr_array_index(inventory->problems, 0);
}

static void what_is_right_is_read(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Inventory) inventory = NULL;
    g_autofree char *unit = NULL;
    const InstanceConfig *instance;
    const ServerConfig *server;

    begin();
    inventory = inventory_load();
    g_assert_cmpuint(inventory->problems->len, ==, 0);
    g_assert_cmpuint(inventory->instances->len, ==, 2);
    instance = inventory_instance(inventory, "tt70", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(instance->home, ==, "/opt/TimesTen/tt70");
    g_assert_cmpstr(instance->admin, ==, "tten");
    g_assert_cmpstr(instance->release, ==, "7.0.6.0.0");
    g_assert_cmpuint(instance->server_port, ==, 0);
    unit = inventory_instance_unit(instance);
    g_assert_cmpstr(unit, ==, "timesten@tt70.service");
    server = inventory_server(inventory, "orders", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(server->listen, ==, "16002");
    g_assert_cmpuint(server->port, ==, 16002);
    g_assert_cmpuint(g_strv_length(server->databases), ==, 2);
    g_assert_cmpstr(server->databases[1], ==, "stock");
    g_assert_cmpstr(server->instance, ==, "tt60");
    g_assert_null(server->previous_instance);
    g_assert_null(server->wanted_listen);
    g_assert_cmpint(server->mode, ==, MODE_RELAY);
    g_assert_cmpuint(server->drain_usec, ==, 10 * USEC_PER_SEC);
    g_assert_cmpuint(server->hold_limit_usec, ==, 60 * USEC_PER_SEC);
    g_assert_true(server->outage_limit_usec == USEC_NEVER);
    g_assert_false(server->outage_limit_given);
    g_assert_cmpuint(server->replication_delay_usec, ==, 10 * USEC_PER_SEC);
    g_assert_cmpuint(server->replication_log_files, ==, 64);
    g_assert_true(inventory_server_of_port(inventory, 16002) == server);
    g_assert_null(inventory_server_of_port(inventory, 16003));
}

static void nothing_declared_is_no_problem(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Inventory) inventory = NULL;

    scratch_begin();
    inventory = inventory_load();
    g_assert_cmpuint(inventory->problems->len, ==, 0);
    g_assert_null(inventory_server(inventory, "orders", &error));
    g_assert_error(error, TU_ERROR, TU_ERROR_NO_SUCH_SERVER);
    g_clear_error(&error);
    g_assert_null(inventory_instance(inventory, "tt60", &error));
    g_assert_error(error, TU_ERROR, TU_ERROR_NO_SUCH_INSTANCE);
    g_clear_error(&error);
    g_assert_null(inventory_instance(inventory, NULL, &error));
    g_assert_error(error, TU_ERROR, TU_ERROR_NO_SUCH_INSTANCE);
}

/* A second server whose text is wrong: the message has line and words, and the first server stays.
 */
static void wrong_servers_are_told_with_line_and_remedy(void)
{
    static const struct {
        const char *text;
        guint line; /* with [Server] as the first */
        const char *words;
    } rows[] = {
        { "Databases=a\nInstance=tt60\n", 1, "Listen= is missing" },
        { "Listen=\nDatabases=a\nInstance=tt60\n", 2, "Listen= is missing" },
        { "Listen=0\nDatabases=a\nInstance=tt60\n", 2, "Listen=0 is no address" },
        { "Listen=65536\nDatabases=a\nInstance=tt60\n", 2, "is no address" },
        { "Listen=16012x\nDatabases=a\nInstance=tt60\n", 2, "is no address" },
        { "Listen=localhost:16012\nDatabases=a\nInstance=tt60\n", 2, "numeric address" },
        { "Listen=::1:16012\nDatabases=a\nInstance=tt60\n", 2, "[IPV6]:PORT" },
        { "Listen=[::1]\nDatabases=a\nInstance=tt60\n", 2, "is no address" },
        { "Listen=[::1]16012\nDatabases=a\nInstance=tt60\n", 2, "is no address" },
        { "Listen=1.2.3:16012\nDatabases=a\nInstance=tt60\n", 2, "is no address" },
        { "Listen=16002\nDatabases=a\nInstance=tt60\n", 2, "already that of server orders" },
        { "Listen=127.0.0.1:16002\nDatabases=a\nInstance=tt60\n", 2,
          "already that of server orders" },
        { "Listen=16012\nInstance=tt60\n", 1, "Databases= is missing" },
        { "Listen=16012\nDatabases= ,\nInstance=tt60\n", 3, "Databases= is missing" },
        { "Listen=16012\nDatabases=a,b,A\nInstance=tt60\n", 3, "has A twice" },
        { "Listen=16012\nDatabases=a;b\nInstance=tt60\n", 3, "cannot be a DSN" },
        { "Listen=16012\nDatabases=-a\nInstance=tt60\n", 3, "cannot be a DSN" },
        { "Listen=16012\nDatabases=../a\nInstance=tt60\n", 3, "cannot be a DSN" },
        { "Listen=16012\nDatabases=abcdefghijklmnopqrstuvwxyz0123456\nInstance=tt60\n", 3,
          "at most 32" },
        { "Listen=16012\nDatabases=a\n", 1, "Instance= is missing" },
        { "Listen=16012\nDatabases=a\nInstance=tt 60\n", 4, "cannot be the name of an instance" },
        { "Listen=16012\nDatabases=a\nInstance=tt50\n", 4, "not declared" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nMode=fast\n", 5, "Write Mode=relay" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nMode=inherit\n", 5, "one port" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nPrivatePort=0\n", 5, "is no port" },
        { "Listen=16012\nDatabases=a\nInstance=tt70\nPrivatePort=16012\n", 5, "public port" },
        { "Listen=16012\nDatabases=a\nInstance=tt70\nPrivatePort=16002\n", 5, "public port" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nPrivatePort=26012\n", 5,
          "another PrivatePort=" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nDrainSec=soon\n", 5, "is no time span" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nDrainSec=infinity\n", 5, "without end" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nHoldLimitSec=0\n", 5, "at least 1s" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nHoldLimitSec=infinity\n", 5, "without end" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nHoldLimitSec=2d\n", 5, "at most 1d" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nOutageLimitSec=100ms\n", 5, "at least 1s" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nReplicationDelaySec=soon\n", 5,
          "is no time span" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nReplicationLogFiles=1\n", 5, "from 2 to" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nWorkDirectory=exports\n", 5, "absolute" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nWorkDirectory=/srv/../etc\n", 5, "absolute" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nWorkDirectory=/srv/a$b\n", 5,
          "cannot be used" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nProxyProtocol=v2\n", 5, "neither yes nor no" },
        { "Listen=16012\nDatabases=a\nInstance=tt60\nDrain=5\n", 5, "unknown key Drain=" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Inventory) inventory = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *place = g_strdup_printf("servers.d/other.conf:%u: ", rows[i].line);
        const InventoryProblem *problem;

        begin();
        write_server("other", rows[i].text);
        inventory = inventory_load();
        problem = only_problem(inventory);
        g_assert_cmpstr(problem->kind, ==, "server");
        g_assert_cmpstr(problem->name, ==, "other");
        if (!strstr(problem->message, place) || !strstr(problem->message, rows[i].words))
            g_error("%s: wanted \"%s\" and \"%s\"", problem->message, place, rows[i].words);
        g_assert_nonnull(inventory_server(inventory, "orders", NULL));
        g_assert_null(inventory_server(inventory, "other", &error));
        g_assert_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION);
        g_assert_cmpstr(error->message, ==, problem->message);
    }
}

static void right_servers_are_accepted(void)
{
    static const struct {
        const char *text;
        guint16 port;
    } rows[] = {
        { "Listen=1\nDatabases=a\nInstance=tt70\n", 1 },
        { "Listen=0.0.0.0:65535\nDatabases=a\nInstance=tt70\n", 65535 },
        { "Listen=[::]:16012\nDatabases=a\nInstance=tt70\n", 16012 },
        { "Listen=[fe80::1]:16012\nDatabases=a b\tc,d, e\nInstance=tt70\n", 16012 },
        { "Listen=16012\nDatabases=orders_2024-01\nInstance=tt70\nMode=relay\nPrivatePort=26012\n",
          16012 },
        { "Listen=16012\nDatabases=a\nInstance=tt70\nDrainSec=0\nHoldLimitSec=1min "
          "30s\nOutageLimitSec=5d\n",
          16012 },
        { "Listen=16012\nDatabases=a\nInstance=tt70\nWorkDirectory=/srv/export of tt/\n", 16012 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Inventory) inventory = NULL;
        const ServerConfig *server;

        begin();
        write_server("other", rows[i].text);
        inventory = inventory_load();
        for (guint p = 0; p < inventory->problems->len; p++)
            g_error("%s", ((InventoryProblem *)g_ptr_array_index(inventory->problems, p))->message);
        server = inventory_server(inventory, "other", NULL);
        g_assert_cmpuint(server->port, ==, rows[i].port);
    }
}

static void wrong_instances_are_told_with_line_and_remedy(void)
{
    static const struct {
        const char *text;
        guint line;
        const char *words;
    } rows[] = {
        { "Admin=tten\n", 1, "Home= is missing" },
        { "Home=opt/tt71\n", 2, "absolute" },
        { "Home=/\n", 2, "absolute" },
        { "Home=/opt/tt71/..\n", 2, "absolute" },
        { "Home=/opt/\"tt71\"\n", 2, "cannot be used" },
        { "Home=/opt/tt%%71\n", 2, "cannot be used" },
        { "Home=/opt/TimesTen/tt60/\n", 2, "also the home of instance tt60" },
        { "Home=/opt/TimesTen/tt60/\nInstallation=/opt/tt6.0.9\n", 2,
          "also the home of instance tt60" },
        { "Home=/opt/tt71\nInstallation=tt22.1.1.27.0\n", 3, "no absolute path" },
        { "Home=/opt/tt71\nInstallation=/opt/new\n", 3, "Add Release=" },
        { "Home=/opt/tt71\nAdmin=-x\n", 3, "name of a user" },
        { "Home=/opt/tt71\nAdmin=a b\n", 3, "name of a user" },
        { "Home=/opt/tt71\nUnit=tt_tt71\n", 3, "tt_tt71.service" },
        { "Home=/opt/tt71\nUnit=../x.service\n", 3, "is no service unit" },
        { "Home=/opt/tt71\nUnit=tt@.service\n", 3, "is no service unit" },
        { "Home=/opt/tt71\nRelease=seven\n", 3, "is no release" },
        { "Home=/opt/tt71\nRelease=7\n", 3, "is no release" },
        { "Home=/opt/tt71\nRelease=7.0.6.0.0.1\n", 3, "is no release" },
        { "Home=/opt/tt71\nServerPort=65536\n", 3, "is no port" },
        { "Home=/opt/tt71\nServerPort=16002\n", 3, "public port" },
        { "Home=/opt/tt71\nPort=1\n", 3, "unknown key Port=" },
        { "Home=/opt/tt71\nHome=/opt/tt72\n", 3, "a second time" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Inventory) inventory = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *place = g_strdup_printf("instances.d/tt71.conf:%u: ", rows[i].line);
        const InventoryProblem *problem;

        begin();
        write_instance("tt71", rows[i].text);
        inventory = inventory_load();
        problem = only_problem(inventory);
        g_assert_cmpstr(problem->kind, ==, "instance");
        if (!strstr(problem->message, place) || !strstr(problem->message, rows[i].words))
            g_error("%s: wanted \"%s\" and \"%s\"", problem->message, place, rows[i].words);
        g_assert_cmpuint(inventory->instances->len, ==, 2);
        g_assert_null(inventory_instance(inventory, "tt71", &error));
        g_assert_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION);
    }
}

static void all_that_is_wrong_in_a_file_is_told_at_once(void)
{
    g_autoptr(Inventory) inventory = NULL;

    begin();
    write_server("other", "Listen=x\nDatabases=a\nInstance=tt60\nMode=y\nDrainSec=z\n");
    inventory = inventory_load();
    g_assert_cmpuint(inventory->problems->len, ==, 3);
}

static void files_that_are_not_ours_are_passed_over(void)
{
    g_autoptr(Inventory) inventory = NULL;
    const InventoryProblem *problem;

    begin();
    scratch_write(ETC "servers.d/orders.conf~", "x");
    scratch_write(ETC "servers.d/.orders.conf", "x");
    scratch_write(ETC "servers.d/orders.conf.dpkg-new", "x");
    scratch_write(ETC "servers.d/README", "x");
    inventory = inventory_load();
    g_assert_cmpuint(inventory->problems->len, ==, 0);
    g_clear_pointer(&inventory, inventory_free);
    scratch_write(ETC "servers.d/or-ders.conf", "x");
    inventory = inventory_load();
    problem = only_problem(inventory);
    g_assert_nonnull(strstr(problem->message, "Rename the file"));
}

static void a_directory_that_cannot_be_read_is_a_problem(void)
{
    g_autoptr(Inventory) inventory = NULL;
    g_autoptr(GError) error = NULL;

    begin();
    scratch_remove(ETC "servers.d");
    scratch_write(ETC "servers.d", "a file");
    inventory = inventory_load();
    g_assert_cmpstr(only_problem(inventory)->kind, ==, "server");
    g_assert_null(inventory_server(inventory, "orders", &error));
    g_assert_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION);
    g_assert_cmpuint(inventory->instances->len, ==, 2);
}

static void a_file_that_is_a_directory_is_a_problem(void)
{
    g_autoptr(Inventory) inventory = NULL;

    begin();
    scratch_write(ETC "servers.d/other.conf/x", "");
    inventory = inventory_load();
    g_assert_cmpstr(only_problem(inventory)->name, ==, "other");
    g_assert_nonnull(inventory_server(inventory, "orders", NULL));
}

static void a_commit_wins_over_the_file(void)
{
    const Backing commit = { .instance = (char *)"tt70", .previous = (char *)"tt60", .job = 1 };
    g_autoptr(Inventory) inventory = NULL;
    const ServerConfig *server;

    begin();
    g_assert_true(backing_commit("orders", &commit, NULL));
    /* The old release may be uninstalled by then. */
    scratch_remove(ETC "instances.d/tt60.conf");
    inventory = inventory_load();
    g_assert_cmpuint(inventory->problems->len, ==, 0);
    server = inventory_server(inventory, "orders", NULL);
    g_assert_cmpstr(server->instance, ==, "tt70");
    g_assert_cmpstr(server->previous_instance, ==, "tt60");
    g_assert_cmpstr(server->first_instance, ==, "tt60");
}

static void a_commit_that_cannot_be_followed_is_a_problem(void)
{
    const Backing commit = { .instance = (char *)"tt70", .previous = (char *)"tt60", .job = 1 };
    g_autoptr(Inventory) inventory = NULL;

    begin();
    g_assert_true(backing_commit("orders", &commit, NULL));
    scratch_remove(ETC "instances.d/tt70.conf");
    inventory = inventory_load();
    g_assert_nonnull(strstr(only_problem(inventory)->message, "since its last upgrade"));
    g_assert_cmpuint(inventory->servers->len, ==, 0);
    g_clear_pointer(&inventory, inventory_free);

    scratch_write("var/lib/timesten-upgrade/servers/orders", "garbage");
    inventory = inventory_load();
    g_assert_nonnull(strstr(only_problem(inventory)->message, "is damaged"));
    g_assert_cmpuint(inventory->servers->len, ==, 0);
}

/* The order of the rule: PrivatePort=, ServerPort=, what is configured, the hash. */
static void the_backend_port_follows_its_rule(void)
{
    g_autoptr(Inventory) inventory = NULL;
    const ServerConfig *orders, *other;
    const InstanceConfig *tt60, *tt70, *tt71;
    guint16 hashed;

    begin();
    write_instance("tt71", "Home=/opt/tt71\nServerPort=27102\n");
    write_server("other", "Listen=16012\nDatabases=a\nInstance=tt71\nPrivatePort=26012\n");
    inventory = inventory_load();
    g_assert_cmpuint(inventory->problems->len, ==, 0);
    orders = inventory_server(inventory, "orders", NULL);
    other = inventory_server(inventory, "other", NULL);
    tt60 = inventory_instance(inventory, "tt60", NULL);
    tt70 = inventory_instance(inventory, "tt70", NULL);
    tt71 = inventory_instance(inventory, "tt71", NULL);
    g_assert_cmpuint(inventory_backend_port(inventory, other, tt71, 17002), ==, 26012);
    g_assert_cmpuint(inventory_backend_port(inventory, orders, tt71, 17002), ==, 27102);
    g_assert_cmpuint(inventory_backend_port(inventory, orders, tt70, 17002), ==, 17002);
    /* The number is part of the format: it stands in option files. */
    hashed = inventory_backend_port(inventory, orders, tt60, 16002);
    g_assert_cmpuint(hashed, ==, 21051);
    g_assert_cmpuint(inventory_backend_port(inventory, orders, tt60, 0), ==, hashed);
    g_assert_cmpuint(inventory_backend_port(inventory, orders, tt60, 16012), ==, hashed);
    /* And once it is configured, it stays. */
    g_assert_cmpuint(inventory_backend_port(inventory, orders, tt60, hashed), ==, hashed);
    g_assert_cmpuint(inventory_backend_port(inventory, orders, tt70, 0), !=, hashed);
}

static void a_hashed_port_passes_over_public_ones(void)
{
    g_autoptr(Inventory) inventory = NULL;

    begin();
    write_server("other", "Listen=21051\nDatabases=a\nInstance=tt70\n");
    inventory = inventory_load();
    g_assert_cmpuint(inventory->problems->len, ==, 0);
    g_assert_cmpuint(inventory_backend_port(inventory, inventory_server(inventory, "orders", NULL),
                                            inventory_instance(inventory, "tt60", NULL), 0),
                     ==, 21052);
}

/* Two names whose hashes meet: told, because no order among them would be stable. */
static void instances_with_one_port_are_told(void)
{
    g_autoptr(Inventory) inventory = NULL;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    const InventoryProblem *problem;

    scratch_begin();
    for (guint i = 0; i < 10001; i++) {
        g_autofree char *name = g_strdup_printf("i%05u", i);
        InstanceConfig instance = { .name = name };
        const ServerConfig server = { 0 };
        Inventory empty = { .public_ports = g_array_new(FALSE, FALSE, sizeof(guint16)) };
        guint16 port = inventory_backend_port(&empty, &server, &instance, 0);
        const char *other = g_hash_table_lookup(seen, GUINT_TO_POINTER(port));

        g_array_unref(empty.public_ports);
        g_assert_cmpuint(port, >=, 20000);
        g_assert_cmpuint(port, <, 30000);
        if (other) {
            write_instance(other, "Home=/opt/a\n");
            write_instance(name, "Home=/opt/b\n");
            break;
        }
        g_hash_table_insert(seen, GUINT_TO_POINTER(port), g_steal_pointer(&name));
    }
    inventory = inventory_load();
    problem = only_problem(inventory);
    g_assert_nonnull(strstr(problem->message, "Add ServerPort=PORT"));
    g_assert_cmpuint(inventory->instances->len, ==, 1);
}

/* An open port is where it is: neither a new Listen= nor a newcomer takes it. */
static void an_open_server_keeps_its_address(void)
{
    g_autoptr(Inventory) inventory = NULL;
    const ServerConfig *server;

    begin();
    scratch_write("run/timesten-upgrade/listen/orders", "16002\n");
    write_server("orders", "Listen=127.0.0.1:16003\nDatabases=orders\nInstance=tt60\n");
    write_server("another", "Listen=16002\nDatabases=a\nInstance=tt70\n");
    inventory = inventory_load();
    g_assert_cmpstr(only_problem(inventory)->name, ==, "another");
    server = inventory_server(inventory, "orders", NULL);
    g_assert_cmpstr(server->listen, ==, "16002");
    g_assert_cmpuint(server->port, ==, 16002);
    g_assert_cmpstr(server->wanted_listen, ==, "127.0.0.1:16003");
    g_assert_cmpuint(inventory->public_ports->len, ==, 2);
    /* Its own port is public still: relaying to it would be a circle. */
    g_assert_cmpuint(inventory_backend_port(inventory, server,
                                            inventory_instance(inventory, "tt60", NULL), 16002),
                     ==, 21051);
}

static void the_note_of_an_open_address_is_not_believed_blindly(void)
{
    static const char *const garbage[] = {
        "", "x", "16002; reboot", "\n\n", "127.0.0.1", "0", NULL
    };

    begin();
    for (guint i = 0; garbage[i]; i++) {
        g_autofree char *open = NULL;

        scratch_write("run/timesten-upgrade/listen/orders", garbage[i]);
        open = inventory_open_address("orders");
        g_assert_null(open);
    }
    g_assert_null(inventory_open_address("../orders"));
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/inventory/what-is-right-is-read", what_is_right_is_read);
    g_test_add_func("/inventory/nothing-declared-is-no-problem", nothing_declared_is_no_problem);
    g_test_add_func("/inventory/wrong-servers-are-told-with-line-and-remedy",
                    wrong_servers_are_told_with_line_and_remedy);
    g_test_add_func("/inventory/right-servers-are-accepted", right_servers_are_accepted);
    g_test_add_func("/inventory/wrong-instances-are-told-with-line-and-remedy",
                    wrong_instances_are_told_with_line_and_remedy);
    g_test_add_func("/inventory/all-that-is-wrong-in-a-file-is-told-at-once",
                    all_that_is_wrong_in_a_file_is_told_at_once);
    g_test_add_func("/inventory/files-that-are-not-ours-are-passed-over",
                    files_that_are_not_ours_are_passed_over);
    g_test_add_func("/inventory/a-directory-that-cannot-be-read-is-a-problem",
                    a_directory_that_cannot_be_read_is_a_problem);
    g_test_add_func("/inventory/a-file-that-is-a-directory-is-a-problem",
                    a_file_that_is_a_directory_is_a_problem);
    g_test_add_func("/inventory/a-commit-wins-over-the-file", a_commit_wins_over_the_file);
    g_test_add_func("/inventory/a-commit-that-cannot-be-followed-is-a-problem",
                    a_commit_that_cannot_be_followed_is_a_problem);
    g_test_add_func("/inventory/the-backend-port-follows-its-rule",
                    the_backend_port_follows_its_rule);
    g_test_add_func("/inventory/a-hashed-port-passes-over-public-ones",
                    a_hashed_port_passes_over_public_ones);
    g_test_add_func("/inventory/instances-with-one-port-are-told",
                    instances_with_one_port_are_told);
    g_test_add_func("/inventory/an-open-server-keeps-its-address",
                    an_open_server_keeps_its_address);
    g_test_add_func("/inventory/the-note-of-an-open-address-is-not-believed-blindly",
                    the_note_of_an_open_address_is_not_believed_blindly);
    status = g_test_run();
    scratch_end();
    return status;
}
