/* Orders while many clients come at once: the threads that take them must obey as one. */
#include "rig.h"

#include <unistd.h>

#define CLIENTS 4
#define ROUNDS  40

typedef struct {
    Rig *rig;
    gint stop;   /* atomic */
    gint served; /* atomic */
} Crowd;

/* Connects, asks, is answered and begins anew. */
static gpointer come_again(gpointer data)
{
    Crowd *crowd = data;

    while (!g_atomic_int_get(&crowd->stop)) {
        int fd = rig_connect(crowd->rig);

        put(fd, "hello");
        expect(fd, "hello");
        close(fd);
        g_atomic_int_inc(&crowd->served);
    }
    return NULL;
}

static void wait_served(const Crowd *crowd, gint count)
{
    gint64 end = g_get_monotonic_time() + (gint64)WAIT_USEC;

    while (g_atomic_int_get(&crowd->served) < count) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(1000);
    }
}

/* From the answer on nobody is taken out of the queue. */
static void check_held(void)
{
    g_autoptr(KeeperStatus) answer = rig_say("status");
    g_autoptr(KeeperStatus) later = NULL;

    g_assert_cmpint(answer->state, ==, KEEPER_HOLD);
    g_usleep(3000);
    later = rig_say("status");
    g_assert_cmpuint(later->accepted, ==, answer->accepted);
    g_assert_cmpuint(later->held, >=, answer->held);
}

static void held_port_takes_nobody(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name);
    GThread *echoing = backend_echo(backend), *threads[CLIENTS];
    Crowd crowd = { .rig = rig };
    g_autoptr(KeeperStatus) end = NULL;

    rig_start(rig, &(RigOptions){ .backend = name });
    for (guint i = 0; i < CLIENTS; i++)
        threads[i] = g_thread_new("client", come_again, &crowd);
    for (guint round = 0; round < ROUNDS; round++) {
        wait_served(&crowd, g_atomic_int_get(&crowd.served) + CLIENTS);
        if (round % 2 == 0) {
            rig_order("hold " HOUR);
        } else {
            rig_order("drain " HOUR " " HOUR);
            rig_wait_state(KEEPER_HOLD);
            rig_wait_sessions(0);
        }
        check_held();
        if (round == ROUNDS - 1)
            g_atomic_int_set(&crowd.stop, TRUE);
        rig_order("open");
    }
    for (guint i = 0; i < CLIENTS; i++)
        g_thread_join(threads[i]);
    rig_wait_sessions(0);
    end = rig_say("status");
    g_assert_cmpuint(end->accepted, ==, crowd.served);
    g_assert_cmpuint(end->refused + end->gave_up + end->cut, ==, 0);
    backend_end(backend, echoing);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/port/lanes/held-port-takes-nobody", held_port_takes_nobody);
    return g_test_run();
}
