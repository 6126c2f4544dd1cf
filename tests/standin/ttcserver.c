/* ttcserver, the TimesTen Server: binds its port itself, on all addresses, and makes one process of
 * itself for each client. It never looks for an inherited socket. Started by the main daemon only.
 *
 * SIGTERM: listen no more, let running requests end, drop the clients, exit.
 */
#include "commands.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failure.h"
#include "fault.h"
#include "link.h"
#include "session.h"

static volatile sig_atomic_t ending;

static void on_term(int signal_number)
{
    ending = 1;
}

static void on_child(int signal_number)
{
    /* Only to wake ppoll(). */
}

/* SIGTERM is blocked but in ppoll(), which passes it over while there is input; so look here too.
 */
static gboolean is_ending(void)
{
    sigset_t pending;

    if (!ending && sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1)
        ending = 1;
    return ending != 0;
}

static char *server_line(const Instance *instance, const char *verb)
{
    return message_line(verb, "release", instance->release, NULL);
}

static void send_error(Wire *client, const Instance *instance, const GError *error)
{
    g_autofree char *number = g_strdup_printf("%d", failure_number(error));
    g_autofree char *line = message_line("ERR", "number", number, "text", error->message, "release",
                                         instance->release, NULL);

    wire_send(client, line);
}

static gboolean send_row(char **values, guint n, gpointer data)
{
    GString *line = g_string_new("ROW");
    gboolean sent;

    for (guint i = 0; i < n; i++) {
        g_autofree char *escaped = values[i] ? wire_escape(values[i]) : NULL;

        g_string_append_printf(line, " %s", escaped ? escaped : "!");
    }
    sent = wire_send(data, line->str);
    g_string_free(line, TRUE);
    return sent;
}

static void run_request(Wire *client, const Instance *instance, Session *session, const char *sql)
{
    static const char *const kinds[] = { "select", "insert",     "update",
                                         "delete", "definition", "other" };
    g_autoptr(GError) error = NULL;
    g_autofree char *affected = NULL;
    g_autofree char *line = NULL;
    SessionResult result;
    double slow = tune_get(instance->home, "request-seconds", 0);

    if (slow > 0)
        g_usleep((gulong)(slow * G_USEC_PER_SEC));
    if (!session_run(session, sql, send_row, client, &result, &error)) {
        send_error(client, instance, error);
        return;
    }
    affected = g_strdup_printf("%" G_GINT64_FORMAT, result.affected);
    line = message_line("OK", "rows", affected, "kind", kinds[result.kind], "release",
                        instance->release, NULL);
    wire_send(client, line);
}

/* The first line of a client. NULL: refused, and told why. */
static Session *greet(Wire *client, const Instance *instance, gboolean compat, const char *from)
{
    g_autofree char *line = wire_receive(client, 60000);
    g_autoptr(Message) hello = line ? message_parse(line) : NULL;
    g_autoptr(Target) target = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *info = NULL;
    const char *text = hello ? message_get(hello, "release") : NULL;
    const char *dsn = hello ? message_get(hello, "dsn") : NULL;
    const char *why;
    Session *session = NULL;
    SessionKind kind = { .type = "Server", .server = TRUE };
    Version release;

    if (!hello)
        return NULL;
    if (strcmp(hello->verb, "CONNECT") != 0 || !text || !dsn || !version_parse(text, &release)) {
        failure_set(&error, TT_PROTOCOL, "Client sent no valid connect request");
    } else if ((why = version_refuse_client(&release, &instance->version, compat))) {
        failure_set(&error, TT_CLIENT,
                    "Client release %s is not compatible with server release %s: %s", text,
                    instance->release, why);
    } else {
        info = g_strdup_printf("pid: %s; IPC: TCP; address: %s",
                               message_get(hello, "pid") ? message_get(hello, "pid") : "0", from);
        kind.name = message_get(hello, "name") ? message_get(hello, "name") : dsn;
        kind.client = info;
        target = target_find(instance, dsn, TRUE, &error);
        session = target ? session_open(instance, target, &kind, &error) : NULL;
    }
    if (!session) {
        instance_log(instance, "Warn", "client %s: connect refused: %d: %s", from,
                     failure_number(error), error->message);
        send_error(client, instance, error);
        return NULL;
    }
    instance_log(instance, "Info", "client %s release %s connected to %s", from, text, dsn);
    return session;
}

/* Waits for the next request, an end of the server or of the main daemon, whichever is first. */
static char *next_request(Wire *client, Wire *link, const sigset_t *unblocked)
{
    char *line = NULL;

    while (!is_ending() && !(line = wire_take(client))) {
        struct pollfd items[] = { { .fd = client->fd, .events = POLLIN },
                                  { .fd = link->fd, .events = POLLIN } };

        if (ppoll(items, 2, NULL, unblocked) < 0 && errno != EINTR)
            return NULL;
        if (is_ending() || items[1].revents != 0 || (items[0].revents != 0 && !wire_fill(client)))
            return NULL;
    }
    return line;
}

static void serve(const Instance *instance, int fd, gboolean compat, const char *from,
                  const sigset_t *unblocked)
{
    g_autoptr(Wire) client = wire_new(fd);
    g_autoptr(Session) session = greet(client, instance, compat, from);
    g_autofree char *ready = server_line(instance, "OK");
    char *line;

    if (!session || !wire_send(client, ready))
        return;
    while ((line = next_request(client, session_link(session), unblocked))) {
        g_autofree char *request = line;
        g_autofree char *sql = NULL;

        if (!g_str_has_prefix(request, "SQL "))
            break;
        if (fault_now(instance->home, "ttcserver", "hang-up"))
            break;
        if (fault_now(instance->home, "ttcserver", "garbage")) {
            wire_send(client, "220 mail.example ready");
            continue;
        }
        sql = wire_unescape(request + 4);
        run_request(client, instance, session, sql);
    }
    instance_log(instance, "Info", "client %s disconnected", from);
}

static void accept_client(const Instance *instance, int listener, gboolean compat,
                          const sigset_t *unblocked)
{
    struct sockaddr_in peer = { 0 };
    socklen_t size = sizeof peer;
    int fd = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC);
    char address[INET_ADDRSTRLEN] = "";
    pid_t parent = getpid();
    g_autofree char *from = NULL;

    if (fd < 0)
        return;
    inet_ntop(AF_INET, &peer.sin_addr, address, sizeof address);
    from = g_strdup_printf("%s:%u", address, ntohs(peer.sin_port));
    if (fault_now(instance->home, "ttcserver", "refuse")) {
        const struct linger reset = { .l_onoff = 1 };

        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
        return;
    }
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        close(listener);
        if (fault_now(instance->home, "ttcserver", "never-answer")) {
            while (!is_ending())
                g_usleep(G_USEC_PER_SEC / 5);
            _exit(0);
        }
        serve(instance, fd, compat, from, unblocked);
        exit(0);
    }
    close(fd);
}

static guint16 port_of(char **argv)
{
    for (guint i = 1; argv[i] && argv[i + 1]; i++) {
        if (strcmp(argv[i], "-p") == 0)
            return (guint16)atoi(argv[i + 1]);
    }
    return 0;
}

/* Binds, and tells the daemon so that ttStatus can show it. */
static int listen_for(const Instance *instance, const char *which, guint16 port,
                      gboolean *ret_compat, Wire **ret_link)
{
    int fd = wire_listen("0.0.0.0", port);
    g_autofree char *pid = g_strdup_printf("%d", (int)getpid());
    g_autofree char *line = message_line("listening", "which", which, "pid", pid, NULL);
    g_autoptr(Message) hello = NULL;
    g_autoptr(Message) reply = NULL;

    if (fd < 0) {
        instance_log(instance, "Err", "%s: cannot listen on port %u: %s; not started",
                     g_get_prgname(), port, g_strerror(errno));
        return -1;
    }
    *ret_link = link_open(instance, &hello, NULL);
    *ret_compat = hello && message_number(hello, "compat") != 0;
    reply = *ret_link ? link_ask(*ret_link, line, NULL) : NULL;
    if (!reply) {
        instance_log(instance, "Err", "%s: the main daemon does not answer; not started",
                     g_get_prgname());
        close(fd);
        return -1;
    }
    return fd;
}

static void end_children(void)
{
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM); /* the process group is ours alone */
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {
    }
}

static void catch_signals(sigset_t *ret_unblocked)
{
    struct sigaction term = { .sa_handler = on_term };
    struct sigaction child = { .sa_handler = on_child };
    sigset_t blocked;

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, ret_unblocked);
    sigdelset(ret_unblocked, SIGTERM);
    sigdelset(ret_unblocked, SIGCHLD);
    sigaction(SIGTERM, &term, NULL);
    sigaction(SIGCHLD, &child, NULL);
}

int ttcserver_main(int argc, char **argv)
{
    g_autoptr(Instance) instance = instance_self();
    g_autoptr(Wire) link = NULL;
    gboolean compat = FALSE;
    sigset_t unblocked;
    int listener;

    setpgid(0, 0);
    fault_begin(instance->home, "ttcserver", argv);
    catch_signals(&unblocked);
    g_usleep((gulong)(tune_get(instance->home, "server-start-seconds", 0.1) * G_USEC_PER_SEC));
    listener = listen_for(instance, "server", port_of(argv), &compat, &link);
    if (listener < 0)
        return 1;
    if (fault_get("crash-after"))
        alarm((unsigned)MAX(1, atoi(fault_get("crash-after"))));
    instance_log(instance, "Info", "TimesTen Server listens on port %u", port_of(argv));
    while (!is_ending()) {
        struct pollfd items[] = { { .fd = listener, .events = POLLIN },
                                  { .fd = link->fd, .events = POLLIN } };

        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
        if (ppoll(items, 2, NULL, &unblocked) < 0)
            continue;
        if (items[1].revents != 0)
            break;
        if (items[0].revents != 0)
            accept_client(instance, listener, compat, &unblocked);
    }
    close(listener);
    end_children();
    instance_log(instance, "Info", "TimesTen Server stopped");
    return 0;
}

int ttwebserver_main(int argc, char **argv)
{
    static const char page[] = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nTimesTen\n";
    g_autoptr(Instance) instance = instance_self();
    g_autoptr(Wire) link = NULL;
    gboolean compat;
    int listener;

    fault_begin(instance->home, "ttwebserver", argv);
    listener = listen_for(instance, "web", port_of(argv), &compat, &link);
    if (listener < 0)
        return 1;
    while (TRUE) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
            continue;
        if (send(fd, page, sizeof page - 1, MSG_NOSIGNAL) < 0)
            g_debug("web client: %s", g_strerror(errno));
        close(fd);
    }
}
