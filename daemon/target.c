#include "daemon/target.h"
#include "daemon/daemon.h"
#include "daemon/jobs.h"
#include "daemon/options.h"
#include "daemon/server.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"
#include "state/backing.h"

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

static gboolean check_mode(const ServerConfig *config, GError **error)
{
    return config->mode == MODE_RELAY ||
           not_possible(error,
                        "Server %s has Mode=inherit, which is not available yet. "
                        "Set Mode=relay in %s",
                        config->name, config->file);
}

static gboolean find_upgrade(Call *call, const char *target, GError **error)
{
    const ServerConfig *config = ((const Server *)call->object)->config;
    const char *method = options_word(call->options, "method");

    if (!name_is_valid(target)) {
        g_autofree char *shown = text_one_line(target, 64);

        g_set_error(error, TU_ERROR, TU_ERROR_NO_SUCH_INSTANCE,
                    "\"%s\" cannot be the name of an instance. ListInstances tells the names",
                    shown);
        return FALSE;
    }
    if (!inventory_instance(call->object->daemon->inventory, target, error))
        return FALSE;
    if (g_str_equal(config->instance, target))
        return not_possible(error, "Server %s is backed by instance %s already. Name another one",
                            config->name, target);
    if (method && !g_str_equal(method, "auto") && !g_str_equal(method, "offline"))
        return not_possible(
            error, "Method \"%s\" is not available yet. Use \"auto\" or \"offline\"", method);
    call_set(&call->to, target);
    call_set(&call->method, "offline"); /* what "auto" means as long as it is the only one */
    return TRUE;
}

/* How the job that made the current instance back the server moved the data. */
static const char *method_of_commit(const Call *call, const Backing *backing)
{
    const Job *job = jobs_find(call->object->daemon, backing->job);

    return job && job->request ? job->request->method : "offline";
}

static gboolean find_rollback(Call *call, const char *target, GError **error)
{
    const ServerConfig *config = ((const Server *)call->object)->config;
    const char *previous = config->previous_instance;
    g_autoptr(Backing) backing = backing_load(config->name, error);

    if (!backing)
        return FALSE;
    if (!previous)
        return not_possible(error,
                            "Server %s has no instance before %s to go back to%s. To move it to "
                            "another instance, upgrade it",
                            config->name, config->instance,
                            backing->job ? ": its databases were removed" : "");
    if (*target && !g_str_equal(target, previous)) {
        g_autofree char *shown = text_one_line(target, 64);

        return not_possible(error,
                            "Server %s can only go back to %s, which backed it before, not to "
                            "\"%s\". To move it to another instance, upgrade it",
                            config->name, previous, shown);
    }
    if (!inventory_instance(call->object->daemon->inventory, previous, error))
        return FALSE;
    call_set(&call->to, previous);
    call_set(&call->method, method_of_commit(call, backing));
    return TRUE;
}

typedef struct {
    const char *word;
    guint options; /* OptionUse */
    /* Fills "to" and "method" of a call whose options are taken. TARGET: "" where none is named. */
    gboolean (*find)(Call *call, const char *target, GError **error);
} Kind;

static const Kind kinds[] = {
    { "upgrade", OPTIONS_UPGRADE, find_upgrade },
    { "rollback", OPTIONS_ROLLBACK, find_rollback },
};

/* The row of a word; a word that is none is told by options_take(), so any row will do then. */
static const Kind *find_kind(const char *word)
{
    for (guint i = 0; word && i < G_N_ELEMENTS(kinds); i++)
        if (g_str_equal(kinds[i].word, word))
            return &kinds[i];
    return &kinds[0];
}

static gboolean prepare(Call *call, const Kind *kind, guint more, const char *target,
                        GVariant *options, GError **error)
{
    const ServerConfig *config = ((const Server *)call->object)->config;

    if (!options_take(call, options, kind->options | more, error) ||
        !kind->find(call, target, error) || !check_mode(config, error))
        return FALSE;
    call->kind = kind->word;
    call_set(&call->server, config->name);
    call_set(&call->from, config->instance);
    return TRUE;
}

gboolean target_prepare_upgrade(Call *call, GError **error)
{
    g_autoptr(GVariant) options = NULL;
    const char *target;

    g_variant_get(call->arguments, "(&s@a{sv})", &target, &options);
    return prepare(call, find_kind("upgrade"), 0, target, options, error);
}

gboolean target_prepare_rollback(Call *call, GError **error)
{
    g_autoptr(GVariant) options = g_variant_get_child_value(call->arguments, 0);

    return prepare(call, find_kind("rollback"), 0, "", options, error);
}

gboolean target_prepare_question(Call *call, GError **error)
{
    g_autoptr(GVariant) options = NULL;
    const char *target;

    g_variant_get(call->arguments, "(&s@a{sv})", &target, &options);
    return prepare(call, find_kind(options_word(options, "kind")), OPTIONS_QUESTION, target,
                   options, error);
}
