#include "daemon/hold.h"
#include "daemon/control.h"
#include "daemon/daemon.h"
#include "daemon/instance.h"
#include "daemon/jobs.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/probe.h"
#include "daemon/publish.h"
#include "daemon/server.h"
#include "common/error.h"
#include "common/message.h"
#include "common/text.h"

#define LIMIT_MAX_USEC                                                                             \
    (3600 * USEC_PER_SEC) /* a client that hangs is worse off than one refused                     \
                           */

/* What both need: nobody else works on the port. */
static gboolean check_server(Call *call, GError **error)
{
    const Server *server = (const Server *)call->object;
    const Job *job = jobs_unfinished(call->object->daemon, server->config->name);

    if (job) {
        g_set_error(error, TU_ERROR, TU_ERROR_BUSY,
                    "Job %" G_GUINT64_FORMAT " works on server %s. Wait for its end, or cancel it",
                    job->id, server->config->name);
        return FALSE;
    }
    if (server->under_control) {
        g_set_error(error, TU_ERROR, TU_ERROR_BUSY,
                    "Server %s is being held or resumed at this moment. Try again",
                    server->config->name);
        return FALSE;
    }
    call_set(&call->server, server->config->name);
    return TRUE;
}

gboolean hold_prepare(Call *call, GError **error)
{
    g_autoptr(GVariant) options = NULL;
    guint64 limit;

    g_variant_get(call->arguments, "(t@a{sv})", &limit, &options);
    if (!options_take(call, options, OPTIONS_NONE, error))
        return FALSE;
    if (limit == 0 || limit > LIMIT_MAX_USEC) {
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                    "limit_usec is %" G_GUINT64_FORMAT
                    ", but must be 1 µs to 1 hour (3600000000 µs): connects must not wait for ever",
                    limit);
        return FALSE;
    }
    return check_server(call, error);
}

gboolean resume_prepare(Call *call, GError **error)
{
    g_autoptr(GVariant) options = g_variant_get_child_value(call->arguments, 0);

    return options_take(call, options, OPTIONS_NONE, error) && check_server(call, error);
}

static void tell_done(const Call *call)
{
    gboolean held = g_str_equal(call->row->name, "Hold");
    guint64 limit = 0;

    if (held)
        g_variant_get_child(call->arguments, 0, "t", &limit);
    log_line(LOG_NOTICE,
             &(LogFields){ .message_id = held ? MESSAGE_PORT_HELD : NULL,
                           .server = call->server,
                           .limit_usec = limit },
             "%s of server %s, asked by user %u", call->row->name, call->server, call_person(call));
}

static void on_said(const GError *error, gpointer data)
{
    Call *call = data;
    Server *server = (Server *)call->object;

    server->under_control = FALSE;
    publish_mark(&server->object);
    if (error) {
        log_line(LOG_WARNING, &(LogFields){ .server = call->server, .code = log_code(error) },
                 "%s of server %s failed: %s", call->row->name, call->server, error->message);
        call_fail(call, error);
        return;
    }
    tell_done(call);
    call_reply(call, NULL);
}

static void say(Call *call, const char *command)
{
    ((Server *)call->object)->under_control = TRUE;
    control_say(call->object->daemon->event, call->server, command, on_said, call);
}

void hold_act(Call *call)
{
    g_autofree char *command = NULL;
    guint64 limit;

    g_variant_get_child(call->arguments, 0, "t", &limit);
    command = g_strdup_printf("hold %" G_GUINT64_FORMAT, limit);
    say(call, command);
}

/* The address of the backend: where the instance that backs the server listens. An instance that
 * cannot be read must not keep clients waiting, so then the keeper's last backend is taken, if it
 * has one. */
static char *find_backend(const Server *server, const InstanceFacts *facts, GError **error)
{
    const Inventory *inventory = server->object.daemon->inventory;
    const InstanceConfig *instance =
        inventory_instance(inventory, server->config->instance, facts ? error : NULL);

    if (instance && facts)
        return inventory_backend(inventory, server->config, instance,
                                 instance->admin ? instance->admin : facts->admin,
                                 facts->server_port);
    return server->status ? g_strdup(server->status->backend) : NULL;
}

static void on_facts(const InstanceFacts *facts, const GError *error, gpointer data)
{
    Call *call = data;
    Server *server = (Server *)call->object;
    g_autoptr(GError) problem = error ? g_error_copy(error) : NULL;
    g_autofree char *backend = NULL;
    g_autofree char *command = NULL;

    server->under_control = FALSE;
    if (server->object.gone) {
        call_fail_with(call, TU_ERROR_NO_SUCH_SERVER, "Server %s is no longer there", call->server);
        return;
    }
    backend = find_backend(server, facts, problem ? NULL : &problem);
    if (!backend) {
        call_fail(call, problem);
        return;
    }
    command = g_strconcat("open ", backend, NULL);
    say(call, command);
}

void resume_act(Call *call)
{
    Server *server = (Server *)call->object;
    Instance *instance = instance_find(call->object->daemon, server->config->instance);

    if (!instance) {
        call_fail_with(call, TU_ERROR_INVALID_CONFIGURATION,
                       "Instance %s, which backs server %s, is not declared correctly. "
                       "journalctl -u timesten-upgraded.service tells why",
                       server->config->instance, call->server);
        return;
    }
    server->under_control = TRUE;
    probe_need(instance, on_facts, call);
}
