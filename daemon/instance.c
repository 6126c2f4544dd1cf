#include "daemon/instance.h"
#include "daemon/ask.h"
#include "daemon/call.h"
#include "daemon/daemon.h"
#include "daemon/options.h"
#include "daemon/probe.h"
#include "daemon/publish.h"
#include "daemon/server.h"
#include "common/error.h"
#include "common/names.h"

#include <string.h>

/* --- properties ------------------------------------------------------------------------------- */

static GVariant *text(const char *value)
{
    return g_variant_new_string(value ? value : "");
}

static GVariant *get_name(const Object *object)
{
    return text(((const Instance *)object)->config->name);
}

static GVariant *get_home(const Object *object)
{
    return text(((const Instance *)object)->config->home);
}

static GVariant *get_release(const Object *object)
{
    g_autofree char *release = instance_release((const Instance *)object);

    return text(release);
}

static GVariant *get_admin(const Object *object)
{
    const Instance *instance = (const Instance *)object;

    return text(instance->config->admin ? instance->config->admin
                : instance->facts       ? instance->facts->admin
                                        : NULL);
}

static GVariant *get_unit(const Object *object)
{
    return text(((const Instance *)object)->unit_name);
}

static GVariant *get_state(const Object *object)
{
    return text(instance_state((const Instance *)object));
}

static GVariant *get_daemon_port(const Object *object)
{
    const InstanceFacts *facts = ((const Instance *)object)->facts;

    return g_variant_new_uint16(facts ? facts->daemon_port : 0);
}

static GVariant *get_server_port(const Object *object)
{
    const InstanceFacts *facts = ((const Instance *)object)->facts;

    return g_variant_new_uint16(facts ? facts->server_port : 0);
}

static GVariant *get_databases(const Object *object)
{
    const InstanceFacts *facts = ((const Instance *)object)->facts;
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_STRING_ARRAY);

    for (guint i = 0; facts && i < facts->databases->len; i++)
        g_variant_builder_add(&list, "s", ((DatabaseFacts *)facts->databases->pdata[i])->dsn);
    return g_variant_builder_end(&list);
}

static GVariant *get_servers(const Object *object)
{
    const Instance *instance = (const Instance *)object;
    const GPtrArray *servers = object->daemon->inventory->servers;
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_STRING_ARRAY);

    for (guint i = 0; i < servers->len; i++) {
        const ServerConfig *server = servers->pdata[i];

        if (g_str_equal(server->instance, instance->config->name))
            g_variant_builder_add(&list, "s", server->name);
    }
    return g_variant_builder_end(&list);
}

static const PropertyRow properties[] = {
    { "Name", "s", get_name, .constant = TRUE },
    { "Home", "s", get_home },
    { "Release", "s", get_release },
    { "Admin", "s", get_admin },
    { "Unit", "s", get_unit },
    { "State", "s", get_state },
    { "DaemonPort", "q", get_daemon_port },
    { "ServerPort", "q", get_server_port },
    { "Databases", "as", get_databases },
    { "Servers", "as", get_servers },
    { NULL },
};

/* --- Probe ------------------------------------------------------------------------------------ */

static gboolean probe_prepare(Call *call, GError **error)
{
    g_autoptr(GVariant) options =
        g_variant_get_child_value(call->arguments, g_variant_n_children(call->arguments) - 1);
    const char *scratch = NULL;

    if (g_variant_n_children(call->arguments) > 1)
        g_variant_get_child(call->arguments, 0, "&s", &scratch);
    if (scratch && (!scratch[0] || scratch[0] == '-' || strpbrk(scratch, "[]\n\r=;")))
        return tu_error_set(error, TU_ERROR_INVALID_OPTION,
                            "That is no name of a database. Name a DSN of the instance");
    return options_take(call, options, OPTIONS_NONE, error);
}

static void probe_act(Call *call)
{
    ask_trials(call, NULL);
}

static void probe_scratch_act(Call *call)
{
    const char *scratch;

    g_variant_get_child(call->arguments, 0, "&s", &scratch);
    ask_trials(call, scratch);
}

static const MethodRow methods[] = {
    { "Probe", "a{sv}", "a(ssssss)", SD_BUS_PARAM(options) SD_BUS_PARAM(facts),
      "org.timesten.upgrade1.check", probe_prepare, probe_act },
    { "ProbeScratch", "sa{sv}", "a(ssssss)",
      SD_BUS_PARAM(scratch) SD_BUS_PARAM(options) SD_BUS_PARAM(facts),
      "org.timesten.upgrade1.upgrade", probe_prepare, probe_scratch_act },
    { NULL },
};

const Interface instance_interface = {
    .name = TU_INSTANCE_INTERFACE,
    .methods = methods,
    .properties = properties,
};

/* --- life ------------------------------------------------------------------------------------- */

const char *instance_state(const Instance *instance)
{
    static const struct {
        const char *active_state, *word;
    } words[] = {
        { "active", "running" },       { "reloading", "running" }, { "activating", "starting" },
        { "deactivating", "stopped" }, { "inactive", "stopped" },  { "failed", "failed" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        if (g_str_equal(words[i].active_state, unit_watch_state(instance->unit)))
            return words[i].word;
    return "unknown";
}

char *instance_release(const Instance *instance)
{
    if (instance->facts)
        return release_format(&instance->facts->release);
    return g_strdup(instance->config->release ? instance->config->release : "");
}

void instance_changed(Instance *instance)
{
    GHashTableIter iter;
    Server *server;

    publish_mark(&instance->object);
    g_hash_table_iter_init(&iter, instance->object.daemon->servers);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&server))
        publish_mark(&server->object);
}

static void on_unit(gpointer data)
{
    Instance *instance = data;
    gboolean active = g_str_equal(unit_watch_state(instance->unit), "active");

    /* What starts an instance may also have changed its option file. */
    if (active && !instance->was_active && instance->facts)
        probe_start(instance);
    instance->was_active = active;
    publish_mark(&instance->object);
}

static void follow_unit(Instance *instance)
{
    g_autofree char *unit = inventory_instance_unit(instance->config);

    if (g_strcmp0(unit, instance->unit_name) == 0)
        return;
    g_free(instance->unit_name);
    instance->unit_name = g_steal_pointer(&unit);
    unit_watch_free(instance->unit);
    instance->unit = NULL;
    instance->was_active = TRUE; /* how it is found at first is no change */
    instance->unit =
        unit_watch_new(instance->object.daemon, instance->unit_name, on_unit, instance);
}

void instance_stop(Instance *instance)
{
    probe_stop(instance);
    g_clear_pointer(&instance->unit, unit_watch_free);
}

static void clear(gpointer data)
{
    Instance *instance = data;

    instance_stop(instance);
    g_free(instance->unit_name);
    facts_free(instance->facts);
}

Instance *instance_new(Daemon *daemon, const InstanceConfig *config)
{
    g_autofree char *path = object_path(TU_INSTANCE_PATH, config->name);
    Instance *instance = object_new(sizeof *instance, daemon, &instance_interface, path, clear);

    instance->config = config;
    follow_unit(instance);
    probe_take_cached(instance);
    return instance;
}

Instance *instance_find(const Daemon *daemon, const char *name)
{
    return g_hash_table_lookup(daemon->instances, name);
}

void instance_update(Instance *instance, const InstanceConfig *config)
{
    const InstanceConfig *old = instance->config;
    gboolean other = !g_str_equal(old->home, config->home) ||
                     g_strcmp0(old->admin, config->admin) != 0 ||
                     g_strcmp0(old->release, config->release) != 0;

    instance->config = config;
    follow_unit(instance);
    if (other) {
        g_clear_pointer(&instance->facts, facts_free);
        probe_stop(instance);
        probe_again(instance);
    }
    instance_changed(instance);
}
