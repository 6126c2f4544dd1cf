#include "daemon/target.h"
#include "daemon/daemon.h"
#include "daemon/jobs.h"
#include "daemon/options.h"
#include "daemon/server.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"
#include "state/backing.h"

static gboolean find_upgrade(Call *call, const char *target, GError **error)
{
    const ServerConfig *config = ((const Server *)call->object)->config;

    if (!name_is_valid(target)) {
        g_autofree char *shown = text_one_line(target, 64);

        g_set_error(error, TU_ERROR, TU_ERROR_NO_SUCH_INSTANCE,
                    "\"%s\" cannot be the name of an instance. ttctl list shows the names", shown);
        return FALSE;
    }
    if (!inventory_instance(call->object->daemon->inventory, target, error))
        return FALSE;
    if (g_str_equal(config->instance, target))
        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "Server %s is backed by instance %s already. Name another one",
                            config->name, target);
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

/* The instance before, by the method that made the current one back the server. REMEDY: what to do
 * where there is none. */
static gboolean find_previous(Call *call, const char *target, const char *remedy, GError **error)
{
    const ServerConfig *config = ((const Server *)call->object)->config;
    const char *previous = config->previous_instance;
    g_autoptr(Backing) backing = backing_load(config->name, error);

    if (!backing)
        return FALSE;
    if (!previous)
        return tu_error_set(
            error, TU_ERROR_NOT_POSSIBLE, "Server %s has no instance before %s%s. %s", config->name,
            config->instance, backing->job ? ": its databases were removed" : "", remedy);
    if (*target && !g_str_equal(target, previous)) {
        g_autofree char *shown = text_one_line(target, 64);

        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "The instance before of server %s is %s, not \"%s\". %s", config->name,
                            previous, shown, remedy);
    }
    if (!inventory_instance(call->object->daemon->inventory, previous, error))
        return FALSE;
    call_set(&call->to, previous);
    call_set(&call->method, method_of_commit(call, backing));
    return TRUE;
}

static gboolean find_rollback(Call *call, const char *target, GError **error)
{
    return find_previous(call, target,
                         "To move it to an instance other than the one before, upgrade it", error);
}

/* Each named database is one of the server's, once. */
static gboolean check_databases(const ServerConfig *config, char **names, GError **error)
{
    for (char **name = names; *name; name++) {
        g_autofree char *shown = text_one_line(*name, 64);
        g_autofree char *all = g_strjoinv(", ", config->databases);

        if (!g_strv_contains((const char *const *)config->databases, *name))
            g_set_error(
                error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                "Option databases has \"%s\", which is no database of server %s. It has: %s", shown,
                config->name, all);
        else if (g_strv_contains((const char *const *)name + 1, *name))
            g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                        "Option databases has \"%s\" twice", shown);
        else
            continue;
        return FALSE;
    }
    return TRUE;
}

/* What a job left that did not come to its end may still be needed for that end. */
static gboolean check_nothing_left(const Call *call, GError **error)
{
    const ServerConfig *config = ((const Server *)call->object)->config;
    const Job *last = jobs_last_finished(call->object->daemon, config->name);

    if (!last || !request_moves_server(last->request) ||
        !g_str_equal(job_result(last), "needs-attention"))
        return TRUE;
    return tu_error_set(
        error, TU_ERROR_NOT_POSSIBLE,
        "Job %" G_GUINT64_FORMAT " of server %s needs attention, and what it left "
        "may still be needed. Bring it to its end first: ttctl retry %" G_GUINT64_FORMAT,
        last->id, config->name, last->id);
}

/* Databases are those of the instance before; without any, the exports have no instance, and the
 * current one stands in. */
static gboolean find_clean(Call *call, const char *target, GError **error)
{
    const ServerConfig *config = ((const Server *)call->object)->config;
    g_auto(GStrv) databases = NULL;
    gboolean exports = FALSE, job;

    g_variant_lookup(call->options, "databases", "^as", &databases);
    g_variant_lookup(call->options, "exports", "b", &exports);
    job = options_has(call->options, "job");
    if ((!databases || !databases[0]) && !exports) {
        g_set_error_literal(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                            "Nothing is removed that is not named. Give the option databases, "
                            "exports, or both");
        return FALSE;
    }
    if (job && !exports) {
        g_set_error_literal(
            error, TU_ERROR, TU_ERROR_INVALID_OPTION,
            "Option job tells whose exports are meant. Give the option exports, too");
        return FALSE;
    }
    if (!check_nothing_left(call, error))
        return FALSE;
    if (databases && databases[0])
        return check_databases(config, databases, error) &&
               find_previous(call, target, "Only databases of the instance before can be removed",
                             error);
    call_set(&call->to, config->instance);
    call_set(&call->method, "offline");
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
    { "clean", OPTIONS_CLEAN, find_clean },
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
        !kind->find(call, target, error))
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

gboolean target_prepare_clean(Call *call, GError **error)
{
    g_autoptr(GVariant) options = g_variant_get_child_value(call->arguments, 0);

    return prepare(call, find_kind("clean"), 0, "", options, error);
}

gboolean target_prepare_question(Call *call, GError **error)
{
    g_autoptr(GVariant) options = NULL;
    const char *target;

    g_variant_get(call->arguments, "(&s@a{sv})", &target, &options);
    return prepare(call, find_kind(options_word(options, "kind")), OPTIONS_QUESTION, target,
                   options, error);
}
