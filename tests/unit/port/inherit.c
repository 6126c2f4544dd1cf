/* A keeper whose server accepts at the public socket by itself, played by the test. */
#include "rig.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* The next client, as the server that has the socket takes it. */
static int take(const Rig *rig)
{
    struct pollfd wait = { .fd = rig->public, .events = POLLIN };

    g_assert_cmpint(poll(&wait, 1, WAIT_USEC / 1000), ==, 1);
    return accept4(rig->public, NULL, NULL, SOCK_CLOEXEC); /* not the keeper's */
}

static char *own_name(void)
{
    return g_strdup_printf("tt@%u", (guint)getuid());
}

static void sessions_are_those_that_the_server_accepted(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *backend = own_name();
    g_autoptr(KeeperStatus) status = NULL;
    int clients[3], ends[2];

    rig_start(rig, &(RigOptions){ .backend = backend });
    for (guint i = 0; i < 3; i++)
        clients[i] = rig_connect(rig);
    rig_wait_held(3);
    for (guint i = 0; i < 2; i++)
        ends[i] = take(rig);
    rig_wait_sessions(2);
    rig_wait_held(1);
    /* They are the server's, and go on without the keeper. */
    rig_kill(rig);
    rig_start(rig, &(RigOptions){ .backend = backend });
    rig_wait_sessions(2);
    status = rig_say("status");
    g_assert_cmpuint(status->cut, ==, 0);
    close(ends[0]);
    rig_wait_sessions(1);
    close(ends[1]);
    rig_wait_sessions(0);
    for (guint i = 0; i < 3; i++)
        close(clients[i]);
}

static void drain_lasts_until_the_last_session_ended(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *backend = own_name();
    g_autoptr(KeeperStatus) draining = NULL;
    g_autoptr(KeeperStatus) still = NULL;
    int clients[2], ends[2];

    rig_start(rig, &(RigOptions){ .backend = backend });
    for (guint i = 0; i < 2; i++) {
        clients[i] = rig_connect(rig);
        ends[i] = take(rig);
    }
    rig_wait_sessions(2);
    draining = rig_say("drain " HOUR " " HOUR);
    g_assert_cmpint(draining->state, ==, KEEPER_DRAIN);
    close(ends[0]);
    rig_wait_sessions(1);
    still = rig_say("status");
    g_assert_cmpint(still->state, ==, KEEPER_DRAIN);
    close(ends[1]);
    rig_wait_state(KEEPER_HOLD);
    for (guint i = 0; i < 2; i++)
        close(clients[i]);
}

/* Whether this process was kept waiting for so long that the keeper may have lost its patience. */
static gboolean stood_still(gint64 since, gint64 limit)
{
    if (g_get_monotonic_time() - since < limit)
        return FALSE;
    g_test_skip("the machine is too busy to tell");
    return TRUE;
}

static void nobody_waits_for_ever_for_a_server_that_is_down(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *backend = own_name();
    g_autoptr(KeeperStatus) status = NULL;
    int clients[3], gone, late, end;
    gint64 since;

    rig_start(rig, &(RigOptions){ .backend = backend, .wait_usec = "1000000" });
    gone = rig_connect(rig);
    for (guint i = 0; i < 3; i++)
        clients[i] = rig_connect(rig);
    close(gone);
    for (guint i = 0; i < 3; i++)
        expect_reset(clients[i]);
    rig_wait_held(0);
    status = rig_say("status");
    g_assert_cmpuint(status->refused, ==, 3);
    g_assert_cmpint(status->state, ==, KEEPER_OPEN);
    /* And whoever comes when it is back is served. */
    since = g_get_monotonic_time();
    late = rig_connect(rig);
    end = take(rig);
    if (stood_still(since, 500000))
        return;
    g_assert_cmpint(end, >=, 0);
    put(end, "hello");
    expect(late, "hello");
    for (guint i = 0; i < 3; i++)
        close(clients[i]);
    close(late);
    close(end);
}

/* Its queue is never empty, but each client that was in it is accepted at last. */
static void clients_of_a_busy_server_may_wait(void)
{
    enum { QUEUE = 8 };
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *backend = own_name();
    gint64 end = g_get_monotonic_time() + 5 * G_USEC_PER_SEC, since[QUEUE];
    int clients[QUEUE];
    g_autoptr(KeeperStatus) status = NULL;

    rig_start(rig, &(RigOptions){ .backend = backend, .wait_usec = "2000000" });
    for (guint i = 0; i < QUEUE; i++) {
        since[i] = g_get_monotonic_time();
        clients[i] = rig_connect(rig);
    }
    for (guint i = 0; g_get_monotonic_time() < end; i = (i + 1) % QUEUE) {
        int fd = take(rig);

        if (stood_still(since[i], 1000000))
            return;
        put(fd, "hello");
        close(fd);
        expect(clients[i], "hello");
        close(clients[i]);
        since[i] = g_get_monotonic_time();
        clients[i] = rig_connect(rig);
        g_usleep(20000);
    }
    status = rig_say("status");
    g_assert_cmpuint(status->refused, ==, 0);
    g_assert_cmpuint(status->held, ==, QUEUE);
    for (guint i = 0; i < QUEUE; i++)
        close(clients[i]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/port/inherit/sessions-are-those-that-the-server-accepted",
                    sessions_are_those_that_the_server_accepted);
    g_test_add_func("/port/inherit/drain-lasts-until-the-last-session-ended",
                    drain_lasts_until_the_last_session_ended);
    g_test_add_func("/port/inherit/nobody-waits-for-ever-for-a-server-that-is-down",
                    nobody_waits_for_ever_for_a_server_that_is_down);
    g_test_add_func("/port/inherit/clients-of-a-busy-server-may-wait",
                    clients_of_a_busy_server_may_wait);
    return g_test_run();
}
