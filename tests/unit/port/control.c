#include "rig.h"
#include "common/error.h"
#include "common/names.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void wrong_orders_change_nothing(void)
{
    static const struct {
        const char *order;
        int code;
    } rows[] = {
        { "", TU_ERROR_INVALID_OPTION },
        { "hould 1", TU_ERROR_INVALID_OPTION },
        { "HOLD 1000", TU_ERROR_INVALID_OPTION },
        { "hold", TU_ERROR_INVALID_OPTION },
        { "hold 0", TU_ERROR_INVALID_OPTION },
        { "hold -1", TU_ERROR_INVALID_OPTION },
        { "hold 1s", TU_ERROR_INVALID_OPTION },
        { "hold 1000 1000", TU_ERROR_INVALID_OPTION },
        { "hold  1000", TU_ERROR_INVALID_OPTION },
        { "hold 86400000001", TU_ERROR_INVALID_OPTION },
        { "hold 18446744073709551615", TU_ERROR_INVALID_OPTION },
        { "hold 18446744073709551616", TU_ERROR_INVALID_OPTION },
        { "drain 1000", TU_ERROR_INVALID_OPTION },
        { "drain 1000 0", TU_ERROR_INVALID_OPTION },
        { "drain x 1000", TU_ERROR_INVALID_OPTION },
        { "drain 18446744073709551615 1000", TU_ERROR_INVALID_OPTION },
        { "open somewhere", TU_ERROR_INVALID_OPTION },
        { "open 127.0.0.1", TU_ERROR_INVALID_OPTION },
        { "open 127.0.0.1:99999", TU_ERROR_INVALID_OPTION },
        { "open []:1", TU_ERROR_INVALID_OPTION },
        { "open [:1", TU_ERROR_INVALID_OPTION },
        { "open :", TU_ERROR_INVALID_OPTION },
        { "refuse now", TU_ERROR_INVALID_OPTION },
        { "cut all", TU_ERROR_INVALID_OPTION },
        { "status \033[2J", TU_ERROR_INVALID_OPTION },
        { "socket", TU_ERROR_NOT_POSSIBLE },
        { "socket tt60", TU_ERROR_NOT_POSSIBLE },
        { "socket  tt60", TU_ERROR_INVALID_OPTION },
        { "open @root", TU_ERROR_INVALID_OPTION },
        { "open tt60@", TU_ERROR_INVALID_OPTION },
        { "open tt60@a b", TU_ERROR_INVALID_OPTION },
    };
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name);
    g_autoptr(KeeperStatus) status = NULL;

    rig_start(rig, &(RigOptions){ .backend = name });
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *answer = keeper_say("tt", rows[i].order, WAIT_USEC, &error);

        g_assert_null(answer);
        g_assert_error(error, TU_ERROR, rows[i].code);
    }
    status = rig_say("status");
    g_assert_cmpint(status->state, ==, KEEPER_OPEN);
    g_assert_cmpstr(status->backend, ==, name);
    close(backend);
}

/* Every client would be relayed to the keeper itself, until no descriptor is left. */
static void public_port_is_no_backend(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *own = g_strdup_printf("127.0.0.1:%u", ntohs(rig->address.sin_port));
    g_autofree char *order = g_strconcat("open ", own, NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *answer = NULL;
    g_autoptr(KeeperStatus) status = NULL;

    rig_start(rig, &(RigOptions){ .backend = own });
    status = rig_say("status");
    g_assert_cmpint(status->state, ==, KEEPER_REFUSE);
    answer = keeper_say("tt", order, WAIT_USEC, &error);
    g_assert_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION);
}

static void open_without_any_backend_is_not_possible(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *answer = NULL;

    rig_start(rig, &(RigOptions){ 0 });
    answer = keeper_say("tt", "open", WAIT_USEC, &error);
    g_assert_error(error, TU_ERROR, TU_ERROR_NOT_POSSIBLE);
}

static int caller(void)
{
    g_autoptr(GError) error = NULL;
    int fd = keeper_connect("tt", &error);

    g_assert_no_error(error);
    return fd;
}

/* The keeper must say what it does not like, and hang up. */
static void expect_hang_up(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    g_autoptr(GString) said = g_string_new(NULL);
    char block[4096];

    for (;;) {
        ssize_t count;

        g_assert_cmpint(poll(&poll_fd, 1, (int)(WAIT_USEC / 1000)), ==, 1);
        count = recv(fd, block, sizeof block, MSG_DONTWAIT);
        if (count <= 0)
            break;
        g_string_append_len(said, block, count);
    }
    g_assert_cmpstr(said->str, ==,
                    "error InvalidOption A command is one line of text of at most 255 bytes\n");
}

static void hostile_callers_do_no_harm(void)
{
    static char longer[100000], zeros[64];
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), fds[60];
    g_autoptr(KeeperStatus) status = NULL;
    char byte;

    memset(longer, 'x', sizeof longer);
    zeros[sizeof zeros - 1] = '\n';
    rig_start(rig, &(RigOptions){ .backend = name });

    fds[0] = caller(); /* a line without an end */
    send(fds[0], longer, sizeof longer, MSG_NOSIGNAL);
    expect_hang_up(fds[0]);
    fds[1] = caller();
    send(fds[1], zeros, sizeof zeros, MSG_NOSIGNAL);
    expect_hang_up(fds[1]);
    fds[2] = caller(); /* asks and never listens */
    for (guint i = 0; i < 20000; i++)
        if (send(fds[2], "status\n", 7, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
    fds[3] = caller(); /* half a word and gone */
    send(fds[3], "hol", 3, MSG_NOSIGNAL);
    shutdown(fds[3], SHUT_RDWR);
    for (guint i = 4; i < G_N_ELEMENTS(fds); i++) /* says nothing at all */
        fds[i] = caller();

    status = rig_say("status");
    g_assert_cmpint(status->state, ==, KEEPER_OPEN);
    /* The first of the silent had to make room, at once. */
    g_assert_cmpint(recv(fds[4], &byte, 1, MSG_DONTWAIT), ==, 0);
    rig_order("hold " HOUR);
    rig_order("open");
    for (guint i = 0; i < G_N_ELEMENTS(fds); i++)
        close(fds[i]);
    close(backend);
}

static void lines_may_come_in_pieces_and_together(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), fd;
    struct pollfd poll_fd = { .events = POLLIN };
    guint lines = 0;

    rig_start(rig, &(RigOptions){ .backend = name });
    poll_fd.fd = fd = caller();
    put(fd, "sta");
    g_usleep(20000);
    put(fd, "tus\nhold " HOUR "\nstat");
    put(fd, "us\n");
    while (lines < 3) {
        char block[4096];
        ssize_t count;

        g_assert_cmpint(poll(&poll_fd, 1, (int)(WAIT_USEC / 1000)), ==, 1);
        count = recv(fd, block, sizeof block, 0);
        g_assert_cmpint(count, >, 0);
        for (ssize_t i = 0; i < count; i++)
            lines += block[i] == '\n';
    }
    rig_wait_state(KEEPER_HOLD);
    close(fd);
    close(backend);
}

static void nobody_but_root_may_say_anything(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    g_autofree char *path = path_keeper("tt", "control");
    int backend = backend_new(&name), status = -1;
    g_autoptr(KeeperStatus) after = NULL;
    pid_t child;

    if (geteuid() != 0) {
        g_test_skip("to be somebody else one must be root");
        close(backend);
        return;
    }
    rig_start(rig, &(RigOptions){ .backend = name });
    g_assert_cmpint(chmod(rig->root, 0755), ==, 0);
    g_assert_cmpint(chmod(path, 0666), ==, 0); /* even where the file system would let everybody */
    child = fork();
    if (child == 0) {
        g_autoptr(GError) error = NULL;

        if (setresuid(65534, 65534, 65534) < 0)
            _exit(2);
        g_free(keeper_say("tt", "refuse", WAIT_USEC, &error));
        _exit(g_error_matches(error, TU_ERROR, TU_ERROR_NOT_AUTHORIZED) ? 0 : 1);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
    after = rig_say("status");
    g_assert_cmpint(after->state, ==, KEEPER_OPEN);
    close(backend);
}

static void an_order_that_cannot_be_written_down_is_not_obeyed(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    g_autofree char *path = path_keeper("tt", "state");
    int backend = backend_new(&name);
    g_autoptr(GError) error = NULL;
    g_autofree char *answer = NULL;
    g_autoptr(KeeperStatus) after = NULL;

    rig_start(rig, &(RigOptions){ .backend = name });
    unlink(path); /* a directory cannot be replaced by a file, not even by root */
    g_assert_cmpint(mkdir(path, 0755), ==, 0);
    answer = keeper_say("tt", "hold " HOUR, WAIT_USEC, &error);
    g_assert_error(error, TU_ERROR, TU_ERROR_FAILED);
    after = rig_say("status");
    g_assert_cmpint(after->state, ==, KEEPER_OPEN);
    g_assert_cmpint(rmdir(path), ==, 0);
    rig_order("hold " HOUR);
    close(backend);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add_func("/port/control/" name, function)
    ADD("wrong-orders-change-nothing", wrong_orders_change_nothing);
    ADD("public-port-is-no-backend", public_port_is_no_backend);
    ADD("open-without-any-backend-is-not-possible", open_without_any_backend_is_not_possible);
    ADD("hostile-callers-do-no-harm", hostile_callers_do_no_harm);
    ADD("lines-may-come-in-pieces-and-together", lines_may_come_in_pieces_and_together);
    ADD("nobody-but-root-may-say-anything", nobody_but_root_may_say_anything);
    ADD("an-order-that-cannot-be-written-down-is-not-obeyed",
        an_order_that_cannot_be_written_down_is_not_obeyed);
    return g_test_run();
}
