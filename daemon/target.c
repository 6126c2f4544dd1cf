#include "daemon/target.h"
#include "daemon/daemon.h"
#include "daemon/options.h"
#include "daemon/server.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"

static gboolean not_possible(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static gboolean not_possible(GError **error, const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, TU_ERROR, TU_ERROR_NOT_POSSIBLE, message);
    return FALSE;
}

static gboolean check_target(const Server *server, const char *target, GError **error)
{
    const ServerConfig *config = server->config;

    if (!name_is_valid(target)) {
        g_autofree char *shown = text_one_line(target, 64);

        g_set_error(error, TU_ERROR, TU_ERROR_NO_SUCH_INSTANCE,
                    "\"%s\" cannot be the name of an instance. ListInstances tells the names",
                    shown);
        return FALSE;
    }
    if (!inventory_instance(server->object.daemon->inventory, target, error))
        return FALSE;
    if (g_str_equal(config->instance, target))
        return not_possible(error, "Server %s is backed by instance %s already. Name another one",
                            config->name, target);
    if (config->mode != MODE_RELAY)
        return not_possible(error,
                            "Server %s has Mode=inherit, which is not available yet. "
                            "Set Mode=relay in %s",
                            config->name, config->file);
    return TRUE;
}

gboolean target_prepare(Call *call, GError **error)
{
    const Server *server = (const Server *)call->object;
    g_autoptr(GVariant) options = NULL;
    const char *target, *method;

    g_variant_get(call->arguments, "(&s@a{sv})", &target, &options);
    if (!options_take(call, options, job_options, error) || !check_target(server, target, error))
        return FALSE;
    method = options_word(call->options, "method");
    if (method && !g_str_equal(method, "auto") && !g_str_equal(method, "offline"))
        return not_possible(
            error, "Method \"%s\" is not available yet. Use \"auto\" or \"offline\"", method);
    call_set(&call->server, server->config->name);
    call_set(&call->from, server->config->instance);
    call_set(&call->to, target);
    call_set(&call->method, "offline"); /* what "auto" means as long as it is the only one */
    return TRUE;
}
