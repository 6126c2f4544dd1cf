#include "rig.h"
#include "common/names.h"

#include <sys/socket.h>
#include <unistd.h>

#define MANY 50

static void close_all(int *fds, guint n_fds)
{
    for (guint i = 0; i < n_fds; i++)
        close(fds[i]);
}

/* Connects and says its number. */
static int numbered_client(const Rig *rig, guint number)
{
    g_autofree char *text = g_strdup_printf("%04u", number);
    int fd = rig_connect(rig);

    put(fd, text);
    return fd;
}

/* The next client at the backend must be the one of that number; it gets its number back. */
static void serve_number(int backend, guint number)
{
    g_autofree char *text = g_strdup_printf("%04u", number);
    int fd = backend_accept(backend);

    expect(fd, text);
    put(fd, text);
    close(fd);
}

static void expect_number(int fd, guint number)
{
    g_autofree char *text = g_strdup_printf("%04u", number);

    expect(fd, text);
    expect_end(fd);
}

static void held_connects_wait_and_are_served_in_order(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), clients[MANY];
    g_autoptr(KeeperStatus) held = NULL;
    g_autoptr(KeeperStatus) after = NULL;

    rig_start(rig, &(RigOptions){ .backend = name });
    rig_order("hold " HOUR);
    for (guint i = 0; i < MANY; i++)
        clients[i] = numbered_client(rig, i);
    rig_wait_held(MANY);
    held = rig_say("status");
    g_assert_cmpint(held->state, ==, KEEPER_HOLD);
    g_assert_cmpuint(held->hold_since, >, 0);
    g_assert_cmpuint(held->hold_deadline, >, held->hold_since);
    g_assert_cmpuint(held->queue_limit, >=, MANY); /* the rig had left room for four */
    for (guint i = 0; i < MANY; i++)
        expect_silence(clients[i]);

    rig_order("open");
    for (guint i = 0; i < MANY; i++)
        serve_number(backend, i);
    for (guint i = 0; i < MANY; i++)
        expect_number(clients[i], i);
    close_all(clients, MANY);
    rig_wait_sessions(0);
    after = rig_say("status");
    g_assert_cmpuint(after->accepted, ==, MANY);
    g_assert_cmpuint(after->held + after->refused + after->gave_up + after->hold_deadline, ==, 0);
    close(backend);
}

static void new_backend_serves_those_who_waited(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *old_name = NULL, *new_name = NULL, *order = NULL;
    int old_backend = backend_new(&old_name), new_backend = backend_new(&new_name);
    int before, client;

    rig_start(rig, &(RigOptions){ .backend = old_name });
    before = rig_connect(rig);
    put(before, "x");
    expect(backend_accept(old_backend), "x");
    rig_order("hold " HOUR);
    client = numbered_client(rig, 1);
    order = g_strconcat("open ", new_name, NULL);
    rig_order(order);
    serve_number(new_backend, 1);
    expect_number(client, 1);
    expect_silence(old_backend);
    expect_silence(before); /* a session is not touched by what happens to the port */
    close(client);
    close(before);
    close(old_backend);
    close(new_backend);
}

static void deadline_turns_to_refuse_until_open(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), clients[5], late, served;
    g_autoptr(KeeperStatus) status = NULL;

    rig_start(rig, &(RigOptions){ .backend = name });
    rig_order("hold 200000");
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        clients[i] = rig_connect(rig);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        expect_reset(clients[i]);
    rig_wait_state(KEEPER_REFUSE);
    late = rig_connect(rig);
    expect_reset(late);
    status = rig_say("status");
    g_assert_cmpuint(status->refused, ==, G_N_ELEMENTS(clients) + 1);
    g_assert_cmpuint(status->hold_deadline, ==, 0);

    rig_order("open");
    served = numbered_client(rig, 7);
    serve_number(backend, 7);
    expect_number(served, 7);
    close_all(clients, G_N_ELEMENTS(clients));
    close(late);
    close(served);
    close(backend);
}

static void hold_while_held_renews_the_deadline(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), client;
    g_autoptr(KeeperStatus) first = NULL;
    g_autoptr(KeeperStatus) longer = NULL;

    rig_start(rig, &(RigOptions){ .backend = name });
    first = rig_say("hold " HOUR);
    longer = rig_say("hold 7200000000");
    g_assert_cmpuint(longer->hold_since, ==, first->hold_since);
    g_assert_cmpuint(longer->hold_deadline, >=, first->hold_deadline + 3600000000);
    client = rig_connect(rig);
    rig_order("hold 100000"); /* the alarm is moved, too: without that the test waits in vain */
    rig_wait_state(KEEPER_REFUSE);
    expect_reset(client);
    close(client);
    close(backend);
}

static void who_gave_up_is_dropped_without_a_session(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), gone[3], patient;
    g_autoptr(KeeperStatus) status = NULL;

    rig_start(rig, &(RigOptions){ .backend = name });
    rig_order("hold " HOUR);
    for (guint i = 0; i < G_N_ELEMENTS(gone); i++)
        gone[i] = rig_connect(rig);
    patient = numbered_client(rig, 4);
    rig_wait_held(4);
    close_hard(gone[0]);
    close_all(gone + 1, G_N_ELEMENTS(gone) - 1);
    rig_order("open");
    serve_number(backend, 4);
    expect_number(patient, 4);
    status = rig_say("status");
    g_assert_cmpuint(status->gave_up, ==, G_N_ELEMENTS(gone));
    g_assert_cmpuint(status->accepted, ==, 1);
    expect_silence(backend);
    close(patient);
    close(backend);
}

/* The connection that was made for it must not wait for a client that comes hours later. */
static void nobody_left_means_no_connection_left(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), end;

    rig_start(rig, &(RigOptions){ .backend = name });
    rig_order("hold " HOUR);
    close(rig_connect(rig));
    rig_wait_held(1);
    rig_order("open");
    end = backend_accept(backend);
    expect_end(end);
    close(end);
    close(backend);
}

/* During a hold the databases behind the port are closed; a connection would keep one busy. */
static void held_keeper_lets_the_backend_alone(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_deaf(&name), client;

    rig_start(rig, &(RigOptions){ .backend = name, .wait_usec = HOUR });
    client = numbered_client(rig, 1);
    rig_wait_held(1);
    g_usleep(50000); /* so that it has tried */
    rig_order("hold " HOUR);
    g_assert_cmpint(listen(backend, 64), ==, 0);
    g_usleep(250000); /* more than from one try to the next */
    expect_silence(backend);
    rig_order("open");
    serve_number(backend, 1);
    expect_number(client, 1);
    close(client);
    close(backend);
}

/* Asked and then closed for writing is a question, not a leaving. */
static void half_closed_while_held_is_still_answered(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), client;

    rig_start(rig, &(RigOptions){ .backend = name });
    rig_order("hold " HOUR);
    client = numbered_client(rig, 1);
    shutdown(client, SHUT_WR);
    rig_wait_held(1);
    rig_order("open");
    serve_number(backend, 1);
    expect_number(client, 1);
    close(client);
    close(backend);
}

static void clients_wait_for_a_silent_backend(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_deaf(&name), clients[5];

    rig_start(rig, &(RigOptions){ .backend = name, .wait_usec = HOUR });
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        clients[i] = numbered_client(rig, i);
    rig_wait_held(G_N_ELEMENTS(clients));
    g_assert_cmpint(listen(backend, 64), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        serve_number(backend, i);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        expect_number(clients[i], i);
    close_all(clients, G_N_ELEMENTS(clients));
    close(backend);
}

static void clients_of_a_silent_backend_go_to_another(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *deaf_name = NULL, *name = NULL, *order = NULL;
    int deaf = backend_deaf(&deaf_name), backend = backend_new(&name), clients[5];

    rig_start(rig, &(RigOptions){ .backend = deaf_name, .wait_usec = HOUR });
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        clients[i] = numbered_client(rig, i);
    rig_wait_held(G_N_ELEMENTS(clients));
    rig_order("hold " HOUR); /* and by way of a hold */
    rig_wait_held(G_N_ELEMENTS(clients));
    order = g_strconcat("open ", name, NULL);
    rig_order(order);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        serve_number(backend, i);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        expect_number(clients[i], i);
    close_all(clients, G_N_ELEMENTS(clients));
    close(backend);
    close(deaf);
}

/* A server that is slow to accept drops handshakes, which are then neither done nor refused. */
static void full_queue_of_a_backend_is_waited_out(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_deaf(&name), clients[8];

    g_assert_cmpint(listen(backend, 0), ==, 0);
    rig_start(rig, &(RigOptions){ .backend = name, .wait_usec = HOUR });
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        clients[i] = numbered_client(rig, i);
    g_usleep(250000); /* so that a try has run out of time */
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        serve_number(backend, i);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        expect_number(clients[i], i);
    close_all(clients, G_N_ELEMENTS(clients));
    close(backend);
}

static void patience_with_a_full_queue_ends(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_deaf(&name), clients[8];

    g_assert_cmpint(listen(backend, 0), ==, 0);
    rig_start(rig, &(RigOptions){ .backend = name, .wait_usec = "200000" });
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        clients[i] = rig_connect(rig);
    /* The kernel queues one or two for the backend; the others are told. */
    for (guint i = 3; i < G_N_ELEMENTS(clients); i++)
        expect_reset(clients[i]);
    close_all(clients, G_N_ELEMENTS(clients));
    close(backend);
}

static void patience_with_a_silent_backend_ends(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_deaf(&name), clients[5], later;

    rig_start(rig, &(RigOptions){ .backend = name, .wait_usec = "300000" });
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        clients[i] = rig_connect(rig);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        expect_reset(clients[i]);
    g_assert_cmpint(listen(backend, 64), ==, 0);
    later = numbered_client(rig, 9);
    serve_number(backend, 9);
    expect_number(later, 9);
    close_all(clients, G_N_ELEMENTS(clients));
    close(later);
    close(backend);
}

static void clients_of_a_silent_backend_go_to_another_at_once(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *deaf_name = NULL, *name = NULL, *order = NULL;
    int deaf = backend_deaf(&deaf_name), backend = backend_new(&name), client;

    rig_start(rig, &(RigOptions){ .backend = deaf_name, .wait_usec = HOUR });
    client = numbered_client(rig, 1);
    rig_wait_held(1);
    order = g_strconcat("open ", name, NULL);
    rig_order(order);
    serve_number(backend, 1);
    expect_number(client, 1);
    close(client);
    close(backend);
    close(deaf);
}

static void refuse_resets_who_waits_for_a_silent_backend(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_deaf(&name), clients[3];

    rig_start(rig, &(RigOptions){ .backend = name, .wait_usec = HOUR });
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        clients[i] = numbered_client(rig, i);
    rig_wait_held(G_N_ELEMENTS(clients));
    rig_order("refuse");
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        expect_reset(clients[i]);
    close_all(clients, G_N_ELEMENTS(clients));
    close(backend);
}

static void drain_lets_sessions_end_and_cuts_the_rest(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), quick, slow, quick_end, slow_end, waiting;
    g_autoptr(KeeperStatus) draining = NULL;
    g_autoptr(KeeperStatus) cut = NULL;

    rig_start(rig, &(RigOptions){ .backend = name });
    quick = numbered_client(rig, 1);
    quick_end = backend_accept(backend);
    slow = numbered_client(rig, 2);
    slow_end = backend_accept(backend);
    expect(slow_end, "0002");
    rig_wait_sessions(2);
    rig_order("drain " HOUR " " HOUR);
    waiting = numbered_client(rig, 3);
    rig_wait_held(1);
    close_hard(quick_end);
    expect_reset(quick);
    rig_wait_sessions(1);
    draining = rig_say("hold " HOUR); /* a renewal does not end the drain */
    g_assert_cmpint(draining->state, ==, KEEPER_DRAIN);
    put(slow, "?");
    expect(slow_end, "?");
    put(slow_end, "!");
    expect(slow, "!");

    put(slow_end, "last words");
    rig_order("drain 100000 " HOUR);
    rig_order("hold " HOUR); /* nor does a renewal save the sessions */
    expect(slow, "last words");
    expect_end(slow);
    expect_end(slow_end);
    rig_wait_state(KEEPER_HOLD);
    cut = rig_say("status");
    g_assert_cmpuint(cut->cut, ==, 1);
    g_assert_cmpuint(cut->sessions, ==, 0);
    expect_silence(waiting);
    rig_order("open");
    serve_number(backend, 3);
    expect_number(waiting, 3);
    close(quick);
    close(slow);
    close(slow_end);
    close(waiting);
    close(backend);
}

static void drain_is_a_hold_as_soon_as_the_last_session_ended(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), client, end;
    g_autoptr(KeeperStatus) none = NULL;

    rig_start(rig, &(RigOptions){ .backend = name });
    client = numbered_client(rig, 1);
    end = backend_accept(backend);
    rig_order("drain " HOUR " " HOUR);
    rig_wait_state(KEEPER_DRAIN);
    expect(end, "0001");
    close(client);
    expect_end(end);
    close(end);
    rig_wait_state(KEEPER_HOLD);
    none = rig_say("drain " HOUR " " HOUR);
    g_assert_cmpint(none->state, ==, KEEPER_HOLD);
    close(backend);
}

static void cut_ends_sessions_and_leaves_the_port_open(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), clients[3], ends[3], next;
    g_autoptr(KeeperStatus) status = NULL;

    rig_start(rig, &(RigOptions){ .backend = name });
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++) {
        clients[i] = numbered_client(rig, i);
        ends[i] = backend_accept(backend);
        expect(ends[i], "000");
    }
    status = rig_say("cut");
    g_assert_cmpuint(status->cut, ==, G_N_ELEMENTS(clients));
    g_assert_cmpuint(status->sessions, ==, 0);
    g_assert_cmpint(status->state, ==, KEEPER_OPEN);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        expect_end(clients[i]);
    next = numbered_client(rig, 5);
    serve_number(backend, 5);
    expect_number(next, 5);
    close_all(clients, G_N_ELEMENTS(clients));
    close_all(ends, G_N_ELEMENTS(ends));
    close(next);
    close(backend);
}

/* The order and the words lie before the keeper at the same time, and it takes orders first. */
static void cut_gives_the_client_what_the_server_has_said(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), client, end, order;

    rig_start(rig, &(RigOptions){ .backend = name });
    client = numbered_client(rig, 1);
    end = backend_accept(backend);
    expect(end, "0001");
    rig_freeze(rig);
    put(client, "nobody hears this any more");
    put(end, "last words");
    g_assert_cmpint(order = keeper_connect("tt", NULL), >=, 0);
    put(order, "cut\n");
    rig_thaw(rig);
    expect(client, "last words");
    expect_end(client); /* and no reset, in spite of what was not read */
    close(order);
    close(client);
    close(end);
    close(backend);
}

/* Reads what is published until so many wait; nobody gives an order meanwhile. */
static void read_until_held(guint held, const char *backend)
{
    gint64 end = g_get_monotonic_time() + (gint64)WAIT_USEC;

    for (;;) {
        g_autoptr(KeeperStatus) status = keeper_status_read("tt");

        g_assert_nonnull(status);
        g_assert_cmpint(status->state, ==, KEEPER_HOLD);
        g_assert_cmpstr(status->backend, ==, backend);
        if (status->held == held)
            return;
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(10000);
    }
}

static void readers_see_what_is_published(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), clients[3];
    g_autoptr(KeeperStatus) stopped = NULL;

    rig_start(rig, &(RigOptions){ .backend = name });
    rig_order("hold " HOUR);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++) {
        clients[i] = rig_connect(rig);
        read_until_held(i + 1, name);
    }
    rig_stop(rig);
    stopped = keeper_status_read("tt");
    g_assert_null(stopped);
    close_all(clients, G_N_ELEMENTS(clients));
    close(backend);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add_func("/port/gate/" name, function)
    ADD("held-connects-wait-and-are-served-in-order", held_connects_wait_and_are_served_in_order);
    ADD("new-backend-serves-those-who-waited", new_backend_serves_those_who_waited);
    ADD("deadline-turns-to-refuse-until-open", deadline_turns_to_refuse_until_open);
    ADD("hold-while-held-renews-the-deadline", hold_while_held_renews_the_deadline);
    ADD("who-gave-up-is-dropped-without-a-session", who_gave_up_is_dropped_without_a_session);
    ADD("nobody-left-means-no-connection-left", nobody_left_means_no_connection_left);
    ADD("held-keeper-lets-the-backend-alone", held_keeper_lets_the_backend_alone);
    ADD("half-closed-while-held-is-still-answered", half_closed_while_held_is_still_answered);
    ADD("clients-wait-for-a-silent-backend", clients_wait_for_a_silent_backend);
    ADD("clients-of-a-silent-backend-go-to-another", clients_of_a_silent_backend_go_to_another);
    ADD("clients-of-a-silent-backend-go-to-another-at-once",
        clients_of_a_silent_backend_go_to_another_at_once);
    ADD("full-queue-of-a-backend-is-waited-out", full_queue_of_a_backend_is_waited_out);
    ADD("patience-with-a-full-queue-ends", patience_with_a_full_queue_ends);
    ADD("patience-with-a-silent-backend-ends", patience_with_a_silent_backend_ends);
    ADD("refuse-resets-who-waits-for-a-silent-backend",
        refuse_resets_who_waits_for_a_silent_backend);
    ADD("drain-lets-sessions-end-and-cuts-the-rest", drain_lets_sessions_end_and_cuts_the_rest);
    ADD("drain-is-a-hold-as-soon-as-the-last-session-ended",
        drain_is_a_hold_as_soon_as_the_last_session_ended);
    ADD("cut-ends-sessions-and-leaves-the-port-open", cut_ends_sessions_and_leaves_the_port_open);
    ADD("cut-gives-the-client-what-the-server-has-said",
        cut_gives_the_client_what_the_server_has_said);
    ADD("readers-see-what-is-published", readers_see_what_is_published);
    return g_test_run();
}
