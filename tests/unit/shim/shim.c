/* An unmodified server of each habit takes the socket of a real keeper, by way of the preload
 * library. */
#include "../port/rig.h"
#include "common/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

typedef enum { FOUR, SIX, DUAL } Kind;

/* A rig whose public socket is of another kind than the rig's own. */
static Rig *make_rig(Kind kind)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
    Rig *rig = rig_new();
    socklen_t length = sizeof six;
    int only = kind == SIX;

    if (kind == FOUR)
        return rig;
    close(rig->public);
    rig->public = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(setsockopt(rig->public, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only), ==, 0);
    g_assert_cmpint(bind(rig->public, (struct sockaddr *)&six, sizeof six), ==, 0);
    g_assert_cmpint(getsockname(rig->public, (struct sockaddr *)&six, &length), ==, 0);
    g_assert_cmpint(listen(rig->public, 4), ==, 0);
    rig->address.sin_port = six.sin6_port;
    return rig;
}

static char *heir(void)
{
    return g_strdup_printf("tt60@%u", (guint)getuid());
}

static Rig *start_rig(Kind kind)
{
    Rig *rig = make_rig(kind);
    g_autofree char *backend = heir();

    rig_start(rig, &(RigOptions){ .backend = backend });
    return rig;
}

typedef struct {
    const char *name; /* as whom it asks; NULL: nobody */
    guint16 port;     /* 0: the public one */
    const char *path; /* of the keeper's socket; NULL: the rig's */
    uid_t user;       /* 0: as the test */
} ServerOptions;

/* Starts a server with words as its habits. */
static pid_t run_server(const Rig *rig, const ServerOptions *options, const char *habits)
{
    g_autofree char *path = options->path ? g_strdup(options->path) : path_keeper("tt", "control");
    guint16 public = ntohs(rig->address.sin_port);
    g_autofree char *command = g_strdup_printf("%s %u %s", g_getenv("SHIM_HABITS"),
                                               options->port ? options->port : public, habits);
    g_auto(GStrv) argv = g_strsplit(command, " ", -1);
    g_auto(GStrv) envp = g_get_environ();
    g_autofree char *keepers = g_strdup_printf("1=/nowhere,%u=%s,junk", public, path);
    pid_t pid;

    envp = g_environ_setenv(envp, "LD_PRELOAD", g_getenv("SHIM_LIBRARY"), TRUE);
    envp = g_environ_setenv(envp, "TIMESTEN_PORT_KEEPERS", keepers, TRUE);
    envp = g_environ_setenv(envp, "TIMESTEN_PORT_NAME", options->name ? options->name : "", TRUE);
    /* The library of a sanitizer wants to be the first, which a preloaded one never allows. */
    envp = g_environ_setenv(envp, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", TRUE);
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        dup2(STDERR_FILENO, STDOUT_FILENO);
        if (options->user && (setgid(options->user) < 0 || setuid(options->user) < 0))
            _exit(105);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* setuid() would take it back */
        execve(argv[0], argv, envp);
        _exit(127);
    }
    g_assert_cmpint(pid, >, 0);
    setpgid(pid, pid); /* whoever is first; both need it */
    return pid;
}

static pid_t run(const Rig *rig, const char *habits)
{
    return run_server(rig, &(ServerOptions){ .name = "tt60" }, habits);
}

static int end_of(pid_t pid)
{
    int status;

    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* With all its children, which are the test's when their parent is dead. */
static void kill_server(pid_t pid)
{
    kill(-pid, SIGKILL);
    while (waitpid(-pid, NULL, 0) > 0 || errno == EINTR) {
    }
}

/* --- clients --- */

static int connect_six(const Rig *rig)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6,
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT,
                                .sin6_port = rig->address.sin_port };
    struct timeval limit = { .tv_sec = WAIT_USEC / 1000000 };
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&six, sizeof six), ==, 0);
    return fd;
}

static char *own_name(int fd)
{
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    char text[INET6_ADDRSTRLEN];
    const struct sockaddr_in6 *six = (struct sockaddr_in6 *)&own;
    const struct sockaddr_in *four = (struct sockaddr_in *)&own;

    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&own, &length), ==, 0);
    inet_ntop(own.ss_family,
              own.ss_family == AF_INET ? (const void *)&four->sin_addr
                                       : (const void *)&six->sin6_addr,
              text, sizeof text);
    return g_strdup_printf("%s %u", text, ntohs(four->sin_port));
}

/* What the server said to a client: which group of processes it is, and how it sees the client. */
typedef struct {
    pid_t group;
    char *accepted, *peer, *own, *listener, *options;
} Line;

static void line_free(Line *line)
{
    g_free(line->accepted);
    g_free(line->peer);
    g_free(line->own);
    g_free(line->listener);
    g_free(line->options);
    g_free(line);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Line, line_free)

static Line *read_line(int fd)
{
    char text[512] = "";
    gsize length = 0;
    g_auto(GStrv) parts = NULL;
    Line *line = g_new0(Line, 1);

    while (length < sizeof text - 1 && !strchr(text, '\n')) {
        ssize_t got = recv(fd, text + length, sizeof text - 1 - length, 0);

        if (got <= 0)
            g_error("the server said \"%s\" and no more: %s", text,
                    got ? g_strerror(errno) : "end of file");
        length += got;
        text[length] = '\0';
    }
    parts = g_strsplit(g_strchomp(text), "|", -1);
    g_assert_cmpuint(g_strv_length(parts), ==, 6);
    *line = (Line){ .group = atoi(parts[0]),
                    .accepted = g_strdup(parts[1]),
                    .peer = g_strdup(parts[2]),
                    .own = g_strdup(parts[3]),
                    .listener = g_strdup(parts[4]),
                    .options = g_strdup(parts[5]) };
    return line;
}

/* A client of the family is served and seen as it is. */
static pid_t must_serve(const Rig *rig, gboolean six)
{
    int fd = six ? connect_six(rig) : rig_connect(rig);
    g_autofree char *own = own_name(fd);
    g_autoptr(Line) line = read_line(fd);

    g_assert_cmpstr(line->accepted, ==, own);
    g_assert_cmpstr(line->peer, ==, own);
    close(fd);
    return line->group;
}

/* --- tests --- */

/* The proof that it is the keeper's socket: who came before the server is served by it, and who
 * comes after its end waits for the next. */
static void takes_the_kept_socket(gconstpointer habits)
{
    g_autoptr(Rig) rig = start_rig(FOUR);
    int early = rig_connect(rig), late;
    g_autofree char *early_name = own_name(early);
    g_autoptr(KeeperStatus) before = rig_say("status");
    g_autoptr(KeeperStatus) after = NULL;
    pid_t pid = run(rig, habits);
    g_autoptr(Line) line = read_line(early);

    g_assert_cmpstr(line->accepted, ==, early_name);
    for (int i = 0; i < 20; i++)
        must_serve(rig, FALSE);
    after = rig_say("status");
    g_assert_cmpuint(before->queue_limit, >, 4);
    g_assert_cmpuint(after->queue_limit, ==, before->queue_limit); /* it said listen(fd, 1) */
    if (strstr(habits, "daemon")) {
        g_assert_cmpint(end_of(pid), ==, 0);
        kill_server(line->group);
    } else {
        kill_server(pid);
    }
    close(early);
    late = rig_connect(rig);
    pid = run(rig, "");
    line_free(g_steal_pointer(&line));
    line = read_line(late);
    g_assert_cmpint(line->group, ==, pid);
    close(late);
    kill_server(pid);
}

static void other_ports_are_left_alone(void)
{
    g_autoptr(Rig) rig = start_rig(FOUR);
    struct sockaddr_in other = { .sin_family = AF_INET };
    socklen_t length = sizeof other;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    in_port_t public = rig->address.sin_port;
    pid_t pid;

    other.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&other, sizeof other), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&other, &length), ==, 0);
    close(fd);
    pid = run_server(rig, &(ServerOptions){ .port = ntohs(other.sin_port) }, "threads");
    rig->address.sin_port = other.sin_port;
    for (;;) { /* until it listens */
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&rig->address, sizeof rig->address) == 0)
            break;
        close(fd);
        g_usleep(1000);
    }
    line_free(read_line(fd));
    close(fd);
    g_assert_cmpint(must_serve(rig, FALSE), ==, pid);
    kill(pid, SIGTERM);
    g_assert_cmpint(end_of(pid), ==, 0); /* its shutdown() was a real one */
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&rig->address, sizeof rig->address), <, 0);
    g_assert_cmpint(errno, ==, ECONNREFUSED);
    close(fd);
    rig->address.sin_port = public;
}

static void shutdown_ends_the_server_and_not_the_queue(void)
{
    g_autoptr(Rig) rig = start_rig(FOUR);
    pid_t pid = run(rig, "threads");
    g_autoptr(Line) line = NULL;
    int late;

    must_serve(rig, FALSE);
    kill(pid, SIGTERM);
    g_assert_cmpint(end_of(pid), ==, 0);
    late = rig_connect(rig);
    rig_wait_held(1);
    pid = run(rig, "threads"); /* the next is not told of the other's shutdown */
    line = read_line(late);
    g_assert_cmpint(line->group, ==, pid);
    close(late);
    kill_server(pid);
}

static void signals_interrupt_as_ever(void)
{
    g_autoptr(Rig) rig = start_rig(FOUR);
    pid_t pid;

    /* What comes before it has its handler does nothing: to be ignored is inherited. */
    signal(SIGTERM, SIG_IGN);
    pid = run(rig, "eintr");
    signal(SIGTERM, SIG_DFL);
    /* A server that has a handler without SA_RESTART waits for the EINTR. One signal may come
     * before it waits. */
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        siginfo_t end = { 0 };

        g_usleep(20000);
        kill(pid, SIGTERM);
        if (waitid(P_PID, pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0 && end.si_pid == pid) {
            g_assert_cmpint(end.si_code, ==, CLD_EXITED);
            break;
        }
    }
    g_assert_cmpint(end_of(pid), ==, 0);
}

static void clients_of_both_families_are_seen_as_they_are(void)
{
    static const struct {
        Kind kind;
        const char *habits;
        gboolean four, six; /* clients */
        const char *listener;
    } rows[] = {
        { FOUR, "", TRUE, FALSE, "0.0.0.0" },
        { FOUR, "loopback", TRUE, FALSE, "127.0.0.1" },
        { SIX, "six only", FALSE, TRUE, "::" },
        { DUAL, "six epoll nonblock", FALSE, TRUE, "::" },
        { DUAL, "", TRUE, FALSE, "0.0.0.0" },
        { DUAL, "narrow", TRUE, FALSE, "0.0.0.0" },
        { DUAL, "narrow accept4 fork", TRUE, FALSE, "0.0.0.0" },
        { DUAL, "narrow exec", TRUE, FALSE, NULL },
        { DUAL, "both only epoll nonblock", TRUE, TRUE, "0.0.0.0" },
        { DUAL, "both only reuseport epoll nonblock", TRUE, TRUE, "0.0.0.0" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Rig) rig = start_rig(rows[i].kind);
        pid_t pid = run(rig, rows[i].habits);
        int fd = rows[i].six ? connect_six(rig) : rig_connect(rig);
        g_autoptr(Line) line = read_line(fd);
        g_autofree char *listener =
            g_strdup_printf("%s %u", rows[i].listener, ntohs(rig->address.sin_port));
        g_autofree char *own = g_strdup_printf("%s %u", rows[i].six ? "::1" : "127.0.0.1",
                                               ntohs(rig->address.sin_port));

        close(fd);
        g_assert_cmpstr(line->own, ==, own);
        if (rows[i].listener)
            g_assert_cmpstr(line->listener, ==, listener);
        for (int k = 0; k < 5; k++) {
            if (rows[i].four)
                must_serve(rig, FALSE);
            if (rows[i].six)
                must_serve(rig, TRUE);
        }
        kill_server(pid);
    }
}

static void foreign_family_is_told_as_well_as_can_be(void)
{
    g_autoptr(Rig) four = start_rig(FOUR);
    pid_t pid = run(four, "six");
    int fd = rig_connect(four);
    g_autofree char *name = own_name(fd);
    g_autofree char *mapped = g_strconcat("::ffff:", name, NULL);
    g_autoptr(Line) line = read_line(fd);

    g_assert_cmpstr(line->accepted, ==, mapped);
    g_assert_cmpstr(line->peer, ==, mapped);
    close(fd);
    kill_server(pid);
    rig_free(g_steal_pointer(&four));

    /* A client of IPv6 at a server that cannot even say its address. */
    four = start_rig(DUAL);
    pid = run(four, "narrow");
    fd = connect_six(four);
    g_clear_pointer(&line, line_free);
    line = read_line(fd);
    g_assert_true(g_str_has_prefix(line->accepted, "0.0.0.0 "));
    g_assert_true(g_str_has_prefix(line->peer, "0.0.0.0 "));
    close(fd);
    kill_server(pid);
}

static void addresses_that_the_keeper_does_not_cover_are_the_servers(void)
{
    g_autoptr(Rig) rig = start_rig(FOUR);
    pid_t pid = run(rig, "both only epoll nonblock");
    int tries = 0;

    must_serve(rig, FALSE);
    while (tries++ < 1000) { /* its IPv6 listener comes after its IPv4 one */
        struct sockaddr_in6 six = { .sin6_family = AF_INET6,
                                    .sin6_addr = IN6ADDR_LOOPBACK_INIT,
                                    .sin6_port = rig->address.sin_port };
        int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        gboolean there = connect(fd, (struct sockaddr *)&six, sizeof six) == 0;

        close(fd);
        if (there)
            break;
        g_usleep(5000);
    }
    g_assert_cmpint(must_serve(rig, TRUE), ==, pid);
    kill_server(pid);
}

static void second_bind_is_in_use(void)
{
    g_autoptr(Rig) rig = start_rig(FOUR);
    pid_t pid;

    g_assert_cmpint(end_of(run(rig, "twice")), ==, EADDRINUSE);
    pid = run(rig, "again"); /* but not after a close() */
    must_serve(rig, FALSE);
    kill_server(pid);
    pid = run(rig, "twice reuseport nonblock epoll");
    must_serve(rig, FALSE);
    kill_server(pid);
}

static void blocking_is_what_the_server_set(void)
{
    g_autoptr(Rig) rig = start_rig(FOUR);

    g_assert_cmpint(end_of(run(rig, "blocking?")), ==, 0);
    g_assert_cmpint(end_of(run(rig, "blocking? nonblock")), ==, 1);
    g_assert_cmpint(end_of(run(rig, "blocking? ioctl")), ==, 1);
    g_assert_cmpint(end_of(run(rig, "blocking?")), ==, 0); /* nothing is left of the one before */
}

static void options_are_each_servers_own(void)
{
    static const char *const habits[] = { "keepalive", "", "keepalive" };
    g_autoptr(Rig) rig = start_rig(FOUR);

    for (guint i = 0; i < G_N_ELEMENTS(habits); i++) {
        pid_t pid = run(rig, habits[i]);
        /* A connect has its options from the moment in which it came, so the first may be early. */
        pid_t first = must_serve(rig, FALSE);
        int fd = rig_connect(rig);
        g_autoptr(Line) line = read_line(fd);

        g_assert_cmpint(first, ==, pid);
        g_assert_cmpstr(line->options, ==, *habits[i] ? "keepalivenodelay" : "");
        close(fd);
        kill_server(pid);
    }
}

static void refusals_have_their_errno(void)
{
    g_autoptr(Rig) rig = start_rig(FOUR);
    g_autofree char *gone = g_build_filename(rig->root, "nowhere", NULL);
    g_autofree char *file = g_build_filename(rig->root, "file", NULL);

    g_assert_true(g_file_set_contents(file, "", 0, NULL));
    /* Another instance of the same user. */
    g_assert_cmpint(end_of(run_server(rig, &(ServerOptions){ .name = "tt70" }, "")), ==,
                    EADDRINUSE);
    g_assert_cmpint(end_of(run_server(rig, &(ServerOptions){ .path = gone }, "")), ==,
                    EADDRNOTAVAIL);
    g_assert_cmpint(end_of(run_server(rig, &(ServerOptions){ .path = file }, "")), ==,
                    EADDRNOTAVAIL);
    rig_order("refuse");
    /* Closed, but a server may have it: it gets no client. */
    rig_order("cut");
    g_assert_cmpint(end_of(run(rig, "")), ==, EADDRINUSE);
    rig_order("hold " HOUR);
    g_assert_cmpint(end_of(run(rig, "")), ==, EADDRINUSE);
    rig_order("open 127.0.0.1:1");
    g_assert_cmpint(end_of(run(rig, "")), ==, EADDRINUSE);
}

static void make_visible(const Rig *rig)
{
    g_autofree char *control = path_keeper("tt", "control");
    g_autofree char *place = g_strdup(control);

    g_assert_cmpint(chmod(control, 0666), ==, 0);
    while (strlen(place) > strlen(rig->root)) {
        char *above = g_path_get_dirname(place);

        g_assert_cmpint(chmod(above, 0755), ==, 0);
        g_free(place);
        place = above;
    }
}

static void only_the_right_user_gets_it(void)
{
    static const uid_t user = 64001, stranger = 64002;
    g_autoptr(Rig) rig = NULL;
    pid_t pid;

    if (getuid() != 0) {
        g_test_skip("needs root, to be two users");
        return;
    }
    rig = make_rig(FOUR);
    make_visible(rig);
    rig_start(rig, &(RigOptions){ .backend = "tt60@64001" });
    g_assert_cmpint(end_of(run_server(rig, &(ServerOptions){ .user = stranger }, "")), ==, EACCES);
    pid = run_server(rig, &(ServerOptions){ .user = user }, "");
    must_serve(rig, FALSE);
    kill_server(pid);
}

/* Whoever may have put a socket in the keeper's place. */
static void stranger_is_no_keeper(void)
{
    g_autoptr(Rig) rig = NULL;
    g_autofree char *directory = NULL, *path = NULL;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    pid_t stranger;
    int fd;

    if (getuid() != 0) {
        g_test_skip("needs root, to be two users");
        return;
    }
    rig = start_rig(FOUR);
    make_visible(rig);
    directory = g_build_filename(rig->root, "open", NULL);
    path = g_build_filename(directory, "control", NULL);
    g_assert_cmpint(mkdir(directory, 0700), ==, 0);
    g_assert_cmpint(chmod(directory, 0777), ==, 0);
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    stranger = fork();
    if (stranger == 0) {
        setpgid(0, 0);
        umask(0);
        fd = setuid(64002) < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    setpgid(stranger, stranger);
    while (access(path, F_OK) < 0)
        g_usleep(1000);
    fd = end_of(run_server(rig, &(ServerOptions){ .path = path, .user = 64001 }, ""));
    /* Bound, but not listening yet, for a moment. */
    g_assert_true(fd == EACCES || fd == EADDRNOTAVAIL);
    kill_server(stranger);
}

static void killed_keeper_costs_no_session_and_no_bind(void)
{
    g_autoptr(Rig) rig = start_rig(FOUR);
    g_autofree char *backend = heir();
    pid_t pid = run(rig, "stay");
    int open = rig_connect(rig), waits;
    g_autoptr(Line) line = read_line(open);

    rig_kill(rig);
    must_serve(rig, FALSE); /* the server needs no keeper to accept */
    expect_silence(open);
    kill_server(pid);
    expect_end(open);
    waits = rig_connect(rig);
    pid = run(rig, ""); /* waits for the next keeper, in the queue of systemd's socket */
    rig_start(rig, &(RigOptions){ .backend = backend });
    line_free(g_steal_pointer(&line));
    line = read_line(waits);
    close(waits);
    close(open);
    kill_server(pid);
}

/* Whether a connect that was begun has succeeded. */
static gboolean is_connected(int fd, int msec)
{
    struct pollfd wait = { .fd = fd, .events = POLLOUT };

    return poll(&wait, 1, msec) == 1;
}

/* While its server still runs, a held port is closed to new clients without refusing one; when the
 * server is gone they wait in the queue. */
static void hold_lets_nobody_in_while_the_server_runs(void)
{
    g_autoptr(Rig) rig = start_rig(FOUR);
    pid_t pid = run(rig, "");
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_autoptr(Line) line = NULL;
    int blocking = 0;

    must_serve(rig, FALSE);
    rig_order("hold " HOUR);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&rig->address, sizeof rig->address), <, 0);
    g_assert_cmpint(errno, ==, EINPROGRESS);
    g_assert_false(is_connected(fd, 100));
    kill_server(pid);
    g_assert_false(is_connected(fd, 0));
    rig_order("cut"); /* "the server is gone" */
    g_assert_true(is_connected(fd, WAIT_USEC / 1000));
    rig_wait_held(1);
    g_assert_cmpint(end_of(run(rig, "")), ==, EADDRINUSE);
    rig_kill(rig); /* the next keeper knows it as well */
    rig_start(rig, &(RigOptions){ .backend = "tt60@0" });
    g_assert_cmpint(end_of(run(rig, "")), ==, EADDRINUSE);
    rig_order("open");
    pid = run(rig, "");
    g_assert_cmpint(ioctl(fd, FIONBIO, &blocking), ==, 0);
    line = read_line(fd);
    g_assert_cmpint(line->group, ==, pid);
    close(fd);
    kill_server(pid);
}

static void relay_after_inherit(void)
{
    g_autoptr(Rig) rig = start_rig(FOUR);
    g_autofree char *name = NULL, *order = NULL;
    int backend = backend_new(&name), client, session;
    pid_t pid = run(rig, "");

    must_serve(rig, FALSE);
    rig_order("hold " HOUR);
    kill_server(pid);
    order = g_strconcat("open ", name, NULL);
    rig_order(order);
    client = rig_connect(rig);
    session = backend_accept(backend);
    put(client, "hello");
    expect(session, "hello");
    close(client);
    close(session);
    close(backend);
}

int main(int argc, char **argv)
{
    static const char *const habits[] = {
        "",
        "fork",
        "threads",
        "prefork",
        "epoll nonblock",
        "exec nonblock epoll",
        "exec",
        "daemon",
        "daemon fork",
        "dup",
        "accept4",
        "no-reuseaddr",
        "reuseport rebind",
        "loopback",
        "ioctl epoll",
        "prefork nonblock epoll",
    };

    g_test_init(&argc, &argv, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (guint i = 0; i < G_N_ELEMENTS(habits); i++) {
        g_autofree char *path =
            g_strdup_printf("/shim/takes-the-kept-socket/%s", *habits[i] ? habits[i] : "plain");

        g_test_add_data_func(path, habits[i], takes_the_kept_socket);
    }
    g_test_add_func("/shim/other-ports-are-left-alone", other_ports_are_left_alone);
    g_test_add_func("/shim/shutdown-ends-the-server-and-not-the-queue",
                    shutdown_ends_the_server_and_not_the_queue);
    g_test_add_func("/shim/signals-interrupt-as-ever", signals_interrupt_as_ever);
    g_test_add_func("/shim/clients-of-both-families-are-seen-as-they-are",
                    clients_of_both_families_are_seen_as_they_are);
    g_test_add_func("/shim/foreign-family-is-told-as-well-as-can-be",
                    foreign_family_is_told_as_well_as_can_be);
    g_test_add_func("/shim/addresses-that-the-keeper-does-not-cover-are-the-servers",
                    addresses_that_the_keeper_does_not_cover_are_the_servers);
    g_test_add_func("/shim/second-bind-is-in-use", second_bind_is_in_use);
    g_test_add_func("/shim/blocking-is-what-the-server-set", blocking_is_what_the_server_set);
    g_test_add_func("/shim/options-are-each-servers-own", options_are_each_servers_own);
    g_test_add_func("/shim/refusals-have-their-errno", refusals_have_their_errno);
    g_test_add_func("/shim/only-the-right-user-gets-it", only_the_right_user_gets_it);
    g_test_add_func("/shim/stranger-is-no-keeper", stranger_is_no_keeper);
    g_test_add_func("/shim/killed-keeper-costs-no-session-and-no-bind",
                    killed_keeper_costs_no_session_and_no_bind);
    g_test_add_func("/shim/hold-lets-nobody-in-while-the-server-runs",
                    hold_lets_nobody_in_while_the_server_runs);
    g_test_add_func("/shim/relay-after-inherit", relay_after_inherit);
    return g_test_run();
}
