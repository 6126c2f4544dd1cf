#include "daemon/server.h"
#include "daemon/ask.h"
#include "daemon/change.h"
#include "daemon/daemon.h"
#include "daemon/hold.h"
#include "daemon/instance.h"
#include "daemon/jobs.h"
#include "daemon/publish.h"
#include "daemon/target.h"
#include "common/error.h"
#include "common/names.h"
#include "common/nick.h"

/* The keeper's last words stay in /run after it was killed; only a running keeper's count. */
static const KeeperStatus *live_status(const Server *server)
{
    gboolean gone = unit_watch_answered(server->keeper) && !unit_watch_runs(server->keeper) &&
                    !g_str_equal(unit_watch_state(server->keeper), "unknown");

    return gone ? NULL : server->status;
}

/* --- properties ------------------------------------------------------------------------------- */

static GVariant *get_name(const Object *object)
{
    return g_variant_new_string(((const Server *)object)->config->name);
}

static GVariant *get_port(const Object *object)
{
    return g_variant_new_uint16(((const Server *)object)->config->port);
}

static GVariant *get_state(const Object *object)
{
    return g_variant_new_string(server_state((const Server *)object));
}

static GVariant *get_instance(const Object *object)
{
    return g_variant_new_string(((const Server *)object)->config->instance);
}

static GVariant *get_release(const Object *object)
{
    const Server *server = (const Server *)object;
    const Instance *instance = instance_find(object->daemon, server->config->instance);
    g_autofree char *release = instance ? instance_release(instance) : NULL;

    return g_variant_new_string(release ? release : "");
}

static GVariant *get_previous_instance(const Object *object)
{
    const char *previous = ((const Server *)object)->config->previous_instance;

    return g_variant_new_string(previous ? previous : "");
}

/* Empty where there is nothing to confirm: it was not upgraded online, or went back since. */
static GVariant *get_confirmation(const Object *object)
{
    const Backing *backing = ((const Server *)object)->config->backing;

    return g_variant_new_string(backing->unconfirmed    ? "unconfirmed"
                                : backing->confirmed_by ? "confirmed"
                                                        : "");
}

static GVariant *get_confirm_by(const Object *object)
{
    return g_variant_new_uint64(backing_confirm_by(((const Server *)object)->config->backing));
}

static GVariant *get_databases(const Object *object)
{
    return g_variant_new_strv((const char *const *)((const Server *)object)->config->databases, -1);
}

static GVariant *get_mode(const Object *object)
{
    return g_variant_new_string(nick_of(port_mode_nicks, ((const Server *)object)->config->mode));
}

static GVariant *get_sessions(const Object *object)
{
    const KeeperStatus *status = live_status((const Server *)object);

    return g_variant_new_uint32(status ? status->sessions : 0);
}

static GVariant *get_held(const Object *object)
{
    const KeeperStatus *status = live_status((const Server *)object);

    return g_variant_new_uint32(status ? status->held : 0);
}

static GVariant *get_hold_since(const Object *object)
{
    const KeeperStatus *status = live_status((const Server *)object);

    return g_variant_new_uint64(status ? status->hold_since : 0);
}

static GVariant *get_hold_deadline(const Object *object)
{
    const KeeperStatus *status = live_status((const Server *)object);

    return g_variant_new_uint64(status ? status->hold_deadline : 0);
}

static GVariant *get_job(const Object *object)
{
    const Server *server = (const Server *)object;
    const Job *job = jobs_unfinished(object->daemon, server->config->name);

    return g_variant_new_object_path(job ? job->object.path : "/");
}

static GVariant *get_last_result(const Object *object)
{
    const Server *server = (const Server *)object;
    const Job *job = jobs_last_finished(object->daemon, server->config->name);

    if (!job)
        return g_variant_new("(sstt)", "", "", G_GUINT64_CONSTANT(0), G_GUINT64_CONSTANT(0));
    return g_variant_new("(sstt)", job_result(job), job_error_name(job), job->id,
                         job_finished_usec(job));
}

static const PropertyRow properties[] = {
    { "Name", "s", get_name, .constant = TRUE },
    { "Port", "q", get_port },
    { "State", "s", get_state },
    { "Instance", "s", get_instance },
    { "Release", "s", get_release },
    { "PreviousInstance", "s", get_previous_instance },
    { "Confirmation", "s", get_confirmation },
    { "ConfirmBy", "t", get_confirm_by },
    { "Databases", "as", get_databases },
    { "Mode", "s", get_mode },
    { "Sessions", "u", get_sessions },
    { "Held", "u", get_held },
    { "HoldSince", "t", get_hold_since },
    { "HoldDeadline", "t", get_hold_deadline },
    { "Job", "o", get_job },
    { "LastResult", "(sstt)", get_last_result },
    { NULL },
};

static const MethodRow methods[] = {
    { "Check", "sa{sv}", "a(sssss)",
      SD_BUS_PARAM(target) SD_BUS_PARAM(options) SD_BUS_PARAM(checks),
      "org.timesten.upgrade1.check", target_prepare_check, ask_check },
    { "Plan", "sa{sv}", "sa(ssbt)",
      SD_BUS_PARAM(target) SD_BUS_PARAM(options) SD_BUS_PARAM(method) SD_BUS_PARAM(steps),
      "org.timesten.upgrade1.check", target_prepare_plan, ask_plan },
    { "Repair", "sa{sv}", "a(sssss)",
      SD_BUS_PARAM(target) SD_BUS_PARAM(options) SD_BUS_PARAM(repairs),
      "org.timesten.upgrade1.upgrade", target_prepare_repair, ask_repair },
    { "Upgrade", "sa{sv}", "to",
      SD_BUS_PARAM(target) SD_BUS_PARAM(options) SD_BUS_PARAM(id) SD_BUS_PARAM(job),
      "org.timesten.upgrade1.upgrade", target_prepare_upgrade, change_act },
    { "Rollback", "a{sv}", "to", SD_BUS_PARAM(options) SD_BUS_PARAM(id) SD_BUS_PARAM(job),
      "org.timesten.upgrade1.rollback", target_prepare_rollback, change_act },
    { "Confirm", "a{sv}", "to", SD_BUS_PARAM(options) SD_BUS_PARAM(id) SD_BUS_PARAM(job),
      "org.timesten.upgrade1.confirm", target_prepare_confirm, change_act },
    { "Clean", "a{sv}", "to", SD_BUS_PARAM(options) SD_BUS_PARAM(id) SD_BUS_PARAM(job),
      "org.timesten.upgrade1.upgrade", target_prepare_clean, change_act },
    { "Hold", "ta{sv}", "", SD_BUS_PARAM(limit_usec) SD_BUS_PARAM(options),
      "org.timesten.upgrade1.hold", hold_prepare, hold_act },
    { "Resume", "a{sv}", "", SD_BUS_PARAM(options), "org.timesten.upgrade1.hold", resume_prepare,
      resume_act },
    { NULL },
};

const Interface server_interface = {
    .name = TU_SERVER_INTERFACE,
    .methods = methods,
    .properties = properties,
};

/* --- life ------------------------------------------------------------------------------------- */

const char *server_state(const Server *server)
{
    Daemon *daemon = server->object.daemon;
    const Job *job = jobs_unfinished(daemon, server->config->name);
    const Job *last = jobs_last_finished(daemon, server->config->name);
    const KeeperStatus *status = live_status(server);
    const char *socket = unit_watch_state(server->socket);

    if (job && request_moves_server(job->request)) /* others let it serve all the time */
        return "changing";
    if (last && g_str_equal(job_result(last), "needs-attention"))
        return "needs-attention";
    if (g_str_equal(socket, "unknown"))
        return "unknown";
    if (!g_str_equal(socket, "active"))
        return "stopped";
    if (status && (status->state == KEEPER_HOLD || status->state == KEEPER_DRAIN))
        return "held";
    if (status && status->state == KEEPER_REFUSE)
        return "refusing";
    return "serving";
}

static void on_unit(gpointer data)
{
    publish_mark(data);
}

static void on_status(gpointer data)
{
    Server *server = data;

    keeper_status_free(server->status);
    server->status = keeper_status_read(server->config->name);
    publish_mark(&server->object);
}

void server_stop(Server *server)
{
    g_clear_pointer(&server->socket, unit_watch_free);
    g_clear_pointer(&server->keeper, unit_watch_free);
    g_clear_pointer(&server->status_watch, watch_free);
}

static void clear(gpointer data)
{
    Server *server = data;

    server_stop(server);
    keeper_status_free(server->status);
}

Server *server_new(Daemon *daemon, const ServerConfig *config)
{
    g_autofree char *path = object_path(TU_SERVER_PATH, config->name);
    g_autofree char *socket = unit_server_socket(config->name);
    g_autofree char *keeper = unit_server(config->name);
    g_autofree char *directory = path_keeper(config->name, NULL);
    Server *server = object_new(sizeof *server, daemon, &server_interface, path, clear);

    server->config = config;
    server->socket = unit_watch_new(daemon, socket, on_unit, server);
    server->keeper = unit_watch_new(daemon, keeper, on_unit, server);
    server->status_watch = watch_new(daemon->event, directory, on_status, server);
    server->status = keeper_status_read(config->name);
    return server;
}

Server *server_find(const Daemon *daemon, const char *name)
{
    return g_hash_table_lookup(daemon->servers, name);
}

void server_update(Server *server, const ServerConfig *config)
{
    server->config = config;
    publish_mark(&server->object);
}
