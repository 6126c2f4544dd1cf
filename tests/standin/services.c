/* The daemon's listeners for others: ttcserver and ttwebserver. Their port stands in the option
 * file and is read again at each start. Nobody is told when they are ready: ttStatus shows them
 * once they listen.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "daemon.h"
#include "fault.h"

void service_init(Service *service, const char *program, OptionId option)
{
    service->program = program;
    service->option = option;
    service->waiting = g_ptr_array_new();
}

void service_answer(Client *client, const Service *service)
{
    g_autofree char *pid =
        g_strdup_printf("%d", (int)(service->child.pid ? service->child.pid : service->ended));
    g_autofree char *port = g_strdup_printf("%u", service->port);
    g_autofree char *line = message_line("ok", "pid", pid, "port", port, NULL);

    wire_send(client->wire, line);
}

typedef struct {
    Daemon *daemon;
    Service *service;
} Watch;

static void on_exit_of(GPid pid, int status, gpointer data)
{
    g_autofree Watch *watch = data;
    Service *service = watch->service;

    instance_log(watch->daemon->instance,
                 WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "Info" : "Warn",
                 "%s pid %d ended, status 0x%x", service->program, (int)pid, (unsigned)status);
    child_forget(&service->child);
    service->registered = NULL;
    if (service->restart && !watch->daemon->stopping)
        service_start(watch->daemon, service);
    else
        service->ended = pid;
    service->restart = FALSE;
    while (service->waiting->len > 0)
        service_answer(g_ptr_array_steal_index(service->waiting, 0), service);
    daemon_stop_further(watch->daemon);
}

void service_start(Daemon *daemon, Service *service)
{
    g_autofree char *port = instance_option(daemon->instance, service->option);
    guint64 number = port ? g_ascii_strtoull(port, NULL, 10) : 0;
    g_autofree char *shown = g_strdup_printf("%u", (guint)number);
    Watch *watch;

    if (number == 0 || number > G_MAXUINT16 || service->child.pid != 0)
        return;
    if (!child_start(daemon, &service->child, service->program, "1000002", shown)) {
        instance_log(daemon->instance, "Err", "cannot start %s", service->program);
        return;
    }
    service->port = (guint16)number;
    watch = g_new0(Watch, 1);
    watch->daemon = daemon;
    watch->service = service;
    g_child_watch_add(service->child.pid, on_exit_of, watch);
}

void service_stop(Daemon *daemon, Service *service, gboolean force)
{
    if (service->child.pid != 0)
        kill(service->child.pid, force ? SIGKILL : SIGTERM);
}
