#include "rig.h"
#include "common/file.h"
#include "common/names.h"

#include <sys/socket.h>
#include <unistd.h>

static gboolean has_file(const char *name)
{
    g_autofree char *path = path_keeper("tt", name);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void write_state(const char *text)
{
    g_autofree char *path = path_keeper("tt", "state");

    g_assert_true(file_replace(path, text, -1, 0644, NULL));
}

static void killed_keeper_goes_on_with_the_hold(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL, *other_name = NULL;
    int backend = backend_new(&name), other = backend_new(&other_name), clients[15], session;
    g_autoptr(KeeperStatus) before = NULL;
    g_autoptr(KeeperStatus) none = NULL;
    g_autoptr(KeeperStatus) after = NULL;

    rig_start(rig, &(RigOptions){ .backend = name });
    session = rig_connect(rig);
    put(session, "x");
    expect(backend_accept(backend), "x");
    before = rig_say("hold " HOUR);
    for (guint i = 0; i < 10; i++)
        put(clients[i] = rig_connect(rig), "?");
    rig_wait_held(10);
    rig_kill(rig);
    none = keeper_status_read("tt");
    g_assert_null(none);
    expect_end(session); /* a relayed session cannot outlive its relay */
    for (guint i = 10; i < G_N_ELEMENTS(clients); i++)
        put(clients[i] = rig_connect(rig), "?"); /* while nobody is there */

    /* The environment is older than the state and must not win. */
    rig_start(rig, &(RigOptions){ .backend = other_name });
    rig_wait_held(G_N_ELEMENTS(clients));
    after = rig_say("status");
    g_assert_cmpint(after->state, ==, KEEPER_HOLD);
    g_assert_cmpstr(after->backend, ==, name);
    g_assert_cmpuint(ABS((gint64)(after->hold_deadline - before->hold_deadline)), <, 1000000);
    g_assert_cmpuint(after->accepted, ==, 1);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        expect_silence(clients[i]);
    rig_order("open");
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++) {
        int end = backend_accept(backend);

        expect(end, "?");
        put(end, "!");
        close(end);
    }
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++) {
        expect(clients[i], "!");
        expect_end(clients[i]);
        close(clients[i]);
    }
    expect_silence(other);
    close(session);
    close(backend);
    close(other);
}

static void killed_keeper_stays_open_to_the_backend_it_had(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL, *old_name = NULL, *order = NULL;
    int backend = backend_new(&name), client, end;

    old_name = g_strdup("127.0.0.1:1");
    rig_start(rig, &(RigOptions){ .backend = old_name });
    order = g_strconcat("open ", name, NULL);
    rig_order(order);
    rig_kill(rig);
    rig_start(rig, &(RigOptions){ .backend = old_name });
    put(client = rig_connect(rig), "?");
    expect(end = backend_accept(backend), "?");
    close(end);
    close(client);
    close(backend);
}

/* Whoever waits for a backend waits in the kernel, not in the keeper. */
static void killed_keeper_loses_nobody_who_waits_for_a_silent_backend(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_deaf(&name), clients[5];

    rig_start(rig, &(RigOptions){ .backend = name, .wait_usec = HOUR });
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        put(clients[i] = rig_connect(rig), "?");
    rig_wait_held(G_N_ELEMENTS(clients));
    g_usleep(50000); /* so that it has tried */
    rig_kill(rig);
    rig_start(rig, &(RigOptions){ .backend = name, .wait_usec = HOUR });
    rig_wait_held(G_N_ELEMENTS(clients));
    g_assert_cmpint(listen(backend, 64), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++) {
        int end = backend_accept(backend);

        expect(end, "?");
        put(end, "!");
        close(end);
    }
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++) {
        expect(clients[i], "!");
        close(clients[i]);
    }
    close(backend);
}

static void deadline_that_passed_meanwhile_refuses(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), client;

    rig_start(rig, &(RigOptions){ .backend = name });
    rig_order("hold 200000");
    client = rig_connect(rig);
    rig_kill(rig);
    g_usleep(300000);
    rig_start(rig, &(RigOptions){ .backend = name });
    rig_wait_state(KEEPER_REFUSE);
    expect_reset(client);
    expect_silence(backend);
    /* And a refusal that was ordered or earned survives the next crash. */
    rig_kill(rig);
    rig_start(rig, &(RigOptions){ .backend = name });
    rig_wait_state(KEEPER_REFUSE);
    close(client);
    close(backend);
}

static void killed_while_draining_is_a_hold(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), client, end;
    g_autoptr(KeeperStatus) status = NULL;

    rig_start(rig, &(RigOptions){ .backend = name });
    put(client = rig_connect(rig), "?");
    expect(end = backend_accept(backend), "?");
    rig_order("drain " HOUR " " HOUR);
    rig_kill(rig);
    rig_start(rig, &(RigOptions){ .backend = name });
    status = rig_say("status");
    g_assert_cmpint(status->state, ==, KEEPER_HOLD);
    g_assert_cmpuint(status->hold_deadline, >, 0);
    close(client);
    close(end);
    close(backend);
}

static void damaged_state_is_a_hold(void)
{
    static const char *const damaged[] = {
        "",
        "state=open\n",
        "\001\002\003\n",
        "state=open backend=127.0.0.1:1 since=0 deadline=0 drain-end=0 stopp",
        "state=hold backend=127.0.0.1:1 since=1 deadline=0 drain-end=0 stopped=0\n",
        "state=open backend=elsewhere since=0 deadline=0 drain-end=0 stopped=0\n",
        "state=open backend=- since=0 deadline=0 drain-end=0 stopped=0\n",
    };
    g_autofree char *name = NULL;
    int backend = backend_new(&name);

    for (guint i = 0; i < G_N_ELEMENTS(damaged); i++) {
        g_autoptr(Rig) rig = rig_new();
        g_autoptr(KeeperStatus) status = NULL;

        write_state(damaged[i]);
        rig_start(rig, &(RigOptions){ .backend = name, .wait_usec = HOUR });
        status = rig_say("status");
        g_assert_cmpint(status->state, ==, KEEPER_HOLD);
        g_assert_cmpuint(status->hold_deadline, >, 0);
        g_assert_cmpstr(status->backend, ==, name);
    }
    close(backend);
}

static void stop_leaves_nothing_behind(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name);

    rig_start(rig, &(RigOptions){ .backend = name });
    g_assert_true(has_file("state"));
    g_assert_true(has_file("status"));
    rig_stop(rig);
    g_assert_false(has_file("state"));
    g_assert_false(has_file("status"));
    close(backend);
}

/* systemctl restart in the middle of a job must not open the port to the old release. */
static void restart_of_the_service_does_not_end_a_hold(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), client;

    rig_start(rig, &(RigOptions){ .backend = name });
    rig_order("hold " HOUR);
    put(client = rig_connect(rig), "?");
    rig_stop(rig);
    rig_start(rig, &(RigOptions){ .backend = name });
    rig_wait_state(KEEPER_HOLD);
    rig_wait_held(1);
    expect_silence(backend);
    close(client);
    close(backend);
}

static void hold_that_ran_out_while_stopped_is_over(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL, *path = path_keeper("tt", "state"), *text = NULL;
    int backend = backend_new(&name);
    g_autoptr(GString) state = NULL;
    char *deadline;

    rig_start(rig, &(RigOptions){ .backend = name });
    rig_order("hold " HOUR);
    rig_stop(rig);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    state = g_string_new(text);
    deadline = strstr(state->str, "deadline=");
    g_assert_nonnull(deadline);
    /* Long ago, instead of waiting for it. */
    g_string_erase(state, deadline - state->str, strcspn(deadline, " "));
    g_string_append(state, " deadline=1");
    write_state(state->str);
    rig_start(rig, &(RigOptions){ .backend = name });
    rig_wait_state(KEEPER_OPEN);
    close(backend);
}

static void unfinished_job_starts_on_hold(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), client;

    rig_start(rig, &(RigOptions){ .backend = name, .hold_usec = HOUR });
    rig_wait_state(KEEPER_HOLD);
    put(client = rig_connect(rig), "?");
    rig_wait_held(1);
    expect_silence(backend);
    close(client);
    close(backend);
}

static void no_usable_backend_refuses(void)
{
    static const char *const wrong[] = {
        NULL, "", "localhost:1", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "[::1:5", ":1"
    };

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(Rig) rig = rig_new();
        g_autoptr(KeeperStatus) status = NULL;
        int client;

        rig_start(rig, &(RigOptions){ .backend = wrong[i] });
        status = rig_say("status");
        g_assert_cmpint(status->state, ==, KEEPER_REFUSE);
        g_assert_null(status->backend);
        client = rig_connect(rig);
        expect_reset(client);
        close(client);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add_func("/port/recovery/" name, function)
    ADD("killed-keeper-goes-on-with-the-hold", killed_keeper_goes_on_with_the_hold);
    ADD("killed-keeper-stays-open-to-the-backend-it-had",
        killed_keeper_stays_open_to_the_backend_it_had);
    ADD("killed-keeper-loses-nobody-who-waits-for-a-silent-backend",
        killed_keeper_loses_nobody_who_waits_for_a_silent_backend);
    ADD("deadline-that-passed-meanwhile-refuses", deadline_that_passed_meanwhile_refuses);
    ADD("killed-while-draining-is-a-hold", killed_while_draining_is_a_hold);
    ADD("damaged-state-is-a-hold", damaged_state_is_a_hold);
    ADD("stop-leaves-nothing-behind", stop_leaves_nothing_behind);
    ADD("restart-of-the-service-does-not-end-a-hold", restart_of_the_service_does_not_end_a_hold);
    ADD("hold-that-ran-out-while-stopped-is-over", hold_that_ran_out_while_stopped_is_over);
    ADD("unfinished-job-starts-on-hold", unfinished_job_starts_on_hold);
    ADD("no-usable-backend-refuses", no_usable_backend_refuses);
    return g_test_run();
}
