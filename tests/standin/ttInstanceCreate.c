/* ttInstanceCreate: a new instance of the installation that it was started from (facts 3.9). Asks
 * nothing: what is not given has the installer's default.
 */
#include "commands.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "failure.h"
#include "instancefiles.h"

static const char usage[] =
    "Usage:\n"
    "  ttInstanceCreate [-name <instance_name>] [-location <path>] [-daemonport <port>]\n"
    "                   [-csport <port>] [-tnsadmin <path>] [-start] [-force]\n"
    "  ttInstanceCreate {-h | -help | -?} | {-V | -version}\n";

static const Option options[] = { { "-name", 1 },       { "-location", 1 },
                                  { "-daemonport", 1 }, { "-csport", 1 },
                                  { "-tnsadmin", 1 },   { "-start", 0 },
                                  { "-force", 0 },      { NULL } };

static gboolean check_port(const char *option, const char *text, GError **error)
{
    guint64 port;

    /* 0 for the server is the stand-in's own: none. */
    if (g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT16, &port, NULL))
        return TRUE;
    failure_set(error, TT_BAD_VALUE, "%s %s: a port is a number from 1 to 65535", option, text);
    return FALSE;
}

static gboolean may_create(const Arguments *arguments, const NewInstance *new, const char *location,
                           GError **error)
{
    if (!check_port("-daemonport", new->daemon_port, error) ||
        !check_port("-csport", new->server_port, error))
        return FALSE;
    if (!g_file_test(location, G_FILE_TEST_IS_DIR)) {
        failure_set(error, TT_FILE, "Instance location %s does not exist", location);
        return FALSE;
    }
    if (g_file_test(new->home, G_FILE_TEST_EXISTS) && !arguments_value(arguments, "-force")) {
        failure_set(error, TT_FILE, "Instance directory %s exists already", new->home);
        return FALSE;
    }
    return TRUE;
}

static void say_done(const NewInstance *new)
{
    printf("\nNOTE: The TimesTen daemon startup/shutdown scripts have not been installed.\n\n"
           "The startup script is located here :\n"
           "        '%s/startup/tt_%s'\n\n"
           "Run the 'setuproot' script :\n"
           "        %s/bin/setuproot -install\n"
           "This will move the TimesTen startup script into its appropriate location.\n\n"
           "Instance created successfully.\n",
           new->home, new->name, new->home);
}

static char *given(const Arguments *arguments, const char *option, guint16 fallback)
{
    const char *value = arguments_value(arguments, option);

    return value ? g_strdup(value) : g_strdup_printf("%u", fallback);
}

static int start(const char *home)
{
    g_autofree char *path = g_build_filename(home, "bin", "ttDaemonAdmin", NULL);

    fflush(stdout);
    execl(path, path, "-start", NULL);
    perror(path);
    return 1;
}

int ttinstancecreate_main(int argc, char **argv)
{
    g_autoptr(Instance) software = instance_software();
    Arguments *arguments = arguments_read(software, argv, options, usage, 1);
    const struct passwd *user = getpwuid(geteuid());
    const char *name = arguments_value(arguments, "-name");
    const char *where = arguments_value(arguments, "-location");
    g_autofree char *location = g_canonicalize_filename(where ? where : g_get_home_dir(), NULL);
    g_autofree char *uid = g_strdup_printf("%u", (unsigned)geteuid());
    g_autofree char *home = g_build_filename(location, name ? name : "instance1", NULL);
    g_autofree char *daemon_port = given(arguments, "-daemonport", software->family->daemon_port);
    g_autofree char *server_port = given(arguments, "-csport", software->family->server_port);
    const NewInstance new = { .software = software,
                              .home = home,
                              .name = name ? name : "instance1",
                              .admin = user ? user->pw_name : uid,
                              .uid = uid,
                              .daemon_port = daemon_port,
                              .server_port = server_port,
                              .tns_admin = arguments_value(arguments, "-tnsadmin") };
    g_autoptr(GError) error = NULL;

    if (arguments->words->len > 0)
        arguments_usage(usage, 1);
    printf("Creating instance in %s ...\n", home);
    if (!may_create(arguments, &new, location, &error) || !instance_files_create(&new, &error)) {
        fprintf(stderr, "ttInstanceCreate: %s\n", error->message);
        return 1;
    }
    say_done(&new);
    return arguments_value(arguments, "-start") ? start(home) : 0;
}
