#include "catalog.h"

#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "failure.h"
#include "store.h"

const char *const policy_names[] = { "inUse", "manual", "always", "enduring", NULL };

int policy_find(const Family *family, const char *name)
{
    for (int i = 0; name && policy_names[i]; i++) {
        if (g_ascii_strcasecmp(name, policy_names[i]) == 0)
            return i != POLICY_ENDURING || family->closable ? i : -1;
    }
    return -1;
}

/* Loaded and unloaded by an administrator only. */
static gboolean by_hand(const DataStore *store)
{
    return store->policy == POLICY_MANUAL || store->policy == POLICY_ENDURING;
}

static void load(DataStore *store);

static char *catalog_path(const Daemon *daemon)
{
    return g_build_filename(daemon->instance->daemon_home, "DBIstores", NULL);
}

void catalog_save(Daemon *daemon)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *path = catalog_path(daemon);

    for (guint i = 0; i < daemon->stores->len; i++) {
        const DataStore *store = daemon->stores->pdata[i];

        g_key_file_set_string(file, store->path, "policy", policy_names[store->policy]);
        g_key_file_set_integer(file, store->path, "grace", (int)store->grace);
        g_key_file_set_boolean(file, store->path, "manual", store->manually_loaded);
        g_key_file_set_string(file, store->path, "reppolicy",
                              agent_policy_names[store->agent.policy]);
        g_key_file_set_boolean(file, store->path, "closed", store->closed);
        g_key_file_set_boolean(file, store->path, "force", store->force_disconnect);
        g_key_file_set_integer(file, store->path, "megabytes", (int)store->segment_mb);
        if (store->segment >= 0)
            g_key_file_set_integer(file, store->path, "segment", store->segment);
        /* A daemon that dies leaves this behind, and the next one knows. */
        g_key_file_set_boolean(file, store->path, "recover",
                               store->recover || store->state == STORE_LOADED);
    }
    g_key_file_save_to_file(file, path, NULL);
}

DataStore *catalog_find(Daemon *daemon, const char *path, gboolean add)
{
    static guint keys;
    DataStore *store;

    for (guint i = 0; i < daemon->stores->len; i++) {
        store = daemon->stores->pdata[i];
        if (strcmp(store->path, path) == 0)
            return store;
    }
    if (!add)
        return NULL;
    store = g_new0(DataStore, 1);
    store->daemon = daemon;
    store->path = g_strdup(path);
    store->segment = -1;
    store->connections = g_ptr_array_new();
    store->waiting = g_ptr_array_new();
    store->unloading = g_ptr_array_new();
    agent_init(store);
    store->key = 0x060036f0U + 0x10U * ++keys;
    g_ptr_array_add(daemon->stores, store);
    return store;
}

void catalog_remove(DataStore *store)
{
    Daemon *daemon = store->daemon;

    if (store->state != STORE_UNLOADED || store->connections->len > 0 || store->waiting->len > 0 ||
        store->agent.child.pid != 0)
        return;
    agent_clear(store);
    if (store->reserver)
        store->reserver->reserved = NULL;
    if (store->grace_source)
        g_source_remove(store->grace_source);
    g_ptr_array_remove(daemon->stores, store);
    g_ptr_array_unref(store->connections);
    g_ptr_array_unref(store->waiting);
    g_ptr_array_unref(store->unloading);
    g_free(store->load_error);
    g_free(store->log_dir);
    g_free(store->path);
    g_free(store);
    catalog_save(daemon);
}

static void answer_connected(DataStore *store, Client *client)
{
    static guint ids;
    g_autofree char *id = g_strdup_printf("%u", ids % 2000 + 1);
    g_autofree char *line = message_line("ok", "connid", id, NULL);

    client->store = store;
    client->id = ids++ % 2000 + 1;
    g_ptr_array_add(store->connections, client);
    wire_send(client->wire, line);
}

/* Everybody who waited for the load gets an answer: those who wanted a connection have a type. */
static void answer_waiting(DataStore *store)
{
    while (store->waiting->len > 0) {
        Client *client = g_ptr_array_steal_index(store->waiting, 0);

        if (store->state == STORE_LOADED && client->type)
            answer_connected(store, client);
        else if (store->state == STORE_LOADED)
            client_ok(client);
        else if (store->load_error)
            wire_send(client->wire, store->load_error);
        else
            client_error(client, TT_NO_CHECKPOINT, "Cannot load the data store");
    }
}

static void unload(DataStore *store)
{
    if (store->state != STORE_LOADED)
        return;
    store->state = STORE_UNLOADING;
    if (!wire_send(store->subdaemon.wire, "unload"))
        kill(store->subdaemon.pid, SIGKILL);
}

static gboolean on_grace_over(gpointer data)
{
    DataStore *store = data;

    store->grace_source = 0;
    if (store->connections->len == 0 && store->waiting->len == 0)
        unload(store);
    return G_SOURCE_REMOVE;
}

/* After the last disconnect: what the RAM policy wants. */
static void maybe_unload(DataStore *store)
{
    gboolean keep = store->policy == POLICY_ALWAYS || (by_hand(store) && store->manually_loaded);

    if (keep || store->state != STORE_LOADED || store->connections->len > 0 ||
        store->waiting->len > 0 || store->grace_source || store->daemon->stopping)
        return;
    if (store->policy == POLICY_IN_USE && store->grace > 0)
        store->grace_source = g_timeout_add_seconds(store->grace, on_grace_over, store);
    else
        unload(store);
}

/* Takes what the sub-daemon says; FALSE at its end. */
static gboolean hear_subdaemon(DataStore *store)
{
    g_autofree char *line = NULL;

    if (!wire_fill(store->subdaemon.wire))
        return FALSE;
    line = wire_take(store->subdaemon.wire);
    if (!line)
        return TRUE;
    if (strcmp(line, "ready") == 0) {
        store->state = STORE_LOADED;
        store->recover = FALSE;
        catalog_save(store->daemon);
        answer_waiting(store);
        if (store->daemon->stopping)
            unload(store);
        maybe_unload(store);
    } else {
        g_free(store->load_error);
        store->load_error = g_steal_pointer(&line);
    }
    return TRUE;
}

static gboolean on_subdaemon_line(int fd, GIOCondition condition, gpointer data)
{
    DataStore *store = data;

    if (hear_subdaemon(store))
        return G_SOURCE_CONTINUE;
    store->subdaemon.source = 0;
    return G_SOURCE_REMOVE;
}

/* Whether one of those who wait would make the data store. */
static gboolean is_wanted_new(const DataStore *store)
{
    for (guint i = 0; i < store->waiting->len; i++)
        if (((Client *)store->waiting->pdata[i])->creates)
            return TRUE;
    return FALSE;
}

static void on_subdaemon_exit(GPid pid, int status, gpointer data)
{
    DataStore *store = data;
    StoreState before;

    /* What it said last may still be in the socket. */
    while (store->subdaemon.source && hear_subdaemon(store)) {
    }
    before = store->state;
    child_forget(&store->subdaemon);
    store->state = STORE_UNLOADED;
    store->recover |= before == STORE_LOADED || (WIFSIGNALED(status) && before == STORE_UNLOADING);
    if (before == STORE_LOADED) {
        instance_log(store->daemon->instance, "Err",
                     "sub-daemon pid %d of %s died: the data store is invalid", (int)pid,
                     store->path);
        while (store->connections->len > 0)
            client_drop(store->connections->pdata[0]);
    }
    catalog_save(store->daemon);
    while (store->unloading->len > 0)
        client_ok(g_ptr_array_steal_index(store->unloading, 0));
    /* Who would make it does not fail because another, who would not, came first. */
    if (((before == STORE_UNLOADING && store->waiting->len > 0) ||
         (before == STORE_LOADING && !store->creating && is_wanted_new(store))) &&
        !store->daemon->stopping)
        load(store);
    else
        answer_waiting(store);
    daemon_stop_further(store->daemon);
}

static void load(DataStore *store)
{
    g_autofree char *line = NULL;

    store->creating = is_wanted_new(store);
    line = message_line("load", "path", store->path, "logdir", store->log_dir ? store->log_dir : "",
                     "create", store->creating ? "1" : "0", "recover", store->recover ? "1" : "0",
                     "attach", store->attach ? "1" : "0", NULL);

    g_clear_pointer(&store->load_error, g_free);
    store->attach = FALSE;
    if (!child_start(store->daemon, &store->subdaemon, "timestensubd", "1000000", NULL)) {
        answer_waiting(store);
        return;
    }
    store->state = STORE_LOADING;
    store->subdaemon.source = g_unix_fd_add(
        store->subdaemon.wire->fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_subdaemon_line, store);
    g_child_watch_add(store->subdaemon.pid, on_subdaemon_exit, store);
    wire_send(store->subdaemon.wire, line);
}

void catalog_connect(DataStore *store, Client *client)
{
    gboolean wanted = (!by_hand(store) || store->manually_loaded) && store->segment < 0;

    if (store->reserver && store->reserver != client) {
        client_error(client, TT_IN_USE, "Data store is in use");
    } else if (!wanted) {
        client_error(client, TT_MANUALLY_UNLOADED,
                     "Attempt to connect to a data store that has been manually unloaded from RAM");
    } else if (!catalog_admits(store, client)) {
        client_error(client, TT_CLOSED, "Database is closed to user connections");
    } else if (store->state == STORE_LOADED) {
        if (store->grace_source)
            g_source_remove(store->grace_source);
        store->grace_source = 0;
        answer_connected(store, client);
    } else {
        g_ptr_array_add(store->waiting, client);
        if (store->state == STORE_UNLOADED)
            load(store);
    }
}

void catalog_ram_load(DataStore *store, Client *client)
{
    if (!by_hand(store)) {
        client_error(client, TT_POLICY, "RAM policy must be manual to load a data store into RAM");
    } else if (segment_is_there(store)) {
        client_error(client, TT_SEGMENT,
                     "The shared memory segment is detached: attach or free it");
    } else if (store->manually_loaded && store->state == STORE_LOADED) {
        client_error(client, TT_LOADED, "Data store is already manually loaded into RAM");
    } else {
        store->manually_loaded = TRUE;
        store->segment = -1; /* lost, as after a reboot */
        catalog_save(store->daemon);
        if (store->state == STORE_LOADED) {
            client_ok(client);
            return;
        }
        g_ptr_array_add(store->waiting, client);
        if (store->state == STORE_UNLOADED)
            load(store);
    }
}

void catalog_ram_unload(DataStore *store, Client *client)
{
    if (store->policy == POLICY_ALWAYS) {
        client_error(client, TT_POLICY,
                     "RAM policy must be manual to unload a data store from RAM");
    } else if (store->connections->len > 0 || store->waiting->len > 0) {
        client_error(client, TT_IN_USE, "Data store is in use");
    } else if (segment_is_there(store)) {
        client_error(client, TT_SEGMENT,
                     "The shared memory segment is detached: attach or free it");
    } else if (store->state == STORE_UNLOADED && !store->manually_loaded) {
        client_error(client, TT_UNLOADED, "Data store is already manually unloaded from RAM");
    } else {
        store->manually_loaded = FALSE;
        catalog_save(store->daemon);
        if (store->state == STORE_UNLOADED) {
            client_ok(client);
            return;
        }
        g_ptr_array_add(store->unloading, client);
        unload(store);
    }
}

void catalog_set_policy(DataStore *store, RamPolicy policy, guint grace)
{
    store->policy = policy;
    store->grace = grace;
    /* From manual to enduring and back a database stays where it is. */
    if (!by_hand(store))
        store->manually_loaded = FALSE;
    catalog_save(store->daemon);
    if (policy == POLICY_ALWAYS && store->state == STORE_UNLOADED && store_exists(store->path))
        load(store);
    maybe_unload(store);
}

void catalog_start_load(DataStore *store)
{
    load(store);
}

void catalog_start_unload(DataStore *store)
{
    unload(store);
}

void catalog_settle(DataStore *store)
{
    maybe_unload(store);
}

void catalog_forget_client(Client *client)
{
    Daemon *daemon = client->daemon;

    for (guint i = 0; i < daemon->stores->len; i++) {
        DataStore *store = daemon->stores->pdata[i];

        g_ptr_array_remove(store->waiting, client);
        g_ptr_array_remove(store->unloading, client);
        if (store->reserver == client)
            store->reserver = NULL;
    }
    if (client->store) {
        DataStore *store = g_steal_pointer(&client->store);

        g_ptr_array_remove(store->connections, client);
        maybe_unload(store);
    }
}

void catalog_load(Daemon *daemon)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *path = catalog_path(daemon);
    g_auto(GStrv) paths = NULL;

    g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL);
    paths = g_key_file_get_groups(file, NULL);
    for (guint i = 0; paths[i]; i++) {
        g_autofree char *policy = g_key_file_get_string(file, paths[i], "policy", NULL);
        g_autofree char *policy_of_agent = NULL;
        DataStore *store = catalog_find(daemon, paths[i], TRUE);

        for (guint p = 0; policy_names[p]; p++) {
            if (g_strcmp0(policy, policy_names[p]) == 0)
                store->policy = p;
        }
        store->grace = (guint)g_key_file_get_integer(file, paths[i], "grace", NULL);
        store->manually_loaded = g_key_file_get_boolean(file, paths[i], "manual", NULL);
        store->recover = g_key_file_get_boolean(file, paths[i], "recover", NULL);
        store->closed = g_key_file_get_boolean(file, paths[i], "closed", NULL);
        store->force_disconnect = g_key_file_get_boolean(file, paths[i], "force", NULL);
        store->segment_mb = (guint)g_key_file_get_integer(file, paths[i], "megabytes", NULL);
        store->segment = g_key_file_has_key(file, paths[i], "segment", NULL)
                             ? g_key_file_get_integer(file, paths[i], "segment", NULL)
                             : -1;
        policy_of_agent = g_key_file_get_string(file, paths[i], "reppolicy", NULL);
        for (guint p = 0; agent_policy_names[p]; p++) {
            if (g_strcmp0(policy_of_agent, agent_policy_names[p]) == 0)
                store->agent.policy = (AgentPolicy)p;
        }
        if ((store->policy == POLICY_ALWAYS || store->manually_loaded) && store->segment < 0 &&
            store_exists(store->path))
            load(store);
    }
}

gboolean catalog_busy(const Daemon *daemon)
{
    for (guint i = 0; i < daemon->stores->len; i++) {
        const DataStore *store = daemon->stores->pdata[i];

        if (store->subdaemon.pid != 0)
            return TRUE;
    }
    return FALSE;
}

void catalog_unload_all(Daemon *daemon)
{
    for (guint i = 0; i < daemon->stores->len; i++) {
        DataStore *store = daemon->stores->pdata[i];

        /* Connections that are still there lose a valid image: the next load has to recover. */
        store->recover |= store->connections->len > 0;
        unload(store);
    }
    catalog_save(daemon);
}

void catalog_abandon(Daemon *daemon)
{
    for (guint i = 0; i < daemon->stores->len; i++) {
        const DataStore *store = daemon->stores->pdata[i];

        if (store->subdaemon.pid != 0)
            kill(store->subdaemon.pid, SIGKILL);
    }
}
