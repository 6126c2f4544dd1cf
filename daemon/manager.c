#include "daemon/manager.h"
#include "daemon/adopt.h"
#include "daemon/call.h"
#include "daemon/checks.h"
#include "daemon/daemon.h"
#include "daemon/instance.h"
#include "daemon/jobs.h"
#include "daemon/log.h"
#include "daemon/server.h"
#include "daemon/socket.h"
#include "daemon/world.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"
#include "timesten/belief.h"
#include "systemd/generator.h"
#include "systemd/unit.h"

/* --- lists ------------------------------------------------------------------------------------ */

static void list_instances(Call *call)
{
    const Daemon *daemon = call->object->daemon;
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(ssso)"));

    for (guint i = 0; i < daemon->inventory->instances->len; i++) {
        const InstanceConfig *config = daemon->inventory->instances->pdata[i];
        const Instance *instance = instance_find(daemon, config->name);
        g_autofree char *release = instance_release(instance);

        g_variant_builder_add(&list, "(ssso)", config->name, release, instance_state(instance),
                              instance->object.path);
    }
    call_reply(call, g_variant_new("(a(ssso))", &list));
}

static void list_servers(Call *call)
{
    const Daemon *daemon = call->object->daemon;
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(ssqso)"));

    for (guint i = 0; i < daemon->inventory->servers->len; i++) {
        const ServerConfig *config = daemon->inventory->servers->pdata[i];
        const Server *server = server_find(daemon, config->name);

        g_variant_builder_add(&list, "(ssqso)", config->name, server_state(server), config->port,
                              config->instance, server->object.path);
    }
    call_reply(call, g_variant_new("(a(ssqso))", &list));
}

static void list_jobs(Call *call)
{
    const GPtrArray *jobs = jobs_all(call->object->daemon);
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(tsssdo)"));

    for (guint i = 0; i < jobs->len; i++) {
        const Job *job = jobs->pdata[i];

        g_variant_builder_add(&list, "(tsssdo)", job->id, job->request ? job->request->server : "",
                              job_method(job), job_state(job),
                              job_progress(job), job->object.path);
    }
    call_reply(call, g_variant_new("(a(tsssdo))", &list));
}

static void list_facts(Call *call)
{
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(ssssssss)"));

    for (guint i = 0; i < N_BELIEFS; i++) {
        const Belief *row = &beliefs[i];
        const char tag[] = { row->tag, '\0' };
        const char *override = belief_override(i);

        g_variant_builder_add(&list, "(ssssssss)", row->name, tag, belief_type_nicks[row->type],
                              belief_value(i), row->value, row->meaning, row->source,
                              override ? override : "");
    }
    call_reply(call, g_variant_new("(a(ssssssss)^as)", &list,
                                   world_fact_problems(call->object->daemon)));
}

/* --- look-ups --------------------------------------------------------------------------------- */

static const char *name_argument(Call *call)
{
    const char *name;

    g_variant_get(call->arguments, "(&s)", &name);
    return name;
}

static void answer_object(Call *call, const Object *object, const GError *error)
{
    if (object)
        call_reply(call, g_variant_new("(o)", object->path));
    else
        call_fail(call, error);
}

static void get_instance(Call *call)
{
    g_autoptr(GError) error = NULL;
    Object *object = world_find_instance(call->object->daemon, name_argument(call), &error);

    answer_object(call, object, error);
}

static void get_server(Call *call)
{
    g_autoptr(GError) error = NULL;
    Object *object = world_find_server(call->object->daemon, name_argument(call), &error);

    answer_object(call, object, error);
}

static void get_job(Call *call)
{
    g_autoptr(GError) error = NULL;
    guint64 id;
    Object *object;

    g_variant_get(call->arguments, "(t)", &id);
    object = world_find_job(call->object->daemon, id, &error);
    answer_object(call, object, error);
}

/* --- Reload ----------------------------------------------------------------------------------- */

typedef struct {
    Call *call;
    UnitCall *systemd;
    guint tries;
} Reload;

static gboolean ask_systemd(Reload *reload);

static void on_reloaded(const char *result, const GError *error, gpointer data)
{
    Reload *reload = data;
    g_autoptr(GError) unfinished = NULL;

    g_clear_pointer(&reload->systemd, unit_call_free);
    if (!error && !generator_ran()) {
        if (reload->tries < GENERATOR_TRIES && ask_systemd(reload))
            return;
        generator_fail("ttctl reload", &unfinished);
        error = unfinished;
    }
    if (error) {
        call_fail(reload->call, error);
    } else {
        log_line(LOG_INFO, &(LogFields){ 0 }, "Configuration read again, asked by user %u",
                 call_person(reload->call));
        call_reply(reload->call, NULL);
    }
    g_free(reload);
}

static gboolean ask_systemd(Reload *reload)
{
    reload->tries++;
    reload->systemd = unit_reload_all(reload->call->object->daemon->bus, on_reloaded, reload);
    return reload->systemd != NULL;
}

static void act_reload(Call *call)
{
    Reload *reload = g_new0(Reload, 1);

    reload->call = call;
    world_reload(call->object->daemon);
    if (!ask_systemd(reload)) {
        call_fail_with(
            call, TU_ERROR_FAILED,
            "systemd cannot be asked to run its generators; run systemctl daemon-reload");
        g_free(reload);
    }
}

/* --- properties ------------------------------------------------------------------------------- */

static GVariant *get_version(const Object *object)
{
    return g_variant_new_string(VERSION);
}

static GVariant *get_features(const Object *object)
{
    static const char *const features[] = { "offline", "in-place", "relay", "inherit", "rollback", "retry", "clean",
                                            "adopt", "confirm",
                                            "hold-socket" };

    return g_variant_new_strv(features, G_N_ELEMENTS(features));
}

static const MethodRow methods[] = {
    { "ListInstances", "", "a(ssso)", SD_BUS_PARAM(instances), FREE_FOR_ALL, NULL, list_instances },
    { "ListServers", "", "a(ssqso)", SD_BUS_PARAM(servers), FREE_FOR_ALL, NULL, list_servers },
    { "ListJobs", "", "a(tsssdo)", SD_BUS_PARAM(jobs), FREE_FOR_ALL, NULL, list_jobs },
    { "ListChecks", "", "a(ssasasssssss)", SD_BUS_PARAM(checks), FREE_FOR_ALL, NULL, checks_list },
    { "ListFacts", "", "a(ssssssss)as", SD_BUS_PARAM(facts) SD_BUS_PARAM(problems), FREE_FOR_ALL,
      NULL, list_facts },
    { "GetInstance", "s", "o", SD_BUS_PARAM(name) SD_BUS_PARAM(path), FREE_FOR_ALL, NULL,
      get_instance },
    { "GetServer", "s", "o", SD_BUS_PARAM(name) SD_BUS_PARAM(path), FREE_FOR_ALL, NULL,
      get_server },
    { "GetJob", "t", "o", SD_BUS_PARAM(id) SD_BUS_PARAM(path), FREE_FOR_ALL, NULL, get_job },
    { "Adopt", "ssa{sv}", "to",
      SD_BUS_PARAM(name) SD_BUS_PARAM(instance) SD_BUS_PARAM(options) SD_BUS_PARAM(id)
          SD_BUS_PARAM(job),
      "org.timesten.upgrade1.adopt", adopt_prepare, adopt_act },
    { "CheckAdopt", "ssa{sv}", "a(sssss)",
      SD_BUS_PARAM(name) SD_BUS_PARAM(instance) SD_BUS_PARAM(options) SD_BUS_PARAM(checks),
      "org.timesten.upgrade1.adopt", adopt_prepare, adopt_check },
    { "PlanAdopt", "ssa{sv}", "sa(ssbt)",
      SD_BUS_PARAM(name) SD_BUS_PARAM(instance) SD_BUS_PARAM(options) SD_BUS_PARAM(method)
          SD_BUS_PARAM(steps),
      "org.timesten.upgrade1.adopt", adopt_prepare, adopt_plan },
    { "HoldSocket", "sta{sv}", "",
      SD_BUS_PARAM(unit) SD_BUS_PARAM(limit_usec) SD_BUS_PARAM(options),
      "org.timesten.upgrade1.hold-socket", socket_hold_prepare, socket_hold_act },
    { "ResumeSocket", "sa{sv}", "", SD_BUS_PARAM(unit) SD_BUS_PARAM(options),
      "org.timesten.upgrade1.hold-socket", socket_resume_prepare, socket_resume_act },
    { "ListHeldSockets", "", "a(sssttuu)", SD_BUS_PARAM(sockets), FREE_FOR_ALL, NULL, socket_list },
    { "Reload", "", "", "", "org.timesten.upgrade1.reload", NULL, act_reload },
    { NULL },
};

static const PropertyRow properties[] = {
    { "Version", "s", get_version, .constant = TRUE },
    { "Features", "as", get_features, .constant = TRUE },
    { NULL },
};

static const SignalRow signals[] = {
    { "JobNew", "tos", SD_BUS_PARAM(id) SD_BUS_PARAM(job) SD_BUS_PARAM(server) },
    { "JobRemoved", "toss",
      SD_BUS_PARAM(id) SD_BUS_PARAM(job) SD_BUS_PARAM(server) SD_BUS_PARAM(result) },
    { "PrepareForUpgrade", "sb", SD_BUS_PARAM(server) SD_BUS_PARAM(start) },
    { NULL },
};

const Interface manager_interface = {
    .name = TU_MANAGER_INTERFACE,
    .methods = methods,
    .properties = properties,
    .signals = signals,
};

Object *manager_new(Daemon *daemon)
{
    return object_new(sizeof(Object), daemon, &manager_interface, TU_ROOT_PATH, NULL);
}
