#include "daemon/adopt.h"
#include "daemon/ask.h"
#include "daemon/change.h"
#include "daemon/daemon.h"
#include "daemon/jobs.h"
#include "daemon/options.h"
#include "daemon/probe.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"
#include "state/adoption.h"

/* Where a job is at work, whoever asked for it may ask again. */
static gboolean check_name(const Call *call, const char *name, GError **error)
{
    Daemon *daemon = call->object->daemon;
    g_autoptr(GError) absence = NULL;

    if (!name_is_valid(name)) {
        g_autofree char *shown = text_one_line(name, 64);

        return tu_error_set(error, TU_ERROR_NO_SUCH_SERVER,
                            "\"%s\" cannot be the name of a server. Use letters, digits and '_', "
                            "no digit first, at most 64",
                            shown);
    }
    if (jobs_unfinished(daemon, name))
        return TRUE;
    if (!inventory_server(daemon->inventory, name, &absence) &&
        g_error_matches(absence, TU_ERROR, TU_ERROR_NO_SUCH_SERVER))
        return TRUE;
    return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                        "There is a server %s already (ttctl list). Choose another name", name);
}

gboolean adopt_prepare(Call *call, GError **error)
{
    g_autoptr(GVariant) options = NULL;
    const char *name, *instance;

    g_variant_get(call->arguments, "(&s&s@a{sv})", &name, &instance, &options);
    if (!options_take(call, options, OPTIONS_ADOPT, error) || !check_name(call, name, error))
        return FALSE;
    if (!name_is_valid(instance)) {
        g_autofree char *shown = text_one_line(instance, 64);

        return tu_error_set(error, TU_ERROR_NO_SUCH_INSTANCE,
                            "\"%s\" cannot be the name of an instance. ttctl list shows the names",
                            shown);
    }
    if (!inventory_instance(call->object->daemon->inventory, instance, error))
        return FALSE;
    call->kind = "adopt";
    call_set(&call->server, name);
    call_set(&call->from, instance);
    call_set(&call->to, instance);
    call_set(&call->method, "offline"); /* what it says to a job that moves no data, as a clean */
    return TRUE;
}

static void add_databases(Call *call, const InstanceFacts *facts)
{
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    g_auto(GStrv) all = NULL;

    for (guint i = 0; i < facts->databases->len; i++)
        g_strv_builder_add(names, ((DatabaseFacts *)facts->databases->pdata[i])->dsn);
    all = g_strv_builder_end(names);
    options_add(call, "databases", g_variant_new_strv((const char *const *)all, -1));
}

/* Two servers cannot have one port; whoever would adopt a server twice meets this. */
static gboolean check_port(const Call *call, GError **error)
{
    const Inventory *inventory = call->object->daemon->inventory;
    const guint16 port = adoption_port(call->options);

    for (guint i = 0; i < inventory->servers->len; i++) {
        const ServerConfig *server = inventory->servers->pdata[i];

        if (server->port == port && !g_str_equal(server->name, call->server))
            return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                                "Port %u is that of server %s already (ttctl list). Name another "
                                "one with listen, or remove that server's file first",
                                port, server->name);
    }
    return TRUE;
}

/* The request has everything: what the instance says may be another thing when the worker is killed
 * in the middle and looks again. */
static gboolean complete(Call *call, const InstanceFacts *facts, GError **error)
{
    JobRequest request = { .to = call->to };
    g_autofree char *text = NULL;

    if (!options_has(call->options, "listen")) {
        if (facts->server_port == 0)
            return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                                "Instance %s has no TimesTen Server: %s names no port for one. "
                                "Give the option listen",
                                call->to, facts->options_path);
        options_add(call, "listen",
                    g_variant_new_take_string(g_strdup_printf("%u", facts->server_port)));
    }
    if (!options_has(call->options, "databases"))
        add_databases(call, facts);
    if (!options_has(call->options, "mode"))
        options_add(call, "mode", g_variant_new_string("relay"));
    request.options = call->options;
    text = adoption_configuration(&request, error);
    return text && check_port(call, error);
}

static void go_on(Call *call, const InstanceFacts *facts, const GError *problem,
                  void (*then)(Call *call))
{
    g_autoptr(GError) error = NULL;

    if (!facts)
        call_fail(call, problem);
    else if (complete(call, facts, &error))
        then(call);
    else
        call_fail(call, error);
}

static void on_facts(const InstanceFacts *facts, const GError *problem, gpointer data)
{
    go_on(data, facts, problem, change_act);
}

static void on_facts_to_check(const InstanceFacts *facts, const GError *problem, gpointer data)
{
    go_on(data, facts, problem, ask_check);
}

static void on_facts_to_plan(const InstanceFacts *facts, const GError *problem, gpointer data)
{
    go_on(data, facts, problem, ask_plan);
}

void adopt_act(Call *call)
{
    probe_need(instance_find(call->object->daemon, call->to), on_facts, call);
}

/* The worker's program is told by the options what is asked about. */
static void ask(Call *call, ProbeDone done)
{
    options_add(call, "kind", g_variant_new_string(call->kind));
    probe_need(instance_find(call->object->daemon, call->to), done, call);
}

void adopt_check(Call *call)
{
    ask(call, on_facts_to_check);
}

void adopt_plan(Call *call)
{
    ask(call, on_facts_to_plan);
}
