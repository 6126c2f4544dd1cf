/* ttAdmin: RAM policy and agents of a database. Its exit status is the error number minus 12021
 * where there is one (facts 3.6): 6 agent already stopped, 8 already unloaded, 9 in use.
 */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "failure.h"
#include "link.h"
#include "replica.h"
#include "store.h"

#define USAGE(policies, more)                                                                      \
    "Usage:\n"                                                                                     \
    "  ttAdmin [-ramPolicy " policies " [-ramGrace secs]]\n"                                       \
    "          [-ramLoad] [-ramUnload]\n" more                                                     \
    "          [-repPolicy always|manual|norestart] [-repStart] [-repStop]\n"                      \
    "          [-cachePolicy always|manual|norestart] [-cacheStart]\n"                             \
    "          [-cacheStop [-stopTimeout secs]]\n"                                                 \
    "          [-wait] [-query] {-connStr <connection_string> | <DSN>}\n"                          \
    "  ttAdmin {-h | -help | -?} | {-V | -version}\n"

static const Usage usages[] = {
    { FAMILY_1122, USAGE("always|manual|inUse", "") },
    { 0, USAGE("always|manual|enduring|inUse",
               "          [-open | -close] [-autoreload | -noautoreload]\n"
               "          [-disconnect {-transactional | -immediate | -abort} [-users | -unload]]\n"
               "          [-shmAttach] [-shmDetach [-ckpt | -noCkpt]] [-shmFree]\n") },
};

static const Option options[] = {
    { "-ramPolicy", 1 },
    { "-ramGrace", 1 },
    { "-ramLoad", 0 },
    { "-ramUnload", 0 },
    { "-repPolicy", 1 },
    { "-repStart", 0 },
    { "-repStop", 0 },
    { "-cachePolicy", 1 },
    { "-cacheStart", 0 },
    { "-cacheStop", 0 },
    { "-stopTimeout", 1 },
    { "-wait", 0 },
    { "-query", 0 },
    { "-connStr", 1 },
    { "-open", 0, .since = FAMILY_181 },
    { "-close", 0, .since = FAMILY_181 },
    { "-autoreload", 0, .since = FAMILY_181 },
    { "-noautoreload", 0, .since = FAMILY_181 },
    { "-disconnect", 0, .since = FAMILY_181 },
    { "-transactional", 0, .since = FAMILY_181 },
    { "-immediate", 0, .since = FAMILY_181 },
    { "-abort", 0, .since = FAMILY_181 },
    { "-users", 0, .since = FAMILY_181 },
    { "-unload", 0, .since = FAMILY_181 },
    { "-shmAttach", 0, .since = FAMILY_181 },
    { "-shmDetach", 0, .since = FAMILY_181 },
    { "-ckpt", 0, .since = FAMILY_181 },
    { "-noCkpt", 0, .since = FAMILY_181 },
    { "-shmFree", 0, .since = FAMILY_181 },
    { NULL },
};

/* Options that say how another one is to be done: they exclude each other, and OF is the one. */
static const struct {
    const char *of;
    const char *const words[4];
    gboolean needed;
} manners[] = {
    { "-disconnect", { "-transactional", "-immediate", "-abort" }, TRUE },
    { "-disconnect", { "-users", "-unload" } },
    { "-shmDetach", { "-ckpt", "-noCkpt" } },
    { NULL, { "-open", "-close" } },
    { NULL, { "-autoreload", "-noautoreload" } },
    { NULL, { "-ramLoad", "-ramUnload" } },
};

typedef struct {
    const Arguments *arguments;
    const Target *target;
    Wire *link;
} Administration;

static gboolean ask(const Administration *administration, const char *verb, GError **error)
{
    g_autofree char *line = message_line(verb, "path", administration->target->data_store, NULL);
    g_autoptr(Message) reply = link_ask(administration->link, line, error);

    return reply != NULL;
}

static gboolean set_policy(const Administration *administration, const char *value, GError **error)
{
    const char *grace = arguments_value(administration->arguments, "-ramGrace");
    g_autofree char *line = message_line("policy", "path", administration->target->data_store,
                                         "policy", value, "grace", grace ? grace : "0", NULL);
    g_autoptr(Message) reply = link_ask(administration->link, line, error);

    return reply != NULL;
}

/* With what the DSN says of the database, because it counts from now on. */
static gboolean ask_to_load(const Administration *administration, const char *verb, GError **error)
{
    const Target *target = administration->target;
    g_autofree char *megabytes = g_strdup_printf(
        "%u", target->segment_mb + administration->arguments->instance->overhead_mb);
    g_autofree char *line = message_line(verb, "path", target->data_store, "megabytes", megabytes,
                                         "force", target->force_disconnect ? "1" : "0", NULL);
    g_autoptr(Message) reply = link_ask(administration->link, line, error);

    return reply != NULL;
}

static gboolean ram_load(const Administration *administration, const char *value, GError **error)
{
    return ask_to_load(administration, "ramload", error);
}

static gboolean shm_attach(const Administration *administration, const char *value, GError **error)
{
    return ask_to_load(administration, "shmattach", error);
}

static gboolean shm_detach(const Administration *administration, const char *value, GError **error)
{
    return ask(administration, "shmdetach", error);
}

static gboolean shm_free(const Administration *administration, const char *value, GError **error)
{
    return ask(administration, "shmfree", error);
}

static gboolean open_database(const Administration *administration, const char *value,
                              GError **error)
{
    return link_set_closed(administration->link, administration->target->data_store, FALSE, error);
}

static gboolean close_database(const Administration *administration, const char *value,
                               GError **error)
{
    return link_set_closed(administration->link, administration->target->data_store, TRUE, error);
}

static gboolean disconnect_all(const Administration *administration, const char *value,
                               GError **error)
{
    const Arguments *arguments = administration->arguments;
    const char *mode = arguments_value(arguments, "-transactional") ? "transactional"
                       : arguments_value(arguments, "-immediate")   ? "immediate"
                                                                    : "abort";
    g_autofree char *line =
        message_line("disconnect", "path", administration->target->data_store, "mode", mode,
                     "unload", arguments_value(arguments, "-unload") ? "1" : "0", NULL);
    g_autoptr(Message) reply = link_ask(administration->link, line, error);

    return reply != NULL;
}

static gboolean ram_unload(const Administration *administration, const char *value, GError **error)
{
    return ask(administration, "ramunload", error);
}

static gboolean agent_stopped(const Administration *administration, const char *value,
                              GError **error)
{
    failure_set(error, TT_AGENT_STOPPED, "Agent already stopped for data store %s",
                administration->target->data_store);
    return FALSE;
}

static gboolean is_replicated(const Administration *administration, GError **error)
{
    g_autoptr(sqlite3) database = store_open(administration->target->data_store,
                                             &administration->arguments->instance->version, error);

    if (!database)
        return FALSE;
    if (replica_exists(database))
        return TRUE;
    failure_set(error, TT_NOT_REPLICATED, "This store (%s) is not involved in a replication scheme",
                administration->target->data_store);
    return FALSE;
}

static gboolean start_replication(const Administration *administration, const char *value,
                                  GError **error)
{
    g_autofree char *line =
        message_line("repstart", "path", administration->target->data_store, "wait",
                     arguments_value(administration->arguments, "-wait") ? "1" : "0", NULL);
    g_autoptr(Message) reply =
        is_replicated(administration, error) ? link_ask(administration->link, line, error) : NULL;

    return reply != NULL;
}

static gboolean stop_replication(const Administration *administration, const char *value,
                                 GError **error)
{
    return ask(administration, "repstop", error);
}

static gboolean set_replication_policy(const Administration *administration, const char *value,
                                       GError **error)
{
    g_autofree char *line = message_line("reppolicy", "path", administration->target->data_store,
                                         "policy", value, NULL);
    g_autoptr(Message) reply = NULL;

    if (g_ascii_strcasecmp(value, "manual") != 0 && !is_replicated(administration, error))
        return FALSE;
    reply = link_ask(administration->link, line, error);
    return reply != NULL;
}

static gboolean no_oracle(const Administration *administration, const char *value, GError **error)
{
    failure_set(error, TT_ENGINE, "Cache agent cannot start: no Oracle home");
    return FALSE;
}

static gboolean cache_policy(const Administration *administration, const char *value,
                             GError **error)
{
    return g_ascii_strcasecmp(value, "manual") == 0 || no_oracle(administration, value, error);
}

static const struct {
    const char *option;
    gboolean (*run)(const Administration *administration, const char *value, GError **error);
} operations[] = {
    { "-ramPolicy", set_policy },       { "-ramLoad", ram_load },
    { "-ramUnload", ram_unload },       { "-repPolicy", set_replication_policy },
    { "-repStart", start_replication }, { "-repStop", stop_replication },
    { "-cachePolicy", cache_policy },   { "-cacheStart", no_oracle },
    { "-cacheStop", agent_stopped },    { "-open", open_database },
    { "-close", close_database },       { "-disconnect", disconnect_all },
    { "-shmDetach", shm_detach },       { "-shmAttach", shm_attach },
    { "-shmFree", shm_free },
};

static gboolean print_state(const Administration *administration, GError **error)
{
    g_autofree char *line = message_line("query", "path", administration->target->data_store, NULL);
    g_autoptr(Message) reply = link_ask(administration->link, line, error);
    const char *policy;

    if (!reply)
        return FALSE;
    policy = message_get(reply, "policy");
    printf("RAM Residence Policy            : %s\n", policy);
    if (strcmp(policy, "manual") == 0 || strcmp(policy, "enduring") == 0)
        printf("Manually Loaded In RAM          : %s\n",
               message_number(reply, "loaded") ? "True" : "False");
    if (message_number(reply, "grace") > 0)
        printf("RAM Residence Grace (Secs)      : %s\n", message_get(reply, "grace"));
    printf("Replication Agent Policy        : %s\n", message_get(reply, "agentpolicy"));
    printf("Replication Manually Started    : %s\n",
           message_number(reply, "agentmanual") ? "True" : "False");
    puts("Cache Agent Policy              : manual\n"
         "Cache Agent Manually Started    : False");
    if (administration->arguments->instance->family->closable)
        printf("Database State                  : %s\n",
               message_number(reply, "closed") ? "Closed" : "Open");
    return TRUE;
}

static gboolean administer(const Administration *administration, GError **error)
{
    if (!store_exists(administration->target->data_store)) {
        failure_set(error, TT_NO_STORE, "Data store %s does not exist",
                    administration->target->data_store);
        return FALSE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(operations); i++) {
        const char *value = arguments_value(administration->arguments, operations[i].option);

        if (value && !operations[i].run(administration, value, error))
            return FALSE;
    }
    return print_state(administration, error);
}

static gboolean manners_are_right(const Arguments *arguments)
{
    for (guint i = 0; i < G_N_ELEMENTS(manners); i++) {
        guint given = 0;

        for (guint w = 0; manners[i].words[w]; w++)
            given += arguments_value(arguments, manners[i].words[w]) != NULL;
        if (given > 1 ||
            (given > 0 && manners[i].of && !arguments_value(arguments, manners[i].of)) ||
            (given == 0 && manners[i].needed && arguments_value(arguments, manners[i].of)))
            return FALSE;
    }
    return TRUE;
}

int ttadmin_main(int argc, char **argv)
{
    g_autoptr(Instance) instance = instance_self();
    const char *usage = usage_of(instance, usages);
    Arguments *arguments = arguments_read(instance, argv, options, usage, 1);
    g_autofree char *database = arguments_database(arguments, usage, 1);
    g_autoptr(GError) error = NULL;
    g_autoptr(Target) target = target_find(instance, database, FALSE, &error);
    g_autoptr(Wire) link = target ? link_open(instance, NULL, &error) : NULL;
    const Administration administration = { arguments, target, link };

    if (arguments->words->len > 0 || !manners_are_right(arguments))
        arguments_usage(usage, 1);
    if (link && administer(&administration, &error))
        return 0;
    print_failure(instance, error);
    return error->code >= TT_AGENT_RUNNING && error->code <= TT_IN_USE ? error->code - 12021 : 1;
}
