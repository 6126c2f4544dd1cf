#include "daemon/target.h"
#include "daemon/daemon.h"
#include "daemon/jobs.h"
#include "daemon/options.h"
#include "daemon/server.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"
#include "timesten/peer.h"

/* What is unconfirmed has two instances that replicate, and a way back that needs both. */
static gboolean check_settled(const ServerConfig *config, GError **error)
{
    if (!config->backing->unconfirmed)
        return TRUE;
    return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                        "The last upgrade of server %s is not confirmed, and instance %s still "
                        "follows %s. Keep the new release with ttctl confirm %s, or go back with "
                        "ttctl rollback %s, then ask again",
                        config->name, config->previous_instance, config->instance, config->name,
                        config->name);
}

/* Nobody may believe that a server goes back by itself which cannot without losing rows. */
static gboolean check_deadline(const Call *call, GError **error)
{
    if (g_str_equal(call->method, "online") || !options_has(call->options, "confirm-within"))
        return TRUE;
    return tu_error_set(error, TU_ERROR_INVALID_OPTION,
                        "Option confirm-within needs the method online, because after an upgrade "
                        "by any other what was written since cannot be taken back. Give the method "
                        "online, or leave confirm-within out");
}

static gboolean find_method(Call *call, const char *method, GError **error)
{
    const char *peer = options_word(call->options, "peer");
    g_autofree char *host = NULL;
    guint16 port;

    if (!peer) {
        call_set(&call->method, method); /* what "auto" means the worker decides, by its checks */
        return TRUE;
    }
    if (g_str_equal(method, "offline") || g_str_equal(method, "in-place"))
        return tu_error_set(error, TU_ERROR_INVALID_OPTION,
                            "Option peer does not go with the method %s. Leave one out", method);
    call_set(&call->method, "peer");
    return peer_address_parse(peer, &host, &port, error);
}

static gboolean find_upgrade(Call *call, const char *target, GError **error)
{
    const ServerConfig *config = ((const Server *)call->object)->config;
    const char *method = options_word(call->options, "method");

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
    if (!find_method(call, method ? method : "auto", error))
        return FALSE;
    return check_deadline(call, error) && check_settled(config, error);
}

/* The instance before. REMEDY: what to do where there is none. */
static gboolean find_previous(Call *call, const char *target, const char *remedy, GError **error)
{
    const ServerConfig *config = ((const Server *)call->object)->config;
    const char *previous = config->previous_instance;

    if (!previous)
        return tu_error_set(
            error, TU_ERROR_NOT_POSSIBLE, "Server %s has no instance before %s%s. %s", config->name,
            config->instance, config->backing->job ? ": its databases were removed" : "", remedy);
    if (*target && !g_str_equal(target, previous)) {
        g_autofree char *shown = text_one_line(target, 64);

        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "The instance before of server %s is %s, not \"%s\". %s", config->name,
                            previous, shown, remedy);
    }
    if (!inventory_instance(call->object->daemon->inventory, previous, error))
        return FALSE;
    call_set(&call->to, previous);
    call_set(&call->method, "offline"); /* what it says to a job that moves no data */
    return TRUE;
}

/* By replication as long as that goes on, or in place where both have the same files: then nothing is
 * lost. */
static gboolean find_rollback(Call *call, const char *target, GError **error)
{
    const ServerConfig *config = ((const Server *)call->object)->config;

    if (!find_previous(call, target,
                       "To move it to an instance other than the one before, upgrade it", error))
        return FALSE;
    if (config->backing->unconfirmed || backing_in_place(config->backing))
        call_set(&call->method, backing_method(config->backing));
    return TRUE;
}

static gboolean find_confirm(Call *call, const char *target, GError **error)
{
    const ServerConfig *config = ((const Server *)call->object)->config;
    const Backing *backing = config->backing;

    if (backing->unconfirmed)
        return find_previous(call, target, "There is nothing to confirm", error) &&
               (call_set(&call->method, backing_method(backing)), TRUE);
    if (backing->confirmed_by)
        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "Server %s stays with instance %s already: job %" G_GUINT64_FORMAT
                            " confirmed it. Nothing is left to confirm",
                            config->name, config->instance, backing->confirmed_by);
    return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                        "Server %s has nothing to confirm: instance %s backs it without another "
                        "that follows. Only an upgrade by the method online is confirmed",
                        config->name, config->instance);
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
        return check_settled(config, error) && check_databases(config, databases, error) &&
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
    { "confirm", OPTIONS_CONFIRM, find_confirm },
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

gboolean target_prepare_confirm(Call *call, GError **error)
{
    g_autoptr(GVariant) options = g_variant_get_child_value(call->arguments, 0);

    return prepare(call, find_kind("confirm"), 0, "", options, error);
}

static gboolean prepare_question(Call *call, guint more, GError **error)
{
    g_autoptr(GVariant) options = NULL;
    const char *target;

    g_variant_get(call->arguments, "(&s@a{sv})", &target, &options);
    if (!prepare(call, find_kind(options_word(options, "kind")), OPTIONS_QUESTION | more, target,
                 options, error))
        return FALSE;
    /* The worker is asked with the options alone. */
    if (!options_has(call->options, "method") && !g_str_equal(call->method, "offline"))
        options_add(call, "method", g_variant_new_string(call->method));
    return TRUE;
}

gboolean target_prepare_check(Call *call, GError **error)
{
    return prepare_question(call, OPTIONS_CHECK, error);
}

gboolean target_prepare_plan(Call *call, GError **error)
{
    return prepare_question(call, 0, error);
}

/* About the same as an upgrade to TARGET, with options of its own. */
gboolean target_prepare_repair(Call *call, GError **error)
{
    static const Kind repair = { "upgrade", OPTIONS_REPAIR, find_upgrade };
    g_autoptr(GVariant) options = NULL;
    const char *target;

    g_variant_get(call->arguments, "(&s@a{sv})", &target, &options);
    return prepare(call, &repair, 0, target, options, error);
}
