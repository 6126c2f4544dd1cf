/* The daemon's replication agents: one per data store that somebody started, or whose policy says
 * so. An agent that dies is started again, unless its policy is norestart or it never came up.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "catalog.h"
#include "failure.h"
#include "fault.h"

const char *const agent_policy_names[] = { "manual", "always", "norestart", NULL };

static void start(DataStore *store);

static gboolean on_restart(gpointer data)
{
    DataStore *store = data;

    store->agent.restart_source = 0;
    start(store);
    return G_SOURCE_REMOVE;
}

static void answer_starters(DataStore *store, gboolean up)
{
    while (store->agent.starters->len > 0) {
        Client *client = g_ptr_array_steal_index(store->agent.starters, 0);

        if (up)
            client_ok(client);
        else
            client_error(client, TT_AGENT_STOPPED, "Replication agent did not start");
    }
}

static void on_exit_of(GPid pid, int status, gpointer data)
{
    DataStore *store = data;
    StoreAgent *agent = &store->agent;
    Daemon *daemon = store->daemon;
    gboolean came_up = agent->port != 0;
    gboolean again =
        !agent->stopping && !daemon->stopping &&
        (agent->policy == AGENT_ALWAYS || (came_up && agent->policy != AGENT_NO_RESTART));

    instance_log(daemon->instance, agent->stopping ? "Info" : "Err",
                 "replication agent pid %d of %s ended, status 0x%x", (int)pid, store->path,
                 (unsigned)status);
    child_forget(&agent->child);
    agent->port = 0;
    g_clear_pointer(&agent->name, g_free);
    agent->stopping = FALSE;
    answer_starters(store, FALSE);
    while (agent->stoppers->len > 0)
        client_ok(g_ptr_array_steal_index(agent->stoppers, 0));
    if (again)
        agent->restart_source = g_timeout_add(
            (guint)(1000 * tune_get(daemon->instance->home, "agent-restart-seconds", 1)),
            on_restart, store);
    else
        agent->manual = FALSE;
    daemon_stop_further(daemon);
}

static void start(DataStore *store)
{
    Daemon *daemon = store->daemon;
    g_autofree char *line = message_line("agent", "path", store->path, NULL);

    if (store->agent.child.pid != 0 || daemon->stopping)
        return;
    if (!child_start(daemon, &store->agent.child, "timestenrepd", "1000003", NULL)) {
        instance_log(daemon->instance, "Err", "cannot start the replication agent of %s",
                     store->path);
        return;
    }
    g_child_watch_add(store->agent.child.pid, on_exit_of, store);
    wire_send(store->agent.child.wire, line);
}

void agent_init(DataStore *store)
{
    store->agent.starters = g_ptr_array_new();
    store->agent.stoppers = g_ptr_array_new();
}

void agent_clear(DataStore *store)
{
    if (store->agent.restart_source)
        g_source_remove(store->agent.restart_source);
    g_ptr_array_unref(store->agent.starters);
    g_ptr_array_unref(store->agent.stoppers);
}

gboolean agent_runs(const DataStore *store)
{
    return store->agent.child.pid != 0 || store->agent.restart_source != 0;
}

void agent_start(DataStore *store, Client *client, gboolean wait)
{
    if (agent_runs(store)) {
        client_error(client, TT_AGENT_RUNNING, "Replication agent is already running");
        return;
    }
    store->agent.manual = TRUE;
    start(store);
    if (wait && store->agent.child.pid != 0)
        g_ptr_array_add(store->agent.starters, client);
    else
        client_ok(client);
}

static void order_stop(DataStore *store)
{
    store->agent.stopping = TRUE;
    if (!wire_send(store->agent.child.wire, "stop"))
        kill(store->agent.child.pid, SIGKILL);
}

void agent_stop(DataStore *store, Client *client)
{
    if (!agent_runs(store)) {
        client_error(client, TT_AGENT_STOPPED, "Replication agent is already stopped");
    } else if (store->agent.policy == AGENT_ALWAYS) {
        client_error(client, TT_POLICY,
                     "Replication agent cannot be stopped by hand under policy always");
    } else if (store->agent.restart_source) {
        g_source_remove(store->agent.restart_source);
        store->agent.restart_source = 0;
        store->agent.manual = FALSE;
        client_ok(client);
    } else {
        g_ptr_array_add(store->agent.stoppers, client);
        store->agent.manual = FALSE;
        order_stop(store);
    }
}

gboolean agent_set_policy(DataStore *store, const char *policy)
{
    for (guint i = 0; agent_policy_names[i]; i++) {
        if (!policy || g_ascii_strcasecmp(policy, agent_policy_names[i]) != 0)
            continue;
        store->agent.policy = (AgentPolicy)i;
        catalog_save(store->daemon);
        if (i == AGENT_ALWAYS && !agent_runs(store))
            start(store);
        return TRUE;
    }
    return FALSE;
}

void agent_listens(DataStore *store, Client *client, const char *name, pid_t pid, guint16 port)
{
    if (store->agent.child.pid != pid) {
        client_error(client, TT_PROTOCOL, "not an agent of this daemon");
        return;
    }
    store->agent.port = port;
    g_free(store->agent.name);
    store->agent.name = g_strdup(name);
    wire_send(client->wire, client->daemon->compat ? "ok compat=1" : "ok compat=0");
    answer_starters(store, TRUE);
}

guint16 agents_port(const Daemon *daemon, const char *name)
{
    for (guint i = 0; i < daemon->stores->len; i++) {
        const DataStore *store = daemon->stores->pdata[i];

        if (store->agent.name && g_ascii_strcasecmp(store->agent.name, name) == 0)
            return store->agent.port;
    }
    return 0;
}

void agents_load(Daemon *daemon)
{
    for (guint i = 0; i < daemon->stores->len; i++) {
        DataStore *store = daemon->stores->pdata[i];

        if (store->agent.policy == AGENT_ALWAYS)
            start(store);
    }
}

void agents_stop(Daemon *daemon)
{
    for (guint i = 0; i < daemon->stores->len; i++) {
        DataStore *store = daemon->stores->pdata[i];

        if (store->agent.restart_source)
            g_source_remove(store->agent.restart_source);
        store->agent.restart_source = 0;
        if (store->agent.child.pid != 0 && !store->agent.stopping)
            order_stop(store);
    }
}

gboolean agents_busy(const Daemon *daemon)
{
    for (guint i = 0; i < daemon->stores->len; i++) {
        const DataStore *store = daemon->stores->pdata[i];

        if (store->agent.child.pid != 0)
            return TRUE;
    }
    return FALSE;
}

void agents_abandon(Daemon *daemon)
{
    for (guint i = 0; i < daemon->stores->len; i++) {
        const DataStore *store = daemon->stores->pdata[i];

        if (store->agent.child.pid != 0)
            kill(store->agent.child.pid, SIGKILL);
    }
}

void agents_forget_client(Client *client)
{
    for (guint i = 0; i < client->daemon->stores->len; i++) {
        DataStore *store = client->daemon->stores->pdata[i];

        g_ptr_array_remove(store->agent.starters, client);
        g_ptr_array_remove(store->agent.stoppers, client);
    }
}
