#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* One session, both ends in hand. */
typedef struct {
    Rig *rig;
    char *name;
    int backend, client, end;
} Session;

static void session_open(Session *session, guint descriptors)
{
    session->rig = rig_new();
    session->backend = backend_new(&session->name);
    rig_start(session->rig, &(RigOptions){ .backend = session->name, .descriptors = descriptors });
    session->client = rig_connect(session->rig);
    put(session->client, "hello");
    session->end = backend_accept(session->backend);
    expect(session->end, "hello");
}

static void session_close(Session *session)
{
    close(session->client);
    close(session->end);
    rig_wait_sessions(0); /* whatever happened: no session may stay behind */
    rig_free(session->rig);
    close(session->backend);
    g_free(session->name);
}

static void half_close_is_passed_on_by_client(void)
{
    Session session;

    session_open(&session, 0);
    put(session.client, "question");
    shutdown(session.client, SHUT_WR);
    expect(session.end, "question");
    expect_end(session.end);
    put(session.end, "answer");
    expect(session.client, "answer");
    rig_wait_sessions(1);
    close(session.end);
    session.end = -1;
    expect_end(session.client);
    session_close(&session);
}

static void half_close_is_passed_on_by_server(void)
{
    Session session;

    session_open(&session, 0);
    shutdown(session.end, SHUT_WR);
    expect_end(session.client);
    put(session.client, "more");
    expect(session.end, "more");
    rig_wait_sessions(1);
    session_close(&session);
}

static void reset_is_passed_on_by_client(void)
{
    Session session;

    session_open(&session, 0);
    close_hard(session.client);
    expect_reset(session.end);
    session.client = -1;
    session_close(&session);
}

static void reset_is_passed_on_by_server(void)
{
    Session session;

    session_open(&session, 0);
    put(session.end, "last words");
    close_hard(session.end);
    expect(session.client, "last words");
    expect_reset(session.client);
    session.end = -1;
    session_close(&session);
}

/* The relay learns of it by writing, before it reads. */
static void reset_met_while_writing_is_passed_on(void)
{
    Session session;

    session_open(&session, 0);
    rig_freeze(session.rig);
    put(session.client, "too late");
    put(session.end, "last words");
    close_hard(session.end);
    session.end = -1;
    rig_thaw(session.rig);
    expect(session.client, "last words");
    expect_reset(session.client);
    session_close(&session);
}

static void reset_after_half_close_is_passed_on(void)
{
    Session session;
    struct pollfd poll_fd = { .events = 0 };

    session_open(&session, 0);
    poll_fd.fd = session.end;
    shutdown(session.client, SHUT_WR);
    expect_end(session.end);
    close_hard(session.client);
    session.client = -1;
    /* After an end of stream, recv() goes on telling just that; poll() tells of the reset. */
    g_assert_cmpint(poll(&poll_fd, 1, (int)(WAIT_USEC / 1000)), ==, 1);
    g_assert_cmpint(poll_fd.revents & POLLERR, !=, 0);
    session_close(&session);
}

/* A stream whose every byte tells its place. */
typedef struct {
    int fd;
    guint32 seed;
    gsize length;
    guint pause_usec; /* before each read, the first few times */
    gboolean good;
} Stream;

static void fill(guint8 *block, gsize length, guint32 *state)
{
    for (gsize i = 0; i < length; i++) {
        *state = *state * 1664525 + 1013904223;
        block[i] = *state >> 24;
    }
}

static gpointer write_stream(gpointer data)
{
    Stream *stream = data;
    guint8 block[50000];
    guint32 state = stream->seed;
    gsize left = stream->length;

    while (left > 0) {
        gsize part = MIN(left, sizeof block);

        fill(block, part, &state);
        for (gsize sent = 0; sent < part;) {
            ssize_t count = send(stream->fd, block + sent, part - sent, MSG_NOSIGNAL);

            if (count <= 0)
                return NULL;
            sent += count;
        }
        left -= part;
    }
    shutdown(stream->fd, SHUT_WR);
    stream->good = TRUE;
    return NULL;
}

static gpointer read_stream(gpointer data)
{
    Stream *stream = data;
    guint8 got[30000], wanted[30000];
    guint32 state = stream->seed;
    gsize total = 0;
    ssize_t count;
    guint pauses = 50;

    while ((count = recv(stream->fd, got, sizeof got, 0)) > 0) {
        fill(wanted, count, &state);
        if (memcmp(got, wanted, count) != 0)
            return NULL;
        total += count;
        if (stream->pause_usec > 0 && pauses > 0) {
            g_usleep(stream->pause_usec);
            pauses--;
        }
    }
    stream->good = count == 0 && total == stream->length;
    return NULL;
}

static void transfer_both_ways(guint descriptors, gsize length, guint pause_usec)
{
    Session session;
    GThread *threads[4];

    session_open(&session, descriptors);
    {
        Stream streams[4] = {
            { .fd = session.client, .seed = 1, .length = length },
            { .fd = session.end, .seed = 1, .length = length, .pause_usec = pause_usec },
            { .fd = session.end, .seed = 2, .length = length },
            { .fd = session.client, .seed = 2, .length = length, .pause_usec = pause_usec },
        };

        for (guint i = 0; i < 4; i++)
            threads[i] =
                g_thread_new("stream", i % 2 == 0 ? write_stream : read_stream, &streams[i]);
        for (guint i = 0; i < 4; i++)
            g_thread_join(threads[i]);
        for (guint i = 0; i < 4; i++)
            g_assert_true(streams[i].good);
    }
    session_close(&session);
}

static void large_transfers_are_exact(void)
{
    transfer_both_ways(0, 48 * 1024 * 1024, 0);
}

static void slow_readers_get_every_byte(void)
{
    transfer_both_ways(0, 16 * 1024 * 1024 + 12345, 5000);
}

/* So few descriptors that there is one session, and no pipe for what its readers do not take. */
static void no_byte_is_lost_without_pipes(void)
{
    transfer_both_ways(32, 8 * 1024 * 1024 + 1, 5000);
}

static void a_stalled_session_does_not_stop_others(void)
{
    Session session;
    static char block[65536];
    int other, other_end;

    session_open(&session, 0);
    while (send(session.client, block, sizeof block, MSG_DONTWAIT) > 0)
        ; /* nobody reads at the other end */
    g_usleep(50000);
    while (send(session.client, block, sizeof block, MSG_DONTWAIT) > 0)
        ;
    other = rig_connect(session.rig);
    put(other, "quick");
    other_end = backend_accept(session.backend);
    expect(other_end, "quick");
    put(other_end, "answer");
    expect(other, "answer");
    close(other);
    close(other_end);
    close_hard(session.end); /* the end of a session with bytes under way */
    session.end = -1;
    session_close(&session);
}

static void talk(int *clients, guint n_clients, guint round)
{
    for (guint i = 0; i < n_clients; i++) {
        g_autofree char *text = g_strdup_printf("client %u says %u", i, round);

        put(clients[i], text);
    }
    for (guint i = 0; i < n_clients; i++) {
        g_autofree char *text = g_strdup_printf("client %u says %u", i, round);

        expect(clients[i], text);
    }
}

static void two_hundred_sessions_do_not_mix(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), clients[200];
    GThread *echoing = backend_echo(backend);
    g_autoptr(KeeperStatus) status = NULL;

    rig_start(rig, &(RigOptions){ .backend = name });
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        clients[i] = rig_connect(rig);
    for (guint round = 0; round < 20; round++)
        talk(clients, G_N_ELEMENTS(clients), round);
    status = rig_say("status");
    g_assert_cmpuint(status->sessions, ==, G_N_ELEMENTS(clients));
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        close(clients[i]);
    rig_wait_sessions(0);
    backend_end(backend, echoing);
}

static void short_of_descriptors_clients_wait_their_turn(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), clients[60];
    GThread *echoing = backend_echo(backend);
    g_autoptr(KeeperStatus) full = NULL;
    g_autoptr(KeeperStatus) end = NULL;
    gint64 limit = g_get_monotonic_time() + (gint64)WAIT_USEC;
    guint64 used;

    rig_start(rig, &(RigOptions){ .backend = name, .descriptors = 64 });
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        clients[i] = rig_connect(rig);
    talk(clients, 10, 0);
    do { /* orders are taken even now */
        g_assert_cmpint(g_get_monotonic_time(), <, limit);
        g_clear_pointer(&full, keeper_status_free);
        full = rig_say("status");
    } while (full->sessions + full->held < G_N_ELEMENTS(clients));
    g_assert_cmpuint(full->sessions, >=, 10);
    g_assert_cmpuint(full->sessions, <, 32);
    used = rig_keeper_time(rig);
    g_usleep(500000);
    g_assert_cmpuint(rig_keeper_time(rig) - used, <, 250000); /* it sleeps meanwhile */
    rig_order("hold " HOUR);
    rig_order("open");

    for (guint i = 0; i < G_N_ELEMENTS(clients); i++) {
        talk(&clients[i], 1, 1);
        close(clients[i]);
    }
    rig_wait_sessions(0);
    end = rig_say("status");
    g_assert_cmpuint(end->accepted, ==, G_N_ELEMENTS(clients));
    g_assert_cmpuint(end->refused, ==, 0);
    backend_end(backend, echoing);
}

/* Not even one: neither clients nor orders can be accepted, until there are some again. */
static void without_descriptors_it_sleeps_and_recovers(void)
{
    Session session;
    struct rlimit before, none;
    int client, end;
    guint64 used;

    session_open(&session, 0);
    g_assert_cmpint(prlimit(session.rig->keeper, RLIMIT_NOFILE, NULL, &before), ==, 0);
    none = before;
    none.rlim_cur = 3;
    g_assert_cmpint(prlimit(session.rig->keeper, RLIMIT_NOFILE, &none, NULL), ==, 0);
    client = rig_connect(session.rig);
    put(client, "patience");
    used = rig_keeper_time(session.rig);
    g_usleep(500000);
    g_assert_cmpuint(rig_keeper_time(session.rig) - used, <, 250000);
    expect_silence(client);
    put(session.client, "still here"); /* a running session needs none */
    expect(session.end, "still here");
    g_assert_cmpint(prlimit(session.rig->keeper, RLIMIT_NOFILE, &before, NULL), ==, 0);
    end = backend_accept(session.backend);
    expect(end, "patience");
    close(client);
    close(end);
    session_close(&session);
}

/* The socket inherits it from the listening one, unless it was there before the keeper. */
static void clients_who_vanish_are_found_some_day(void)
{
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL, *command = NULL, *out = NULL;
    int backend = backend_new(&name), early = rig_connect(rig), late;
    const char *at;
    guint count = 0;

    rig_start(rig, &(RigOptions){ .backend = name });
    late = rig_connect(rig);
    rig_wait_sessions(2);
    command =
        g_strdup_printf("ss -Htno state established sport = :%u", ntohs(rig->address.sin_port));
    g_assert_true(g_spawn_command_line_sync(command, &out, NULL, NULL, NULL));
    for (at = out; (at = strstr(at, "keepalive")); at++)
        count++;
    g_assert_cmpuint(count, ==, 2);
    close(early);
    close(late);
    close(backend);
}

/* By hand from the protocol's text: what stands between the signature and the client's words. */
static void the_server_learns_who_its_client_is(void)
{
    static const guint8 begin[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51,
                                    0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0x00, 0x0c,
                                    127,  0,    0,    1,    127,  0,    0,    1 };
    g_autoptr(Rig) rig = rig_new();
    g_autofree char *name = NULL;
    int backend = backend_new(&name), client, end;
    struct sockaddr_in own;
    socklen_t length = sizeof own;
    guint8 header[28];

    rig_start(rig, &(RigOptions){ .backend = name, .proxy = TRUE });
    client = rig_connect(rig);
    g_assert_cmpint(getsockname(client, (struct sockaddr *)&own, &length), ==, 0);
    put(client, "hello");
    end = backend_accept(backend);
    g_assert_cmpint(recv(end, header, sizeof header, MSG_WAITALL), ==, sizeof header);
    g_assert_cmpmem(header, sizeof begin, begin, sizeof begin);
    g_assert_cmpmem(header + 24, 2, &own.sin_port, 2);
    g_assert_cmpmem(header + 26, 2, &rig->address.sin_port, 2);
    expect(end, "hello");
    put(end, "answer");
    expect(client, "answer");
    close(client);
    close(end);
    close(backend);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add_func("/port/relay/" name, function)
    ADD("half-close-is-passed-on-by-client", half_close_is_passed_on_by_client);
    ADD("half-close-is-passed-on-by-server", half_close_is_passed_on_by_server);
    ADD("reset-is-passed-on-by-client", reset_is_passed_on_by_client);
    ADD("reset-is-passed-on-by-server", reset_is_passed_on_by_server);
    ADD("reset-met-while-writing-is-passed-on", reset_met_while_writing_is_passed_on);
    ADD("reset-after-half-close-is-passed-on", reset_after_half_close_is_passed_on);
    ADD("large-transfers-are-exact", large_transfers_are_exact);
    ADD("slow-readers-get-every-byte", slow_readers_get_every_byte);
    ADD("no-byte-is-lost-without-pipes", no_byte_is_lost_without_pipes);
    ADD("a-stalled-session-does-not-stop-others", a_stalled_session_does_not_stop_others);
    ADD("two-hundred-sessions-do-not-mix", two_hundred_sessions_do_not_mix);
    ADD("short-of-descriptors-clients-wait-their-turn",
        short_of_descriptors_clients_wait_their_turn);
    ADD("without-descriptors-it-sleeps-and-recovers", without_descriptors_it_sleeps_and_recovers);
    ADD("clients-who-vanish-are-found-some-day", clients_who_vanish_are_found_some_day);
    ADD("the-server-learns-who-its-client-is", the_server_learns_who_its_client_is);
    return g_test_run();
}
