/* ttIsql: SQL and built-in procedures on one database. Its exit status tells of the first connect
 * only; that a command failed stands in the output and nowhere else (facts 3.8).
 */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "failure.h"
#include "session.h"

static const char usage[] = "Usage:\n"
                            "  ttIsql [-f <filename>] [-v <verbosity>] [-e <commands>] "
                            "[-interactive] [-N <encoding>] [-wait]\n"
                            "         {<DSN> | -connStr <connection_string>}\n"
                            "  ttIsql {-h | -help | -?} | {-V | -version}\n";

static const Option options[] = { { "-f", 1 },       { "-v", 0, .attached = TRUE, .spaced = TRUE },
                                  { "-e", 1 },       { "-interactive", 0 },
                                  { "-N", 1 },       { "-wait", 0 },
                                  { "-connStr", 1 }, { NULL } };

typedef struct {
    Session *session;
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
    if (!session_run(shell->session, text, print_row, NULL, &result, &error))
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

static Session *connect_to(const Instance *instance, const char *database, gboolean wait)
{
    static const SessionKind kind = { .type = "Process", .name = "ttIsql" };

    while (TRUE) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Target) target = target_find(instance, database, FALSE, &error);
        Session *session = target ? session_open(instance, target, &kind, &error) : NULL;

        if (session || !wait) {
            if (!session)
                print_error(error);
            return session;
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

int ttisql_main(int argc, char **argv)
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
    shell.session = connect_to(instance, database, arguments_value(arguments, "-wait") != NULL);
    if (!shell.session) {
        if (shell.verbosity >= 2)
            puts("Done.");
        return 1;
    }
    if (shell.verbosity >= 2)
        printf("Connection successful: %s\n(Default setting AutoCommit=1)\n", database);
    run_all(&shell, arguments);
    session_close(shell.session);
    if (shell.verbosity >= 2)
        puts("Disconnecting...\nDone.");
    return 0;
}
