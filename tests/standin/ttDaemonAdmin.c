/* ttDaemonAdmin: starts and stops the main daemon, the server and the web server of its instance.
 */
#include "commands.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arguments.h"
#include "failure.h"
#include "link.h"

#define START_LIMIT_SECONDS 60
#define STOP_LIMIT_SECONDS  60

static const char usage[] =
    "Usage:\n"
    "  ttDaemonAdmin [-verbose] [-force] {-start | -stop | -restart}\n"
    "  ttDaemonAdmin [-verbose] [-force] {-startserver | -stopserver | -restartserver}\n"
    "  ttDaemonAdmin [-verbose] {-startwebserver | -stopwebserver}\n"
    "  ttDaemonAdmin {-h | -help | -?} | {-V | -version}\n";

static const Option options[] = { { "-start", 0 },
                                  { "-stop", 0 },
                                  { "-restart", 0 },
                                  { "-startserver", 0 },
                                  { "-stopserver", 0 },
                                  { "-restartserver", 0 },
                                  { "-startwebserver", 0, .since = FAMILY_60, .until = FAMILY_70 },
                                  { "-stopwebserver", 0, .since = FAMILY_60, .until = FAMILY_70 },
                                  { "-force", 0 },
                                  { "-verbose", 0 },
                                  { "-systemd", 0, .since = FAMILY_221 },
                                  { NULL } };

static pid_t read_pid(const Instance *instance)
{
    g_autofree char *text = NULL;

    return g_file_get_contents(instance->pid_file, &text, NULL, NULL) ? (pid_t)atoi(text) : 0;
}

static gboolean is_alive(pid_t pid)
{
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

/* Whether PID is a timestend at all; a pid file may outlive its process by a reboot. */
static gboolean is_daemon(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/comm", (int)pid);
    g_autofree char *name = NULL;

    return pid > 0 && g_file_get_contents(path, &name, NULL, NULL) &&
           strcmp(g_strchomp(name), "timestend") == 0;
}

static char *words(const Instance *instance, const char *text, pid_t pid, guint16 port)
{
    g_autofree char *number = g_strdup_printf("%d", (int)pid);
    g_autofree char *place = g_strdup_printf("%u", port);

    return wording(text, "pid", number, "port", place, "file", instance->pid_file, NULL);
}

static void say(const Instance *instance, const char *text, pid_t pid, guint16 port)
{
    g_autofree char *line = words(instance, text, pid, port);

    puts(line);
}

static void complain(const Instance *instance, const char *text, pid_t pid)
{
    g_autofree char *line = words(instance, text, pid, instance->daemon_port);

    fprintf(stderr, "ttDaemonAdmin: %s\n", line);
}

static gboolean spawn_daemon(const Instance *instance)
{
    g_autofree char *path = g_build_filename(instance->programs, "timestend", NULL);
    int status = 1;
    pid_t pid = fork();

    if (pid == 0) {
        execl(path, "timestend", NULL);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static int start(const Arguments *arguments, gboolean force)
{
    const Instance *instance = arguments->instance;
    pid_t old = read_pid(instance);
    g_autoptr(Wire) link = link_open(instance, NULL, NULL);

    if (link) {
        complain(instance, instance->family->daemon_running, old);
        return 1;
    }
    if (old != 0 && !force) {
        complain(instance, instance->family->stale_pid, old);
        return 1;
    }
    if (!spawn_daemon(instance)) {
        fprintf(stderr, "ttDaemonAdmin: TimesTen Daemon failed to start; see %s/tterrors.log\n",
                instance->log_home);
        return 1;
    }
    for (guint i = 0; i < START_LIMIT_SECONDS * 20; i++) {
        link = link_open(instance, NULL, NULL);
        if (link) {
            say(instance, instance->family->daemon_started, read_pid(instance),
                instance->daemon_port);
            return 0;
        }
        g_usleep(G_USEC_PER_SEC / 20);
    }
    fprintf(stderr, "ttDaemonAdmin: TimesTen Daemon did not start within %d seconds\n",
            START_LIMIT_SECONDS);
    return 1;
}

static gboolean wait_gone(pid_t pid)
{
    for (guint i = 0; i < STOP_LIMIT_SECONDS * 20 && is_alive(pid); i++)
        g_usleep(G_USEC_PER_SEC / 20);
    return !is_alive(pid);
}

static int kill_daemon(const Instance *instance, pid_t pid)
{
    if (!is_daemon(pid)) {
        complain(instance, instance->family->daemon_missing, pid);
        return 1;
    }
    kill(pid, SIGKILL);
    wait_gone(pid);
    unlink(instance->pid_file);
    say(instance, instance->family->daemon_stopped, pid, instance->daemon_port);
    return 0;
}

static int stop(const Arguments *arguments, gboolean force)
{
    const Instance *instance = arguments->instance;
    pid_t pid = read_pid(instance);
    g_autoptr(Wire) link = link_open(instance, NULL, NULL);
    g_autoptr(Message) reply = link ? link_ask(link, "stop", NULL) : NULL;

    if (!reply && force)
        return kill_daemon(instance, pid);
    if (!reply) {
        complain(instance,
                 is_daemon(pid) ? "TimesTen Daemon does not answer"
                                : instance->family->daemon_missing,
                 pid);
        return 1;
    }
    if (!wait_gone(pid)) {
        fprintf(stderr, "ttDaemonAdmin: TimesTen Daemon (PID: %d) does not end\n", (int)pid);
        return 1;
    }
    say(instance, instance->family->daemon_stopped, pid, instance->daemon_port);
    return 0;
}

static int restart(const Arguments *arguments, gboolean force)
{
    int failed = stop(arguments, force);

    return failed ? failed : start(arguments, force);
}

/* WHAT is the service as errors name it, DONE the line when it worked. */
static int ask(const Arguments *arguments, const char *line, const char *what, const char *done)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Wire) link = link_open(arguments->instance, NULL, &error);
    g_autoptr(Message) reply = link ? link_ask(link, line, &error) : NULL;

    if (!reply) {
        fprintf(stderr, "ttDaemonAdmin: %s%s%s\n", error->code == TT_NO_DAEMON ? "" : what,
                error->code == TT_NO_DAEMON ? "" : " ", error->message);
        return 1;
    }
    say(arguments->instance, done, (pid_t)message_number(reply, "pid"),
        (guint16)message_number(reply, "port"));
    return 0;
}

static int start_server(const Arguments *arguments, gboolean force)
{
    return ask(arguments, "startservice which=server", "TimesTen Server",
               arguments->instance->family->server_started);
}

static int stop_server(const Arguments *arguments, gboolean force)
{
    const Family *family = arguments->instance->family;

    return ask(arguments,
               force && family->server_force ? "stopservice which=server force=1"
                                             : "stopservice which=server",
               "TimesTen Server", family->server_stopped);
}

static int restart_server(const Arguments *arguments, gboolean force)
{
    return ask(arguments, "stopservice which=server restart=1", "TimesTen Server",
               arguments->instance->family->server_started);
}

static int start_web(const Arguments *arguments, gboolean force)
{
    return ask(arguments, "startservice which=web", "TimesTen Webserver",
               "TimesTen Webserver started.");
}

static int stop_web(const Arguments *arguments, gboolean force)
{
    return ask(arguments, "stopservice which=web", "TimesTen Webserver",
               "TimesTen Webserver stopped.");
}

static const struct {
    const char *name;
    int (*run)(const Arguments *arguments, gboolean force);
} verbs[] = {
    { "-start", start },
    { "-stop", stop },
    { "-restart", restart },
    { "-startserver", start_server },
    { "-stopserver", stop_server },
    { "-restartserver", restart_server },
    { "-startwebserver", start_web },
    { "-stopwebserver", stop_web },
};

int ttdaemonadmin_main(int argc, char **argv)
{
    Instance *instance = instance_self();
    const Arguments *arguments = arguments_read(instance, argv, options, usage, 1);
    int (*run)(const Arguments *, gboolean) = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(verbs); i++) {
        if (!arguments_value(arguments, verbs[i].name))
            continue;
        if (run)
            arguments_usage(usage, 1);
        run = verbs[i].run;
    }
    if (!run || arguments->words->len > 0)
        arguments_usage(usage, 1);
    if (geteuid() != instance->admin_uid) {
        fprintf(stderr, "ttDaemonAdmin: only the instance administrator (%s) may do this\n",
                instance->admin);
        return 1;
    }
    if (instance_is_under_systemd(instance) && !arguments_value(arguments, "-systemd")) {
        fprintf(stderr,
                "ttDaemonAdmin: this instance is configured to be managed by systemd. Use "
                "\"systemctl {start|stop|restart|status} tt_%s\"\n",
                instance->name);
        return 1;
    }
    return run(arguments, arguments_value(arguments, "-force") != NULL);
}
