/* ttStatus: the report of the main daemon, in the words of its era (facts 3.2). */
#include "commands.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "arguments.h"
#include "link.h"

#define USAGE(more)                                                                                \
    "Usage:\n"                                                                                     \
    "  ttStatus [-v] [-r secs] [-[no]pretty]" more "\n"                                            \
    "  ttStatus {-h | -help | -?} | {-V | -version}\n"

static const Usage usages[] = {
    { FAMILY_1122, USAGE("") },
    { 0, USAGE(" [-gridbrief] [-connStr <connection_string> | <DSN>]") },
};

static const Option options[] = { { "-v", 0 },
                                  { "-r", 1 },
                                  { "-pretty", 0, .since = FAMILY_70 },
                                  { "-nopretty", 0 },
                                  { "-gridbrief", 0, .since = FAMILY_181 },
                                  { "-connStr", 1, .since = FAMILY_181 },
                                  { NULL } };

static const char ruler[] =
    "------------------------------------------------------------------------";

/* The sub-daemon's own connections, with the ids they always have. */
static const struct {
    const char *name;
    guint id;
} workers[] = {
    { "Manager", 2047 }, { "Rollback", 2046 },          { "Flusher", 2045 },
    { "Monitor", 2044 }, { "Deadlock Detector", 2043 }, { "Checkpoint", 2042 },
};

typedef struct {
    const Instance *instance;
    gboolean pretty;
    const char *chosen; /* data store that alone is reported; NULL: all */
    GString *head;      /* what is known of the daemon and its servers */
    GString *rows;
    guint connections;
    Message *store;
} Report;

static int say_down(const Instance *instance)
{
    if (instance->family->one_line_down)
        puts("ttStatus: Could not connect to TimesTen daemon: Connection refused");
    else
        puts("ttStatus: Could not connect to the TimesTen daemon.\n"
             "If the TimesTen daemon is not running, please start it\n"
             "by running \"ttDaemonAdmin -start\".");
    return 1;
}

static void add_row(Report *report, const char *type, gint64 pid, const char *name, guint id,
                    const char *info)
{
    guint key = (guint)message_number(report->store, "key");
    guint context = 0x08000000U + id * 0x2550U;

    report->connections++;
    if (report->pretty)
        g_string_append_printf(report->rows, "%-15s %-7" G_GINT64_FORMAT " 0x%0*x  %-26s %6u\n",
                               type, pid, report->instance->family->wide_contexts ? 16 : 8, context,
                               name, id);
    else
        g_string_append_printf(report->rows,
                               "%s pid %" G_GINT64_FORMAT " context 0x%x connected (KEY 0x%08x)\n",
                               type, pid, context, key);
    if (!report->pretty && info && *info)
        g_string_append_printf(report->rows, "    (Client Information: %s)\n", info);
}

static void print_memory(const Report *report)
{
    const Family *family = report->instance->family;
    guint key = (guint)message_number(report->store, "key");

    if (family->shared_mode_line)
        puts("Data store is in shared mode");
    printf("Shared Memory %s 0x%08x ID %u\n", family->memory_key, key, key & 0xffffU);
    if (family->plsql)
        printf("PL/SQL Memory %s 0x%08x ID %u Address 0x5000000000\n", family->memory_key, key + 1,
               (key + 1) & 0xffffU);
}

static void print_policies(const Report *report)
{
    const Family *family = report->instance->family;
    const Message *store = report->store;
    const char *policy = message_get(store, "policy");
    const char *agent_policy = message_get(store, "agentpolicy");

    if (family->closable)
        puts(message_number(store, "closed") ? "Closed to user connections"
                                             : "Open for user connections");
    if (g_strcmp0(policy, "inUse") != 0 || message_number(store, "grace") > 0)
        printf("RAM residence policy: %s\n", policy);
    if ((g_strcmp0(policy, "manual") == 0 || g_strcmp0(policy, "enduring") == 0) &&
        message_number(store, "loaded") == 0)
        puts("Data store is manually unloaded from RAM");
    printf("Replication policy  : %s\n", strcmp(agent_policy, "always") == 0      ? "Always"
                                         : strcmp(agent_policy, "norestart") == 0 ? "NoRestart"
                                                                                  : "Manual");
    if (message_number(store, "agent") != 0)
        puts("Replication agent is running.");
    printf("%s: Manual\n", family->cache_policy);
    if (family->plsql)
        puts("PL/SQL enabled.");
}

static void print_store(Report *report)
{
    const Message *store = report->store;
    gint64 subdaemon = message_number(store, "subdaemon");

    for (guint i = 0; subdaemon && i < G_N_ELEMENTS(workers); i++)
        add_row(report, "Subdaemon", subdaemon, workers[i].name, workers[i].id, NULL);
    if (report->instance->family->store_header)
        puts(ruler);
    printf("Data store %s\n", message_get(store, "path"));
    if (report->instance->family->store_header)
        fputs(report->head->str, stdout);
    if (report->connections == 0)
        puts("There are no connections to the data store");
    else
        printf("There %s %u connection%s to the data store\n",
               report->connections == 1 ? "is" : "are", report->connections,
               report->connections == 1 ? "" : "s");
    if (subdaemon)
        print_memory(report);
    if (report->pretty && report->connections > 0)
        printf("Type            PID     %-*s  Connection Name              ConnID\n",
               report->instance->family->wide_contexts ? 18 : 10, "Context");
    fputs(report->rows->str, stdout);
    print_policies(report);
    puts(ruler);
}

static void end_store(Report *report)
{
    const Message *store = report->store;

    if (!store)
        return;
    if (!report->chosen || strcmp(message_get(store, "path"), report->chosen) == 0)
        print_store(report);
    g_clear_pointer(&report->store, message_free);
    g_string_truncate(report->rows, 0);
    report->connections = 0;
}

/* The daemon's lines stand at the top, and in some eras with each store. */
static void add_head(Report *report, const char *what, const Message *message)
{
    g_autofree char *line =
        g_strdup_printf("%s pid %s started on port %s\n", what, message_get(message, "pid"),
                        message_get(message, "port"));

    g_string_append(report->head, line);
    fputs(line, stdout);
}

static void take_line(Report *report, Message *message)
{
    if (strcmp(message->verb, "server") == 0)
        add_head(report, "TimesTen server", message);
    else if (strcmp(message->verb, "web") == 0)
        add_head(report, "TimesTen webserver", message);
    else if (strcmp(message->verb, "connection") == 0)
        add_row(report, message_get(message, "type"), message_number(message, "pid"),
                message_get(message, "name"), (guint)message_number(message, "connid"),
                message_get(message, "client"));
}

static int report_once(const Instance *instance, gboolean pretty, const char *chosen)
{
    Report report = { .instance = instance, .pretty = pretty, .chosen = chosen };
    g_autoptr(Message) hello = NULL;
    g_autoptr(Wire) link = link_open(instance, &hello, NULL);
    time_t now = time(NULL);
    char when[64];
    gboolean ruled = FALSE;
    char *line;

    if (!link || !wire_send(link, "status"))
        return say_down(instance);
    strftime(when, sizeof when, "%a %b %e %H:%M:%S %Y", localtime(&now));
    printf("TimesTen status report as of %s\n\n", when);
    report.rows = g_string_new(NULL);
    report.head = g_string_new(NULL);
    g_string_printf(report.head, "Daemon pid %s port %u instance %s\n", message_get(hello, "pid"),
                    instance->daemon_port, instance->name);
    fputs(report.head->str, stdout);
    while ((line = wire_receive(link, 10000)) && strcmp(line, "end") != 0) {
        Message *message = message_parse(line);
        gboolean store = strcmp(message->verb, "store") == 0;

        if (store && !ruled)
            puts(ruler);
        ruled |= store;
        if (store) {
            end_store(&report);
            report.store = message;
        } else {
            take_line(&report, message);
            message_free(message);
        }
        g_free(line);
    }
    end_store(&report);
    if (!ruled)
        puts(ruler);
    if (instance->family->plsql)
        printf("Accessible by group %s\n", instance->group);
    puts("End of report");
    g_string_free(report.rows, TRUE);
    g_string_free(report.head, TRUE);
    g_free(line);
    return line ? 0 : 1;
}

int ttstatus_main(int argc, char **argv)
{
    g_autoptr(Instance) instance = instance_self();
    const char *usage = usage_of(instance, usages);
    Arguments *arguments = arguments_read(instance, argv, options, usage, 1);
    const char *repeat = arguments_value(arguments, "-r");
    gboolean pretty = instance->family->pretty_status && !arguments_value(arguments, "-nopretty");
    gboolean one = arguments->words->len > 0 || arguments_value(arguments, "-connStr");
    g_autofree char *database = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(Target) target = NULL;
    int status;

    if (one && !instance->family->closable)
        arguments_usage(usage, 1);
    if (one) {
        database = arguments_database(arguments, usage, 1);
        target = target_find(instance, database, FALSE, &error);
        if (!target) {
            print_failure(instance, error);
            return 1;
        }
    }
    if (arguments->words->len > 0)
        arguments_usage(usage, 1);
    do {
        status = report_once(instance, pretty, target ? target->data_store : NULL);
        if (repeat)
            g_usleep((gulong)(g_ascii_strtod(repeat, NULL) * G_USEC_PER_SEC));
    } while (repeat);
    return status;
}
