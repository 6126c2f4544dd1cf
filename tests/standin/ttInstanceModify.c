/* ttInstanceModify: changes ports, installation or who is in control of an instance. Stops the
 * daemon, edits timesten.conf, and starts the daemon again if it ran (facts 3.9).
 */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arguments.h"
#include "failure.h"
#include "instancefiles.h"
#include "link.h"

#define USAGE(more)                                                                                \
    "Usage:\n"                                                                                     \
    "  ttInstanceModify [-port <port>] [-serverport <port>] [-install <installation>]" more "\n"   \
    "  ttInstanceModify {-h | -help | -?} | {-V | -version}\n"

static const Usage usages[] = { { FAMILY_181, USAGE("") },
                                { 0, USAGE("\n                   [-systemd | -nosystemd]") } };

static const Option options[] = { { "-port", 1 },
                                  { "-serverport", 1 },
                                  { "-install", 1 },
                                  { "-systemd", 0, .since = FAMILY_221 },
                                  { "-nosystemd", 0, .since = FAMILY_221 },
                                  { NULL } };

static gboolean set_port(const Instance *instance, OptionId id, const char *value, GError **error)
{
    guint64 port;

    if (g_ascii_string_to_unsigned(value, 10, 1, G_MAXUINT16, &port, NULL))
        return instance_set_option(instance, id, value, error);
    failure_set(error, TT_BAD_VALUE, "%s: a port is a number from 1 to 65535", value);
    return FALSE;
}

static gboolean set_daemon_port(const Instance *instance, const char *value, GError **error)
{
    return set_port(instance, OPTION_DAEMON_PORT, value, error);
}

static gboolean set_server_port(const Instance *instance, const char *value, GError **error)
{
    return set_port(instance, OPTION_SERVER_PORT, value, error);
}

static gboolean set_installation(const Instance *instance, const char *value, GError **error)
{
    g_autofree char *path = g_canonicalize_filename(value, NULL);
    g_autofree char *release = instance_compiled_in(path, "release");
    Version version;

    if (!release || !version_parse(release, &version)) {
        failure_set(error, TT_BAD_VALUE, "%s is not a TimesTen installation", path);
        return FALSE;
    }
    if (version_compare_major(&version, &instance->version) != 0) {
        failure_set(error, TT_BAD_VALUE,
                    "Installation %s is of release %s, the instance of release %s: another major "
                    "release needs an instance of its own",
                    path, release, instance->release);
        return FALSE;
    }
    return instance_link(instance->home, path, error) &&
           instance_set_option(instance, OPTION_RELEASE, release, error);
}

static gboolean set_systemd(const Instance *instance, const char *value, GError **error)
{
    return instance_unit_write(instance, error) &&
           instance_set_option(instance, OPTION_SYSTEMD, "1", error);
}

static gboolean set_no_systemd(const Instance *instance, const char *value, GError **error)
{
    instance_unit_remove(instance);
    return instance_set_option(instance, OPTION_SYSTEMD, NULL, error);
}

static const struct {
    const char *option;
    gboolean (*set)(const Instance *instance, const char *value, GError **error);
    gboolean hands_over; /* whoever is in control afterwards starts the daemon */
} changes[] = {
    { "-port", set_daemon_port },           { "-serverport", set_server_port },
    { "-install", set_installation },       { "-systemd", set_systemd, TRUE },
    { "-nosystemd", set_no_systemd, TRUE },
};

static gboolean daemon_admin(const Instance *instance, const char *verb)
{
    g_autofree char *path = g_build_filename(instance->programs, "ttDaemonAdmin", NULL);
    int status = 1;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        execl(path, path, verb, NULL);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static gboolean change(const Arguments *arguments, gboolean *ret_start, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(changes); i++) {
        const char *value = arguments_value(arguments, changes[i].option);

        if (!value)
            continue;
        if (!changes[i].set(arguments->instance, value, error))
            return FALSE;
        *ret_start = *ret_start && !changes[i].hands_over;
    }
    return TRUE;
}

static int modify(const Arguments *arguments)
{
    const Instance *instance = arguments->instance;
    g_autoptr(Wire) link = link_open(instance, NULL, NULL);
    g_autoptr(GError) error = NULL;
    gboolean start = link != NULL;
    gboolean done;

    if (link && instance_is_under_systemd(instance)) {
        fprintf(stderr,
                "ttInstanceModify: this instance is managed by systemd: stop it with "
                "\"systemctl stop tt_%s\" first\n",
                instance->name);
        return 1;
    }
    g_clear_pointer(&link, wire_free);
    if (start && !daemon_admin(instance, "-stop"))
        return 1;
    done = change(arguments, &start, &error);
    if (!done)
        fprintf(stderr, "ttInstanceModify: %s\n", error->message);
    /* A change that was refused leaves the daemon as it was. */
    if (start && !daemon_admin(instance, "-start"))
        return 1;
    return done ? 0 : 1;
}

int ttinstancemodify_main(int argc, char **argv)
{
    g_autoptr(Instance) instance = instance_self();
    const char *usage = usage_of(instance, usages);
    const Arguments *arguments = arguments_read(instance, argv, options, usage, 1);

    if (arguments->words->len > 0 || g_hash_table_size(arguments->given) == 0 ||
        (arguments_value(arguments, "-systemd") && arguments_value(arguments, "-nosystemd")))
        arguments_usage(usage, 1);
    if (geteuid() != instance->admin_uid) {
        fprintf(stderr, "ttInstanceModify: only the instance administrator (%s) may do this\n",
                instance->admin);
        return 1;
    }
    return modify(arguments);
}
