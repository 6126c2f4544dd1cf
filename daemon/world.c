#include "daemon/world.h"
#include "daemon/daemon.h"
#include "daemon/instance.h"
#include "daemon/jobs.h"
#include "daemon/log.h"
#include "daemon/probe.h"
#include "daemon/publish.h"
#include "daemon/server.h"
#include "daemon/watch.h"
#include "common/error.h"
#include "common/message.h"
#include "common/names.h"
#include "common/text.h"
#include "timesten/belief.h"

#define SETTLE_USEC (100 * USEC_PER_MSEC) /* editors write a file in several steps */

struct World {
    Daemon *daemon;
    Watch *watches[4];
    sd_event_source *settle;
    char **fact_problems;
    GHashTable *told; /* messages of the problems that are in the journal already */
};

/* --- problems --------------------------------------------------------------------------------- */

/* Each problem once, and again when it comes back after it was gone. */
static void tell_problems(World *world)
{
    const GPtrArray *problems = world->daemon->inventory->problems;
    GHashTable *now = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < problems->len; i++) {
        const InventoryProblem *problem = problems->pdata[i];
        gboolean is_server = g_strcmp0(problem->kind, "server") == 0;

        if (!g_hash_table_contains(world->told, problem->message))
            log_line(LOG_ERR,
                     &(LogFields){ .message_id = MESSAGE_CONFIGURATION_WRONG,
                                   .server = is_server ? problem->name : NULL,
                                   .instance = is_server ? NULL : problem->name,
                                   .code = "InvalidConfiguration" },
                     "%s", problem->message);
        g_hash_table_add(now, g_strdup(problem->message));
    }
    for (char **problem = world->fact_problems; *problem; problem++) {
        if (!g_hash_table_contains(world->told, *problem))
            log_line(LOG_ERR,
                     &(LogFields){ .message_id = MESSAGE_CONFIGURATION_WRONG,
                                   .code = "InvalidConfiguration" },
                     "%s", *problem);
        g_hash_table_add(now, g_strdup(*problem));
    }
    g_hash_table_unref(world->told);
    world->told = now;
}

/* --- objects ---------------------------------------------------------------------------------- */

static const InstanceConfig *configured_instance(const Inventory *inventory, const char *name)
{
    return inventory_instance(inventory, name, NULL);
}

static const ServerConfig *configured_server(const Inventory *inventory, const char *name)
{
    return inventory_server(inventory, name, NULL);
}

/* What the new inventory no longer has. The objects stop to follow anything, because a call may
 * still hold them. */
static void remove_gone(Daemon *daemon, const Inventory *inventory)
{
    GHashTableIter iter;
    const char *name;
    Instance *instance;
    Server *server;

    g_hash_table_iter_init(&iter, daemon->instances);
    while (g_hash_table_iter_next(&iter, (gpointer *)&name, (gpointer *)&instance))
        if (!configured_instance(inventory, name)) {
            publish_removed(&instance->object);
            instance_stop(instance);
            g_hash_table_iter_remove(&iter);
        }
    g_hash_table_iter_init(&iter, daemon->servers);
    while (g_hash_table_iter_next(&iter, (gpointer *)&name, (gpointer *)&server))
        if (!configured_server(inventory, name)) {
            publish_removed(&server->object);
            server_stop(server);
            g_hash_table_iter_remove(&iter);
        }
}

static void add_instances(Daemon *daemon)
{
    const GPtrArray *configs = daemon->inventory->instances;

    for (guint i = 0; i < configs->len; i++) {
        const InstanceConfig *config = configs->pdata[i];
        Instance *instance = instance_find(daemon, config->name);

        if (instance) {
            instance_update(instance, config);
            continue;
        }
        instance = instance_new(daemon, config);
        g_hash_table_insert(daemon->instances, g_strdup(config->name), instance);
        publish_added(&instance->object);
    }
}

static void add_servers(Daemon *daemon)
{
    const GPtrArray *configs = daemon->inventory->servers;

    for (guint i = 0; i < configs->len; i++) {
        const ServerConfig *config = configs->pdata[i];
        Server *server = server_find(daemon, config->name);

        if (server) {
            server_update(server, config);
            continue;
        }
        server = server_new(daemon, config);
        g_hash_table_insert(daemon->servers, g_strdup(config->name), server);
        publish_added(&server->object);
    }
}

static void read_again(World *world)
{
    Daemon *daemon = world->daemon;
    Inventory *old = daemon->inventory;
    Inventory *inventory = inventory_load();

    g_strfreev(world->fact_problems);
    world->fact_problems = belief_load();
    /* While the old one is still there: objects that go are told with what they were. */
    if (old)
        remove_gone(daemon, inventory);
    daemon->inventory = inventory;
    add_instances(daemon);
    add_servers(daemon);
    inventory_free(old);
    probe_go_on(daemon);
    tell_problems(world);
}

static int on_settled(sd_event_source *source, guint64 usec, void *data)
{
    read_again(data);
    return 0;
}

static void on_changed(gpointer data)
{
    World *world = data;
    int enabled = SD_EVENT_OFF;

    if (world->settle)
        sd_event_source_get_enabled(world->settle, &enabled);
    if (enabled != SD_EVENT_OFF)
        return;
    world->settle = sd_event_source_disable_unref(world->settle);
    sd_event_add_time_relative(world->daemon->event, &world->settle, CLOCK_MONOTONIC, SETTLE_USEC,
                               0, on_settled, world);
}

World *world_new(Daemon *daemon)
{
    World *world = g_new0(World, 1);
    g_autofree char *instances = path_instances_directory();
    g_autofree char *servers = path_servers_directory();
    g_autofree char *facts = path_facts_directory();
    g_autofree char *backings = path_state("servers");
    const char *directories[] = { instances, servers, facts, backings };

    G_STATIC_ASSERT(G_N_ELEMENTS(directories) == G_N_ELEMENTS(world->watches));

    world->daemon = daemon;
    world->told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(world->watches); i++)
        world->watches[i] = watch_new(daemon->event, directories[i], on_changed, world);
    read_again(world);
    return world;
}

void world_free(World *world)
{
    if (!world)
        return;
    for (guint i = 0; i < G_N_ELEMENTS(world->watches); i++)
        watch_free(world->watches[i]);
    sd_event_source_disable_unref(world->settle);
    g_hash_table_unref(world->told);
    g_strfreev(world->fact_problems);
    g_free(world);
}

void world_look_again(Daemon *daemon)
{
    read_again(daemon->world);
}

void world_reload(Daemon *daemon)
{
    GHashTableIter iter;
    Instance *instance;

    read_again(daemon->world);
    g_hash_table_iter_init(&iter, daemon->instances);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&instance))
        probe_again(instance);
}

/* --- look-ups --------------------------------------------------------------------------------- */

static gboolean check_name(const char *name, int code, const char *what, GError **error)
{
    g_autofree char *shown = NULL;

    if (name_is_valid(name))
        return TRUE;
    shown = text_one_line(name, 64);
    g_set_error(error, TU_ERROR, code, "\"%s\" cannot be the name of %s", shown, what);
    return FALSE;
}

Object *world_find_instance(Daemon *daemon, const char *name, GError **error)
{
    if (!check_name(name, TU_ERROR_NO_SUCH_INSTANCE, "an instance", error) ||
        !inventory_instance(daemon->inventory, name, error))
        return NULL;
    return &instance_find(daemon, name)->object;
}

Object *world_find_server(Daemon *daemon, const char *name, GError **error)
{
    if (!check_name(name, TU_ERROR_NO_SUCH_SERVER, "a server", error) ||
        !inventory_server(daemon->inventory, name, error))
        return NULL;
    return &server_find(daemon, name)->object;
}

Object *world_find_job(Daemon *daemon, guint64 id, GError **error)
{
    Job *job = jobs_find(daemon, id);

    if (!job)
        g_set_error(error, TU_ERROR, TU_ERROR_NO_SUCH_JOB,
                    "No job has the number %" G_GUINT64_FORMAT ". ttctl jobs shows all there are",
                    id);
    return job ? &job->object : NULL;
}

char **world_fact_problems(const Daemon *daemon)
{
    return daemon->world->fact_problems;
}

gboolean world_known(const Daemon *daemon)
{
    GHashTableIter iter;
    Instance *instance;
    Server *server;

    g_hash_table_iter_init(&iter, daemon->instances);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&instance))
        if (!unit_watch_answered(instance->unit) || (instance->probe && !instance->facts))
            return FALSE;
    g_hash_table_iter_init(&iter, daemon->servers);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&server))
        if (!unit_watch_answered(server->socket) || !unit_watch_answered(server->keeper))
            return FALSE;
    return jobs_known(daemon);
}
