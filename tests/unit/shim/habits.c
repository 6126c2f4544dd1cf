/* A server that knows nothing of keepers, with the habits of servers of this world: how it binds,
 * how it becomes a daemon, how it accepts. Each client gets one line: how the server sees it.
 *
 *     habits PORT WORD…
 *
 * A bind() that fails ends it with errno as its exit status. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char **words;
static int listeners[4], n_listeners;

static bool has(const char *word)
{
    for (char **one = words; *one; one++)
        if (strcmp(*one, word) == 0)
            return true;
    return false;
}

static void set(int fd, int level, int option)
{
    int on = 1;

    setsockopt(fd, level, option, &on, sizeof on);
}

static int get(int fd, int level, int option)
{
    int value = 0;
    socklen_t size = sizeof value;

    getsockopt(fd, level, option, &value, &size);
    return value;
}

/* --- how it binds --- */

static int bound(int family, const char *address, int port)
{
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    bool is_six = family == AF_INET6;
    int fd = socket(family, SOCK_STREAM | (has("nonblock") ? SOCK_NONBLOCK : 0), 0);

    inet_pton(family, address, is_six ? (void *)&six.sin6_addr : (void *)&four.sin_addr);
    if (is_six && has("only"))
        set(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    if (!has("no-reuseaddr"))
        set(fd, SOL_SOCKET, SO_REUSEADDR);
    if (has("reuseport"))
        set(fd, SOL_SOCKET, SO_REUSEPORT);
    if (has("keepalive")) {
        set(fd, SOL_SOCKET, SO_KEEPALIVE);
        set(fd, IPPROTO_TCP, TCP_NODELAY);
    }
    if (bind(fd, is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four,
             is_six ? sizeof six : sizeof four) < 0)
        exit(errno);
    /* As if nothing were there, again. */
    set(fd, SOL_SOCKET, SO_REUSEADDR);
    if (listen(fd, 1) < 0)
        exit(errno);
    listeners[n_listeners++] = fd;
    return fd;
}

static void bind_all(int port)
{
    if (has("six"))
        bound(AF_INET6, "::", port);
    else
        bound(AF_INET, has("loopback") ? "127.0.0.1" : "0.0.0.0", port);
    if (has("both"))
        bound(AF_INET6, "::", port);
    if (has("twice"))
        bound(AF_INET, "0.0.0.0", port);
    if (has("again")) {
        close(listeners[--n_listeners]);
        bound(AF_INET, "0.0.0.0", port);
    }
    if (has("dup")) { /* the first descriptor is gone */
        int copy = fcntl(dup(listeners[0]), F_DUPFD_CLOEXEC, 50);

        close(listeners[0]);
        listeners[0] = copy;
    }
    if (has("ioctl"))
        ioctl(listeners[0], FIONBIO, &(int){ 1 });
}

/* --- how it answers --- */

static void describe(const struct sockaddr_storage *address, char *text, size_t size)
{
    char name[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;

    if (address->ss_family == AF_INET)
        inet_ntop(AF_INET, &four->sin_addr, name, sizeof name);
    else if (address->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &six->sin6_addr, name, sizeof name);
    /* Both families keep the port in the same place. */
    snprintf(text, size, "%s %u", name, ntohs(four->sin_port));
}

static void answer(int client, const struct sockaddr_storage *accepted)
{
    struct sockaddr_storage peer = { 0 }, own = { 0 };
    /* Some have room for their own family only. */
    socklen_t room = has("narrow") ? sizeof(struct sockaddr_in) : sizeof peer;
    socklen_t peer_size = room, own_size = room;
    char text[4][80], line[400];

    getpeername(client, (struct sockaddr *)&peer, &peer_size);
    getsockname(client, (struct sockaddr *)&own, &own_size);
    describe(accepted, text[0], sizeof text[0]);
    describe(&peer, text[1], sizeof text[1]);
    describe(&own, text[2], sizeof text[2]);
    own_size = sizeof own;
    getsockname(listeners[0], (struct sockaddr *)&own, &own_size);
    describe(&own, text[3], sizeof text[3]);
    snprintf(line, sizeof line, "%d|%s|%s|%s|%s|%s%s\n", (int)getpgrp(), text[0], text[1], text[2],
             text[3], get(client, SOL_SOCKET, SO_KEEPALIVE) ? "keepalive" : "",
             get(client, IPPROTO_TCP, TCP_NODELAY) ? "nodelay" : "");
    if (send(client, line, strlen(line), MSG_NOSIGNAL) < 0)
        perror("send");
    if (has("stay"))
        return;
    close(client);
}

static int take(int listener, struct sockaddr_storage *peer)
{
    socklen_t size = has("narrow") ? sizeof(struct sockaddr_in) : sizeof *peer;

    memset(peer, 0, sizeof *peer);
    return has("accept4") ? accept4(listener, (struct sockaddr *)peer, &size, SOCK_CLOEXEC)
                          : accept(listener, (struct sockaddr *)peer, &size);
}

/* --- how it accepts --- */

/* As in the textbooks: nothing is expected to go wrong. */
static void *serve(void *listener)
{
    struct sockaddr_storage peer;
    int client;

    while ((client = take(*(int *)listener, &peer)) >= 0) {
        if (has("fork")) {
            if (fork() == 0) {
                answer(client, &peer);
                _exit(0);
            }
            close(client);
            continue;
        }
        answer(client, &peer);
    }
    if (errno != EINVAL) {
        perror("accept");
        _exit(101);
    }
    return NULL;
}

static void serve_with_epoll(void)
{
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN };

    for (int i = 0; i < n_listeners; i++) {
        event.data.fd = listeners[i];
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, listeners[i], &event);
    }
    while (epoll_wait(poll_fd, &event, 1, -1) > 0 || errno == EINTR) {
        struct sockaddr_storage peer;
        int client;

        while ((client = take(event.data.fd, &peer)) >= 0)
            answer(client, &peer);
        if (errno != EAGAIN)
            exit(102);
    }
}

static volatile sig_atomic_t wanted_to_end;

static void on_term(int number)
{
    wanted_to_end = 1;
}

static void on_child(int number)
{
    int before = errno;

    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    errno = before;
}

/* Threads that wait in accept() are woken by a shutdown(), as the habit is. */
static void serve_with_threads(void)
{
    pthread_t threads[4];
    sigset_t term;
    int number;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, NULL);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, serve, &listeners[0]);
    sigwait(&term, &number);
    shutdown(listeners[0], SHUT_RDWR);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    close(listeners[0]);
    exit(0);
}

/* --- how it becomes a daemon --- */

static void become_daemon(void)
{
    if (fork() != 0)
        _exit(0);
    setsid();
    if (fork() != 0)
        _exit(0);
    alarm(60);
    closefrom(0);
    open("/dev/null", O_RDWR);
    dup2(0, 1);
    dup2(0, 2);
}

int main(int argc, char **argv)
{
    int port = atoi(argv[1]);

    words = argv + 2;
    alarm(60);
    signal(SIGCHLD, on_child); /* goes on with what it interrupts, by the C library's custom */
    if (has("eintr"))
        sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_term }, NULL);
    if (has("daemon"))
        become_daemon();
    if (has("inherited")) { /* by exec */
        listeners[n_listeners++] = atoi(getenv("LISTENER"));
    } else {
        bind_all(port);
    }
    if (has("exec")) {
        char number[16];
        char *again[] = { argv[0], argv[1], "inherited", NULL, NULL, NULL };
        int count = 3;

        if (has("narrow"))
            again[count++] = "narrow";
        if (has("epoll"))
            again[count] = "epoll";

        snprintf(number, sizeof number, "%d", listeners[0]);
        setenv("LISTENER", number, 1);
        execv(argv[0], again);
        _exit(103);
    }
    if (has("blocking?"))
        exit(fcntl(listeners[0], F_GETFL) & O_NONBLOCK ? 1 : 0);
    if (has("prefork"))
        for (int i = 0; i < 3; i++)
            if (fork() == 0) {
                alarm(60);
                break;
            }
    if (has("rebind") && fork() == 0) { /* a second process with a bind of its own */
        alarm(60);
        close(listeners[0]);
        n_listeners = 0;
        bind_all(port);
    }
    if (has("epoll"))
        serve_with_epoll();
    if (has("threads"))
        serve_with_threads();
    if (has("eintr")) {
        struct sockaddr_storage peer;

        take(listeners[0], &peer);
        exit(errno == EINTR && wanted_to_end ? 0 : 104);
    }
    serve(&listeners[0]);
    return 0;
}
