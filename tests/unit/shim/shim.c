/* An unmodified server of each habit takes the socket of a real keeper, by way of the preload
 * library. */
#include "server.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

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
    return g_test_run();
}
