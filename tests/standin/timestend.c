/* timestend, the main daemon: becomes a daemon as the vendor's does (two forks, no descriptor kept,
 * own pid file), listens, owns the sub-daemons and servers, and knows who is connected
 * to what.
 */
#include "commands.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon.h"
#include "failure.h"
#include "fault.h"

/* Agents of other hosts ask where ours listen; whatever else they want is refused. */
#define LISTEN_ADDRESS "0.0.0.0"

void client_ok(Client *client)
{
    wire_send(client->wire, "ok");
}

void client_error(Client *client, int number, const char *text)
{
    g_autofree char *code = g_strdup_printf("%d", number);
    g_autofree char *line = message_line("error", "number", code, "text", text, NULL);

    wire_send(client->wire, line);
}

static void forget_in_service(Service *service, Client *client)
{
    g_ptr_array_remove(service->waiting, client);
    if (service->registered == client)
        service->registered = NULL;
}

void client_drop(Client *client)
{
    Daemon *daemon = client->daemon;

    catalog_forget_client(client);
    agents_forget_client(client);
    forget_in_service(&daemon->server, client);
    forget_in_service(&daemon->web, client);
    if (daemon->stopper == client)
        daemon->stopper = NULL;
    if (client->source)
        g_source_remove(client->source);
    g_ptr_array_remove(daemon->clients, client);
    wire_free(client->wire);
    g_free(client->type);
    g_free(client->name);
    g_free(client->info);
    g_free(client);
}

static gboolean on_client_input(int fd, GIOCondition condition, gpointer data)
{
    Client *client = data;
    char *line;

    if (!wire_fill(client->wire)) {
        client->source = 0;
        client_drop(client);
        return G_SOURCE_REMOVE;
    }
    while ((line = wire_take(client->wire))) {
        request_handle(client, line);
        g_free(line);
    }
    return G_SOURCE_CONTINUE;
}

static gboolean on_connect(int fd, GIOCondition condition, gpointer data)
{
    Daemon *daemon = data;
    struct sockaddr_in from = { 0 };
    socklen_t size = sizeof from;
    int peer = accept4(fd, (struct sockaddr *)&from, &size, SOCK_CLOEXEC);
    Client *client;

    if (peer < 0)
        return G_SOURCE_CONTINUE;
    client = g_new0(Client, 1);
    client->daemon = daemon;
    client->wire = wire_new(peer);
    client->remote = (ntohl(from.sin_addr.s_addr) >> 24) != 127;
    client->source = g_unix_fd_add(peer, G_IO_IN | G_IO_HUP | G_IO_ERR, on_client_input, client);
    g_ptr_array_add(daemon->clients, client);
    return G_SOURCE_CONTINUE;
}

/* Servers first, then the data stores, then the daemon itself. */
void daemon_stop_further(Daemon *daemon)
{
    if (!daemon->stopping || daemon->server.child.pid != 0 || daemon->web.child.pid != 0 ||
        agents_busy(daemon))
        return;
    catalog_unload_all(daemon);
    if (catalog_busy(daemon))
        return;
    unlink(daemon->instance->pid_file);
    instance_log(daemon->instance, "Info", "Main daemon stopped");
    if (daemon->stopper)
        client_ok(daemon->stopper);
    g_main_loop_quit(daemon->loop);
}

static gboolean on_patience_over(gpointer data)
{
    Daemon *daemon = data;

    service_stop(daemon, &daemon->server, TRUE);
    service_stop(daemon, &daemon->web, TRUE);
    agents_abandon(daemon);
    catalog_abandon(daemon);
    return G_SOURCE_REMOVE;
}

void daemon_stop(Daemon *daemon, Client *stopper)
{
    if (stopper && !daemon->stopper)
        daemon->stopper = stopper;
    if (daemon->stopping)
        return;
    daemon->stopping = TRUE;
    instance_log(daemon->instance, "Info", "Main daemon is stopping");
    service_stop(daemon, &daemon->server, FALSE);
    service_stop(daemon, &daemon->web, FALSE);
    agents_stop(daemon);
    g_timeout_add((guint)(1000 * tune_get(daemon->instance->home, "daemon-stop-patience", 10)),
                  on_patience_over, daemon);
    daemon_stop_further(daemon);
}

static gboolean on_signal(gpointer data)
{
    daemon_stop(data, NULL);
    return G_SOURCE_CONTINUE;
}

static gboolean on_crash(gpointer data)
{
    raise(SIGKILL);
    return G_SOURCE_REMOVE;
}

/* While a shell still listens: says in the foreground what would otherwise only be in the log. */
static gboolean check_port(const Instance *instance)
{
    int fd = wire_listen(LISTEN_ADDRESS, instance->daemon_port);

    if (fd < 0) {
        fprintf(stderr, "timestend: cannot listen on port %u: %s\n", instance->daemon_port,
                g_strerror(errno));
        instance_log(instance, "Err", "cannot listen on daemon port %u: %s", instance->daemon_port,
                     g_strerror(errno));
        return FALSE;
    }
    close(fd);
    return TRUE;
}

static void become_daemon(const Instance *instance)
{
    int null;

    if (fork() != 0)
        _exit(0);
    setsid();
    if (fork() != 0)
        _exit(0);
    closefrom(0);
    null = open("/dev/null", O_RDWR);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    umask(007);
    if (chdir(instance->daemon_home) < 0)
        instance_log(instance, "Warn", "cannot enter %s", instance->daemon_home);
}

static gboolean write_pid(const Instance *instance)
{
    g_autofree char *text = g_strdup_printf("%d\n", (int)getpid());

    return g_file_set_contents_full(instance->pid_file, text, -1, G_FILE_SET_CONTENTS_NONE, 0644,
                                    NULL);
}

static void listen_addresses(Daemon *daemon)
{
    daemon->listener = wire_listen(LISTEN_ADDRESS, daemon->instance->daemon_port);
    if (daemon->listener < 0 || !write_pid(daemon->instance)) {
        instance_log(daemon->instance, "Err", "cannot start on port %u: %s",
                     daemon->instance->daemon_port, g_strerror(errno));
        _exit(1);
    }
    g_unix_fd_add(daemon->listener, G_IO_IN, on_connect, daemon);
}

int timestend_main(int argc, char **argv)
{
    Instance *instance = instance_self();
    Daemon *daemon = g_new0(Daemon, 1);
    g_autofree char *compat = NULL;
    const char *crash;

    fault_begin(instance->home, "timestend", argv);
    if (!check_port(instance))
        return 1;
    become_daemon(instance);
    signal(SIGPIPE, SIG_IGN);
    daemon->instance = instance;
    daemon->loop = g_main_loop_new(NULL, FALSE);
    daemon->clients = g_ptr_array_new();
    daemon->stores = g_ptr_array_new();
    compat = instance_option(instance, OPTION_COMPAT);
    daemon->compat = compat != NULL;
    service_init(&daemon->server, "ttcserver", OPTION_SERVER_PORT);
    service_init(&daemon->web, "ttwebserver", OPTION_WEB_PORT);
    g_usleep((gulong)(tune_get(instance->home, "daemon-start-seconds", 0.1) * G_USEC_PER_SEC));
    if (fault_get("deaf")) {
        write_pid(instance);
        while (TRUE)
            pause();
    }
    listen_addresses(daemon);
    g_unix_signal_add(SIGTERM, on_signal, daemon);
    g_unix_signal_add(SIGINT, on_signal, daemon);
    crash = fault_get("crash-after");
    if (crash)
        g_timeout_add((guint)(1000 * g_ascii_strtod(crash, NULL)), on_crash, NULL);
    instance_log(instance, "Info", "Main daemon (release %s) started, port %u", instance->release,
                 instance->daemon_port);
    catalog_load(daemon);
    agents_load(daemon);
    service_start(daemon, &daemon->server);
    if (instance->family->web_server)
        service_start(daemon, &daemon->web);
    g_main_loop_run(daemon->loop);
    return 0;
}
