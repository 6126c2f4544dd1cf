/* The daemon's side of its control protocol (README.md): one row per request. */
#include <string.h>
#include <unistd.h>

#include "catalog.h"
#include "failure.h"
#include "fault.h"

static DataStore *store_of(Client *client, const Message *message, gboolean add)
{
    const char *path = message_get(message, "path");
    DataStore *store = path && *path ? catalog_find(client->daemon, path, add) : NULL;

    if (!store && add)
        client_error(client, TT_PROTOCOL, "no data store named");
    return store;
}

static void handle_hello(Client *client, const Message *message)
{
    const Daemon *daemon = client->daemon;
    g_autofree char *pid = g_strdup_printf("%d", (int)getpid());
    g_autofree char *line = message_line(
        "ok", "home", daemon->instance->home, "instance", daemon->instance->name, "release",
        daemon->instance->release, "pid", pid, "compat", daemon->compat ? "1" : "0", NULL);

    client->pid = (pid_t)message_number(message, "pid");
    wire_send(client->wire, line);
}

/* What the DSN says of a database counts from its load on. */
static void take_attributes(DataStore *store, const Message *message)
{
    if (store->state != STORE_UNLOADED || !message_get(message, "megabytes"))
        return;
    store->segment_mb = (guint)message_number(message, "megabytes");
    store->force_disconnect = message_number(message, "force") != 0;
}

static void handle_connect(Client *client, const Message *message)
{
    const char *log_dir = message_get(message, "logdir");
    DataStore *store;

    if (client->store || !message_get(message, "type") || !message_get(message, "name")) {
        client_error(client, TT_PROTOCOL, "connected already, or no type or name");
        return;
    }
    store = store_of(client, message, TRUE);
    if (!store)
        return;
    client->type = g_strdup(message_get(message, "type"));
    client->name = g_strdup(message_get(message, "name"));
    client->info = g_strdup(message_get(message, "client"));
    client->pid = (pid_t)message_number(message, "pid");
    client->uid = (uid_t)message_number(message, "uid");
    client->creates = message_number(message, "create") != 0;
    take_attributes(store, message);
    if (log_dir && *log_dir && !store->log_dir)
        store->log_dir = g_strdup(log_dir);
    catalog_connect(store, client);
}

static void handle_policy(Client *client, const Message *message)
{
    int policy = policy_find(client->daemon->instance->family, message_get(message, "policy"));
    DataStore *store = policy >= 0 ? store_of(client, message, TRUE) : NULL;

    if (store) {
        catalog_set_policy(store, (RamPolicy)policy, (guint)message_number(message, "grace"));
        client_ok(client);
    } else if (policy < 0) {
        client_error(client, TT_POLICY, "RAM policy must be always, manual or inUse");
    }
}

static void handle_open(Client *client, const Message *message)
{
    DataStore *store = store_of(client, message, TRUE);

    if (!store)
        return;
    store->closed = message_number(message, "closed") != 0;
    catalog_save(client->daemon);
    client_ok(client);
}

static void handle_disconnect(Client *client, const Message *message)
{
    DataStore *store = store_of(client, message, TRUE);
    int mode = disconnect_find(message_get(message, "mode"));

    if (!store)
        return;
    if (mode < 0) {
        client_error(client, TT_PROTOCOL, "no such way to disconnect");
    } else if (store->state != STORE_LOADED) {
        client_error(client, TT_UNLOADED, "Data store is not loaded");
    } else if (!store->force_disconnect) {
        client_error(client, TT_NO_FORCE,
                     "Disconnecting by force is not enabled: ForceDisconnectEnabled is 0");
    } else {
        catalog_disconnect(store, (DisconnectMode)mode, message_number(message, "unload") != 0);
        client_ok(client);
    }
}

/* Nobody waits for an answer to this. */
static void handle_transaction(Client *client, const Message *message)
{
    catalog_transaction(client, message_number(message, "open") != 0);
}

static void handle_detach(Client *client, const Message *message)
{
    DataStore *store = store_of(client, message, TRUE);

    if (store)
        segment_detach(store, client);
}

static void handle_attach(Client *client, const Message *message)
{
    DataStore *store = store_of(client, message, TRUE);

    if (store)
        segment_attach(store, (guint)message_number(message, "megabytes"), client);
}

static void handle_free(Client *client, const Message *message)
{
    DataStore *store = store_of(client, message, TRUE);

    if (store)
        segment_free(store, client);
}

static void handle_ram_load(Client *client, const Message *message)
{
    DataStore *store = store_of(client, message, TRUE);

    if (!store)
        return;
    take_attributes(store, message);
    catalog_ram_load(store, client);
}

static void handle_ram_unload(Client *client, const Message *message)
{
    DataStore *store = store_of(client, message, TRUE);

    if (store)
        catalog_ram_unload(store, client);
}

static void handle_query(Client *client, const Message *message)
{
    const DataStore *store = store_of(client, message, FALSE);
    g_autofree char *grace = g_strdup_printf("%u", store ? store->grace : 0);
    g_autofree char *line =
        message_line("ok", "policy", policy_names[store ? store->policy : POLICY_IN_USE], "grace",
                     grace, "loaded", store && store->manually_loaded ? "1" : "0", "agent",
                     store && agent_runs(store) ? "1" : "0", "agentmanual",
                     store && store->agent.manual ? "1" : "0", "agentpolicy",
                     agent_policy_names[store ? store->agent.policy : AGENT_MANUAL], "closed",
                     store && store->closed ? "1" : "0", NULL);

    wire_send(client->wire, line);
}

/* The client wants the files for itself until its link ends. */
static void handle_reserve(Client *client, const Message *message)
{
    DataStore *store = store_of(client, message, TRUE);

    if (!store)
        return;
    if (store->state != STORE_UNLOADED || store->connections->len > 0 || store->waiting->len > 0 ||
        (store->reserver && store->reserver != client)) {
        client_error(client, TT_IN_USE, "Data store is in use");
        return;
    }
    if ((store->policy != POLICY_IN_USE && store->manually_loaded) || segment_is_there(store)) {
        client_error(client, TT_IN_USE, "Data store is kept in RAM by its RAM policy");
        return;
    }
    store->reserver = client;
    client->reserved = store;
    client_ok(client);
}

static void handle_forget(Client *client, const Message *message)
{
    DataStore *store = store_of(client, message, FALSE);

    if (store && store->reserver == client)
        catalog_remove(store);
    client_ok(client);
}

static void handle_stop(Client *client, const Message *message)
{
    /* A daemon that hears and does nothing: the stop then waits for ever. */
    if (!fault_now(client->daemon->instance->home, "timestend", "ignore-stop"))
        daemon_stop(client->daemon, client);
}

static Service *service_of(Client *client, const Message *message)
{
    return g_strcmp0(message_get(message, "which"), "web") == 0 ? &client->daemon->web
                                                                : &client->daemon->server;
}

static void handle_start_service(Client *client, const Message *message)
{
    Service *service = service_of(client, message);
    g_autofree char *port = instance_option(client->daemon->instance, service->option);

    if (service->child.pid != 0) {
        client_error(client, TT_AGENT_RUNNING, "is already running");
    } else if (!port) {
        client_error(client, TT_AGENT_STOPPED, "has no port configured");
    } else {
        service_start(client->daemon, service);
        service_answer(client, service); /* it may still fail to listen: nobody waits for that */
    }
}

static void handle_stop_service(Client *client, const Message *message)
{
    Service *service = service_of(client, message);
    gboolean restart = message_number(message, "restart") != 0;

    if (service->child.pid == 0 && restart) {
        handle_start_service(client, message);
    } else if (service->child.pid == 0) {
        client_error(client, TT_AGENT_STOPPED, "is not running");
    } else {
        service->restart = restart;
        g_ptr_array_add(service->waiting, client);
        service_stop(client->daemon, service, message_number(message, "force") != 0);
    }
}

/* ttcserver and ttwebserver say that they listen, and are told how to judge clients. */
static void handle_listening(Client *client, const Message *message)
{
    Service *service = service_of(client, message);

    if (service->child.pid == (pid_t)message_number(message, "pid"))
        service->registered = client;
    client_ok(client);
}

static void report_service(Client *client, const char *verb, const Service *service)
{
    g_autofree char *pid = g_strdup_printf("%d", (int)service->child.pid);
    g_autofree char *port = g_strdup_printf("%u", service->port);
    g_autofree char *line = message_line(verb, "pid", pid, "port", port, NULL);

    if (service->registered)
        wire_send(client->wire, line);
}

static void report_store(Client *client, const DataStore *store)
{
    g_autofree char *key = g_strdup_printf("%u", store->key);
    g_autofree char *subdaemon = g_strdup_printf("%d", (int)store->subdaemon.pid);
    g_autofree char *grace = g_strdup_printf("%u", store->grace);
    g_autofree char *agent = g_strdup_printf("%d", (int)store->agent.child.pid);
    g_autofree char *port = g_strdup_printf("%u", store->agent.port);
    g_autofree char *line = message_line(
        "store", "path", store->path, "key", key, "subdaemon",
        store->state == STORE_LOADED ? subdaemon : "0", "policy", policy_names[store->policy],
        "grace", grace, "loaded", store->manually_loaded ? "1" : "0", "agent",
        store->agent.port ? "1" : "0", "agentpolicy", agent_policy_names[store->agent.policy],
        "agentpid", agent, "agentport", port, "closed", store->closed ? "1" : "0", NULL);

    wire_send(client->wire, line);
    for (guint i = 0; i < store->connections->len; i++) {
        const Client *other = store->connections->pdata[i];
        g_autofree char *pid = g_strdup_printf("%d", (int)other->pid);
        g_autofree char *id = g_strdup_printf("%u", other->id);
        g_autofree char *row = message_line("connection", "type", other->type, "pid", pid, "name",
                                            other->name, "connid", id, "client", other->info, NULL);

        wire_send(client->wire, row);
    }
}

static void handle_status(Client *client, const Message *message)
{
    const Daemon *daemon = client->daemon;

    report_service(client, "server", &daemon->server);
    report_service(client, "web", &daemon->web);
    for (guint i = 0; i < daemon->stores->len; i++)
        report_store(client, daemon->stores->pdata[i]);
    wire_send(client->wire, "end");
}

static void handle_agent_start(Client *client, const Message *message)
{
    DataStore *store = store_of(client, message, TRUE);

    if (store)
        agent_start(store, client, message_number(message, "wait") != 0);
}

static void handle_agent_stop(Client *client, const Message *message)
{
    DataStore *store = store_of(client, message, TRUE);

    if (store)
        agent_stop(store, client);
}

static void handle_agent_policy(Client *client, const Message *message)
{
    DataStore *store = store_of(client, message, TRUE);

    if (!store)
        return;
    if (agent_set_policy(store, message_get(message, "policy")))
        client_ok(client);
    else
        client_error(client, TT_POLICY,
                     "Replication agent policy must be always, manual or norestart");
}

static void handle_agent_listening(Client *client, const Message *message)
{
    DataStore *store = store_of(client, message, FALSE);

    if (store && message_get(message, "name"))
        agent_listens(store, client, message_get(message, "name"),
                      (pid_t)message_number(message, "pid"),
                      (guint16)message_number(message, "port"));
    else
        client_error(client, TT_PROTOCOL, "no such data store");
}

/* Where the agent of a store listens: what agents with dynamic ports ask. */
static void handle_agent_port(Client *client, const Message *message)
{
    const char *name = message_get(message, "name");
    guint16 number = name ? agents_port(client->daemon, name) : 0;
    g_autofree char *port = g_strdup_printf("%u", number);
    g_autofree char *line = message_line("ok", "port", port, NULL);

    if (number != 0)
        wire_send(client->wire, line);
    else
        client_error(client, TT_AGENT_STOPPED, "No replication agent of such a data store");
}

static const struct {
    const char *verb;
    void (*handle)(Client *client, const Message *message);
    gboolean while_stopping;
    gboolean remote; /* also from other hosts */
} requests[] = {
    { "hello", handle_hello, TRUE },
    { "status", handle_status, TRUE },
    { "connect", handle_connect, FALSE },
    { "policy", handle_policy, FALSE },
    { "ramload", handle_ram_load, FALSE },
    { "ramunload", handle_ram_unload, FALSE },
    { "open", handle_open, FALSE },
    { "disconnect", handle_disconnect, FALSE },
    { "transaction", handle_transaction, TRUE },
    { "shmdetach", handle_detach, FALSE },
    { "shmattach", handle_attach, FALSE },
    { "shmfree", handle_free, FALSE },
    { "query", handle_query, FALSE },
    { "reserve", handle_reserve, FALSE },
    { "forget", handle_forget, FALSE },
    { "startservice", handle_start_service, FALSE },
    { "stopservice", handle_stop_service, FALSE },
    { "listening", handle_listening, TRUE },
    { "stop", handle_stop, FALSE },
    { "repstart", handle_agent_start, FALSE },
    { "repstop", handle_agent_stop, FALSE },
    { "reppolicy", handle_agent_policy, FALSE },
    { "replistening", handle_agent_listening, FALSE },
    { "repport", handle_agent_port, FALSE, TRUE },
};

void request_handle(Client *client, const char *line)
{
    g_autoptr(Message) message = message_parse(line);

    for (guint i = 0; i < G_N_ELEMENTS(requests); i++) {
        if (strcmp(requests[i].verb, message->verb) != 0)
            continue;
        if (client->remote && !requests[i].remote)
            client_error(client, TT_PROTOCOL, "not from another host");
        else if (client->daemon->stopping && !requests[i].while_stopping)
            client_error(client, TT_SHUTDOWN, "Daemon is shutting down");
        else
            requests[i].handle(client, message);
        return;
    }
    client_error(client, TT_PROTOCOL, "unknown request");
}
