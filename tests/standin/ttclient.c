/* ttclient: a client/server application for tests. Not a part of TimesTen; the protocol is the
 * stand-in's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "failure.h"
#include "session.h"

typedef struct {
    Options options;
    char **sql;
    char *direct;
    double hold; /* seconds to keep the connection after the SQL */
    gint64 fill;
    gboolean load;
    gboolean verify;
} Command;

static void print_values(char **values, guint n)
{
    fputs("< ", stdout);
    for (guint i = 0; i < n; i++)
        printf("%s%s", i ? ", " : "", values[i] ? values[i] : "<NULL>");
    puts(" >");
    fflush(stdout);
}

static void print_row(char **values, guint n, gpointer data)
{
    print_values(values, n);
}

static gboolean print_direct_row(char **values, guint n, gpointer data)
{
    print_values(values, n);
    return TRUE;
}

static void hold(const Command *command)
{
    puts("connected");
    fflush(stdout);
    if (command->hold > 0)
        g_usleep((gulong)(command->hold * G_USEC_PER_SEC));
}

static int run_direct(const Command *command)
{
    static const SessionKind kind = { .type = "Process", .name = "ttclient" };
    g_autoptr(GError) error = NULL;
    g_autoptr(Instance) instance = instance_at(command->direct, &error);
    g_autoptr(Target) target =
        instance ? target_find(instance, command->options.server.dsn, FALSE, &error) : NULL;
    g_autoptr(Session) session = target ? session_open(instance, target, &kind, &error) : NULL;

    if (session && command->hold > 0)
        hold(command);
    for (guint i = 0; session && command->sql && command->sql[i]; i++) {
        if (!session_run(session, command->sql[i], print_direct_row, NULL, NULL, &error))
            break;
    }
    if (!error)
        return 0;
    fprintf(stderr, "ttclient: %d: %s\n", error->code, error->message);
    return session ? 1 : 2;
}

static int run_sql(const Command *command)
{
    static const char *const words[] = {
        "ok", "refused", "reset", "timed out", "rejected", "failed"
    };
    Application application = { 0 };
    Attempt attempt = application_connect(&application, &command->options.server,
                                          command->options.first_connect_ms);
    int status = 0;

    if (attempt != ATTEMPT_OK) {
        fprintf(stderr, "ttclient: connect %s: %d: %s\n", words[attempt], application.number,
                application.error);
        return 2;
    }
    if (command->hold > 0)
        hold(command);
    if (!command->sql)
        printf("release %s\n", application.release);
    for (guint i = 0; command->sql && command->sql[i] && status == 0; i++) {
        if (application_run(&application, command->sql[i], command->options.statement_ms, print_row,
                            NULL) != ANSWER_OK) {
            fprintf(stderr, "ttclient: %d: %s\n", application.number, application.error);
            status = 1;
        }
    }
    application_clear(&application);
    return status;
}

static gboolean split_address(Options *options)
{
    char *colon = options->address ? strrchr(options->address, ':') : NULL;

    if (!colon)
        return FALSE;
    options->server.host = g_strndup(options->address, (gsize)(colon - options->address));
    options->server.port = (guint16)atoi(colon + 1);
    return options->server.port != 0;
}

int main(int argc, char **argv)
{
    double first = 10;
    double later = 20;
    double statement = 60;
    double settle = 60;
    Command command = { .options = { .server = { .release = "6.0.8", .name = "ttclient" },
                                     .id = 1,
                                     .think_ms = 10,
                                     .retry_ms = 100 } };
    Options *options = &command.options;
    const GOptionEntry entries[] = {
        { "server", 0, 0, G_OPTION_ARG_STRING, &options->address, "Server to connect to",
          "HOST:PORT" },
        { "direct", 0, 0, G_OPTION_ARG_FILENAME, &command.direct, "Connect in direct mode",
          "HOME" },
        { "dsn", 0, 0, G_OPTION_ARG_STRING, &options->server.dsn, "Database", "DSN" },
        { "client-release", 0, 0, G_OPTION_ARG_STRING, &options->server.release,
          "Release to announce (6.0.8)", "RELEASE" },
        { "name", 0, 0, G_OPTION_ARG_STRING, &options->server.name, "Connection name", "NAME" },
        { "sql", 0, 0, G_OPTION_ARG_STRING_ARRAY, &command.sql, "Run a statement; may be repeated",
          "SQL" },
        { "hold", 0, 0, G_OPTION_ARG_DOUBLE, &command.hold,
          "Say \"connected\" and wait before the first statement", "SECONDS" },
        { "load", 0, 0, G_OPTION_ARG_NONE, &command.load, "Write rows until the end", NULL },
        { "verify", 0, 0, G_OPTION_ARG_NONE, &command.verify,
          "Check the reports of loads given as arguments", NULL },
        { "fill", 0, 0, G_OPTION_ARG_INT64, &command.fill, "Make the table with so many rows",
          "ROWS" },
        { "id", 0, 0, G_OPTION_ARG_INT64, &options->id, "Number of this load (1 or more)", "N" },
        { "table", 0, 0, G_OPTION_ARG_STRING, &options->table, "Table of load, verify, fill",
          "NAME" },
        { "create", 0, 0, G_OPTION_ARG_NONE, &options->create, "Load: make the table first", NULL },
        { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &options->seconds, "Load: how long (until SIGTERM)",
          "S" },
        { "reconnect-every", 0, 0, G_OPTION_ARG_INT64, &options->reconnect_every,
          "Load: transactions per session (0: one session)", "K" },
        { "think", 0, 0, G_OPTION_ARG_INT64, &options->think_ms,
          "Load: pause between transactions (10)", "MS" },
        { "retry", 0, 0, G_OPTION_ARG_INT64, &options->retry_ms,
          "Load: pause after a failed connect (100)", "MS" },
        { "first-connect-timeout", 0, 0, G_OPTION_ARG_DOUBLE, &first,
          "Limit of the first connect (10)", "S" },
        { "connect-timeout", 0, 0, G_OPTION_ARG_DOUBLE, &later, "Limit of later connects (20)",
          "S" },
        { "statement-timeout", 0, 0, G_OPTION_ARG_DOUBLE, &statement, "Limit of a statement (60)",
          "S" },
        { "settle", 0, 0, G_OPTION_ARG_DOUBLE, &settle,
          "Load: after the end, try so long to learn the fate of the last row (60)", "S" },
        { "report", 0, 0, G_OPTION_ARG_FILENAME, &options->report, "Load: report into a file",
          "FILE" },
        { NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("[REPORT…]");
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "ttclient: %s\n", error->message);
        return 2;
    }
    options->first_connect_ms = (gint64)(first * 1000);
    options->connect_ms = (gint64)(later * 1000);
    options->statement_ms = (gint64)(statement * 1000);
    options->settle_ms = (gint64)(settle * 1000);
    if (!options->server.dsn || (!command.direct && !split_address(options)) ||
        ((command.load || command.verify || command.fill) && !options->table)) {
        fprintf(stderr,
                "ttclient: needs --dsn, --server HOST:PORT or --direct HOME, and --table for "
                "--load, --verify and --fill\n");
        return 2;
    }
    if (command.direct)
        return run_direct(&command);
    if (command.load)
        return load_run(options);
    if (command.verify)
        return verify_run(options, argv + 1);
    if (command.fill > 0)
        return fill_run(options, command.fill);
    return run_sql(&command);
}
