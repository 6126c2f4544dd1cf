/* To whom a real keeper gives its socket, and what becomes of the server when the keeper dies, holds
 * or relays. */
#include "server.h"
#include "common/names.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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
    g_test_init(&argc, &argv, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
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
