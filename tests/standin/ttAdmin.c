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

static const char usage[] =
    "Usage:\n"
    "  ttAdmin [-ramPolicy always|manual|inUse [-ramGrace secs]] [-ramLoad] [-ramUnload]\n"
    "          [-repPolicy always|manual|norestart] [-repStart] [-repStop]\n"
    "          [-cachePolicy always|manual|norestart] [-cacheStart] [-cacheStop [-stopTimeout "
    "secs]]\n"
    "          [-wait] [-query] {-connStr <connection_string> | <DSN>}\n"
    "  ttAdmin {-h | -help | -?} | {-V | -version}\n";

static const Option options[] = {
    { "-ramPolicy", 1 }, { "-ramGrace", 1 },    { "-ramLoad", 0 },
    { "-ramUnload", 0 }, { "-repPolicy", 1 },   { "-repStart", 0 },
    { "-repStop", 0 },   { "-cachePolicy", 1 }, { "-cacheStart", 0 },
    { "-cacheStop", 0 }, { "-stopTimeout", 1 }, { "-wait", 0 },
    { "-query", 0 },     { "-connStr", 1 },     { NULL },
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

static gboolean ram_load(const Administration *administration, const char *value, GError **error)
{
    return ask(administration, "ramload", error);
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
    { "-cacheStop", agent_stopped },
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
    if (strcmp(policy, "manual") == 0)
        printf("Manually Loaded In RAM          : %s\n",
               message_number(reply, "loaded") ? "True" : "False");
    if (message_number(reply, "grace") > 0)
        printf("RAM Residence Grace (Secs)      : %s\n", message_get(reply, "grace"));
    printf("Replication Agent Policy        : %s\n", message_get(reply, "agentpolicy"));
    printf("Replication Manually Started    : %s\n",
           message_number(reply, "agentmanual") ? "True" : "False");
    puts("Cache Agent Policy              : manual\n"
         "Cache Agent Manually Started    : False");
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

int ttadmin_main(int argc, char **argv)
{
    g_autoptr(Instance) instance = instance_self();
    Arguments *arguments = arguments_read(instance, argv, options, usage, 1);
    g_autofree char *database = arguments_database(arguments, usage, 1);
    g_autoptr(GError) error = NULL;
    g_autoptr(Target) target = target_find(instance, database, FALSE, &error);
    g_autoptr(Wire) link = target ? link_open(instance, NULL, &error) : NULL;
    const Administration administration = { arguments, target, link };

    if (arguments->words->len > 0)
        arguments_usage(usage, 1);
    if (link && administer(&administration, &error))
        return 0;
    print_failure(instance, error);
    return error->code >= TT_AGENT_RUNNING && error->code <= TT_IN_USE ? error->code - 12021 : 1;
}
