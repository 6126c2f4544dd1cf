/* ttIsql: SQL and built-in procedures on one database, and ttIsqlCS, the same by way of a TimesTen
 * Server. The exit status tells of the first connect only; that a command failed stands in the
 * output and nowhere else (facts 3.8).
 */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "application.h"
#include "arguments.h"
#include "failure.h"
#include "session.h"

static const char usage[] = "Usage:\n"
                            "  ttIsql[CS] [-f <filename>] [-v <verbosity>] [-e <commands>] "
                            "[-interactive] [-N <encoding>] [-wait]\n"
                            "         {<DSN> | -connStr <connection_string>}\n"
                            "  ttIsql[CS] {-h | -help | -?} | {-V | -version}\n";

static const Option options[] = { { "-f", 1 },       { "-v", 0, .attached = TRUE, .spaced = TRUE },
                                  { "-e", 1 },       { "-interactive", 0 },
                                  { "-N", 1 },       { "-wait", 0 },
                                  { "-connStr", 1 }, { NULL } };

typedef struct {
    Session *session;   /* ttIsql */
    Remote *remote;     /* ttIsqlCS */
    Application client; /* likewise */
    guint verbosity;
    gboolean echo; /* commands from a file are shown at verbosity 2 and up */
} Shell;

/* "  707: text"; the numbers of states such as IM002 have no blanks in front. */
static void print_error(const GError *error)
{
    if (error->domain == TT_FAILURE && error->code == TT_NO_DSN)
        printf("IM002: %s\n", error->message);
    else
        printf("%5d: %s\n", failure_number(error), error->message);
    puts("The command failed.");
}

static gboolean print_row(char **values, guint n, gpointer data)
{
    fputs("< ", stdout);
    for (guint i = 0; i < n; i++)
        printf("%s%s", i ? ", " : "", values[i] ? values[i] : "<NULL>");
    puts(" >");
    return TRUE;
}

static void print_result(const SessionResult *result)
{
    static const char *const verbs[] = { "found", "inserted", "updated", "deleted" };

    if (result->kind <= SQL_DELETE)
        printf("%" G_GINT64_FORMAT " row%s %s.\n", result->affected,
               result->affected == 1 ? "" : "s", verbs[result->kind]);
}

static void print_remote_row(char **values, guint n, gpointer data)
{
    print_row(values, n, data);
}

/* The client's own troubles have numbers of ours; an error without one is no answer of a server. */
static void client_failure(const Application *client, gboolean connected, gboolean answered,
                           GError **error)
{
    int number = answered ? (client->number ? client->number : TT_PROTOCOL)
                          : (connected ? TT_CONNECTION_LOST : TT_UNREACHABLE);

    failure_set(error, number, "%s%s",
                answered && client->number ? ""
                : answered                 ? "The server answered with nonsense: "
                : connected                ? "Connection to the server lost: "
                                           : "Cannot connect to the server: ",
                client->error ? client->error : "no reason given");
}

static gboolean run_remote(Shell *shell, const char *statement, SessionResult *ret, GError **error)
{
    static const struct {
        const char *name;
        SqlKind kind;
    } kinds[] = { { "select", SQL_SELECT },
                  { "insert", SQL_INSERT },
                  { "update", SQL_UPDATE },
                  { "delete", SQL_DELETE } };
    Application *client = &shell->client;
    Answer answer = application_run(client, statement, shell->remote->timeout_s * 1000LL,
                                    print_remote_row, NULL);

    if (answer != ANSWER_OK) {
        client_failure(client, TRUE, answer == ANSWER_ERROR, error);
        return FALSE;
    }
    *ret = (SessionResult){ .kind = SQL_OTHER, .affected = client->affected };
    for (guint i = 0; client->kind && i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(client->kind, kinds[i].name) == 0)
            ret->kind = kinds[i].kind;
    }
    return TRUE;
}

static gboolean run_statement(Shell *shell, const char *statement, SessionResult *ret,
                              GError **error)
{
    return shell->remote ? run_remote(shell, statement, ret, error)
                         : session_run(shell->session, statement, print_row, NULL, ret, error);
}

/* FALSE: the shell is to end. */
static gboolean run_command(Shell *shell, const char *command)
{
    g_autofree char *text = g_strstrip(g_strdup(command));
    g_autoptr(GError) error = NULL;
    SessionResult result;

    if (shell->echo && shell->verbosity >= 2)
        printf("\n%s;\n", text);
    if (g_ascii_strcasecmp(text, "exit") == 0 || g_ascii_strcasecmp(text, "quit") == 0)
        return FALSE;
    if (g_ascii_strncasecmp(text, "verbosity ", 10) == 0) {
        shell->verbosity = (guint)atoi(text + 10);
        return TRUE;
    }
    if (!run_statement(shell, text, &result, &error))
        print_error(error);
    else if (shell->verbosity >= 2)
        print_result(&result);
    return TRUE;
}

static gboolean run_script(Shell *shell, const char *script)
{
    g_auto(GStrv) commands = sql_split(script);

    for (guint i = 0; commands[i]; i++) {
        if (!run_command(shell, commands[i]))
            return FALSE;
    }
    return TRUE;
}

/* A statement may take several lines; "exit" needs no semicolon. */
static void run_input(Shell *shell)
{
    g_autoptr(GString) pending = g_string_new(NULL);
    g_autofree char *line = NULL;
    size_t size = 0;
    gboolean prompt = isatty(STDIN_FILENO) && shell->verbosity >= 1;

    while (TRUE) {
        g_autofree char *word = NULL;

        if (prompt)
            fputs(pending->len > 0 ? "> " : "Command> ", stdout);
        fflush(stdout);
        if (getline(&line, &size, stdin) < 0)
            break;
        word = g_strstrip(g_strdup(line));
        if (pending->len == 0 &&
            (g_ascii_strcasecmp(word, "exit") == 0 || g_ascii_strcasecmp(word, "quit") == 0))
            return;
        g_string_append(pending, line);
        if (!g_str_has_suffix(word, ";"))
            continue;
        if (!run_script(shell, pending->str))
            return;
        g_string_truncate(pending, 0);
    }
    run_script(shell, pending->str);
}

static gboolean connect_direct(Shell *shell, const Instance *instance, const char *database,
                               GError **error)
{
    static const SessionKind kind = { .type = "Process", .name = "ttIsql" };
    g_autoptr(Target) target = target_find(instance, database, FALSE, error);

    shell->session = target ? session_open(instance, target, &kind, error) : NULL;
    return shell->session != NULL;
}

static gboolean connect_server(Shell *shell, const Instance *instance, const char *database,
                               GError **error)
{
    Server server = { .release = instance->release, .name = "ttIsqlCS" };
    Attempt attempt;

    g_clear_pointer(&shell->remote, remote_free);
    shell->remote = remote_find(instance, database, error);
    if (!shell->remote)
        return FALSE;
    server.host = shell->remote->host;
    server.port = shell->remote->port;
    server.dsn = shell->remote->dsn;
    attempt = application_connect(&shell->client, &server, shell->remote->timeout_s * 1000LL);
    if (attempt != ATTEMPT_OK)
        client_failure(&shell->client, FALSE, attempt == ATTEMPT_REJECTED, error);
    return attempt == ATTEMPT_OK;
}

typedef gboolean (*Connect)(Shell *shell, const Instance *instance, const char *database,
                            GError **error);

static gboolean connect_to(Shell *shell, const Instance *instance, Connect connect,
                           const char *database, gboolean wait)
{
    while (TRUE) {
        g_autoptr(GError) error = NULL;

        if (connect(shell, instance, database, &error))
            return TRUE;
        if (!wait) {
            print_error(error);
            return FALSE;
        }
        g_usleep(G_USEC_PER_SEC);
    }
}

static void run_all(Shell *shell, const Arguments *arguments)
{
    const char *commands = arguments_value(arguments, "-e");
    const char *file = arguments_value(arguments, "-f");
    g_autofree char *script = NULL;

    if (commands && !run_script(shell, commands))
        return;
    if (file) {
        shell->echo = TRUE;
        if (!g_file_get_contents(file, &script, NULL, NULL))
            printf("Error opening file %s\nThe command failed.\n", file);
        else
            run_script(shell, script);
    } else if (!commands || arguments_value(arguments, "-interactive")) {
        run_input(shell);
    }
}

static int run(char **argv, Connect connect)
{
    g_autoptr(Instance) instance = instance_self();
    Arguments *arguments;
    g_autofree char *database = NULL;
    const char *verbosity;
    Shell shell = { .verbosity = 2 };

    arguments = arguments_read(instance, argv, options, usage, 1);
    database = arguments_database(arguments, usage, 1);
    verbosity = arguments_value(arguments, "-v");
    if (verbosity && *verbosity)
        shell.verbosity = (guint)atoi(verbosity);
    if (shell.verbosity >= 2)
        printf("%s\nType ? or \"help\" for help, type \"exit\" to quit ttIsql.\n\n",
               instance->family->copyright);
    if (!connect_to(&shell, instance, connect, database,
                    arguments_value(arguments, "-wait") != NULL)) {
        if (shell.verbosity >= 2)
            puts("Done.");
        return 1;
    }
    if (shell.verbosity >= 2)
        printf("Connection successful: %s\n(Default setting AutoCommit=1)\n", database);
    run_all(&shell, arguments);
    if (shell.session)
        session_close(shell.session);
    application_clear(&shell.client);
    if (shell.verbosity >= 2)
        puts("Disconnecting...\nDone.");
    return 0;
}

int ttisql_main(int argc, char **argv)
{
    return run(argv, connect_direct);
}

int ttisqlcs_main(int argc, char **argv)
{
    return run(argv, connect_server);
}
