/* Sends the log to one peer, transaction by transaction, and keeps the bookmark of what has
 * arrived. It sends nothing that is not on the disk here, and calls nothing arrived that is not on
 * the disk there: so no power cut on either side makes the numbering lie.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "failure.h"
#include "fault.h"
#include "link.h"
#include "scheme.h"
#include "store.h"

#define BATCH_RECORDS 128
#define BATCH_BYTES   (4 << 20)
#define PONG_MS       10000
#define IDLE_MS       3000 /* a silent peer is asked whether it is there */

typedef struct {
    Transmitter *self;
    Session *session;
    sqlite3 *database;
    Wire *wire;
    gint64 sent; /* place in the log */
    gint64 idle_since;
    int log;    /* to sync */
    char *said; /* last trouble */
} Work;

static void say(Work *work, const char *text)
{
    if (g_strcmp0(work->said, text) == 0)
        return;
    instance_log(work->self->agent->instance, "Err", "replication to %s on %s: %s",
                 work->self->name, work->self->host, text);
    g_free(work->said);
    work->said = g_strdup(text);
}

static gboolean hang_up(Work *work, const char *why)
{
    if (why)
        say(work, why);
    g_clear_pointer(&work->wire, wire_free);
    return FALSE;
}

static void nap(Work *work, double seconds)
{
    gint64 end = g_get_monotonic_time() + (gint64)(seconds * G_USEC_PER_SEC);

    while (!agent_is_stopping(work->self->agent) && g_get_monotonic_time() < end)
        g_usleep((gulong)MIN(end - g_get_monotonic_time() + 1, 50000));
}

/* With a dynamic port the peer's main daemon knows it, if it listens where ours does. */
static guint16 find_port(Work *work, const Peer *peer)
{
    const Instance *instance = work->self->agent->instance;
    g_autoptr(Wire) link = NULL;
    g_autofree char *line = message_line("repport", "name", peer->name, NULL);
    g_autofree char *reply = NULL;
    g_autoptr(Message) message = NULL;

    if (peer->port != 0)
        return peer->port;
    link = wire_connect(peer->host, instance->daemon_port, 10000, NULL);
    if (link && wire_send(link, line))
        reply = wire_receive(link, 10000);
    message = reply ? message_parse(reply) : NULL;
    if (message && strcmp(message->verb, "ok") == 0)
        return (guint16)message_number(message, "port");
    return 0;
}

static char *hello_line(Work *work, const Peer *peer, char **tables)
{
    const Agent *agent = work->self->agent;
    g_autofree char *log = replica_log_id(work->database);
    g_autofree char *charset = store_get(work->database, "charset");
    g_autofree char *role = store_get(work->database, "pair");
    g_autofree char *signatures = agent_signatures(work->database, tables);
    g_autofree char *port = g_strdup_printf("%u", agent->static_port);

    return message_line("HELLO", "release", agent->instance->release, "from", agent->name,
                        "fromhost", agent->host, "fromport", port, "to", peer->name, "tohost",
                        peer->host, "log", log, "charset", charset ? charset : "", "role",
                        role ? role : "", "tables", signatures, NULL);
}

static gboolean greet(Work *work, const Peer *peer)
{
    Agent *agent = work->self->agent;
    g_auto(GStrv) tables =
        scheme_tables(work->database, agent->name, agent->host, peer->name, peer->host);
    g_autofree char *line = hello_line(work, peer, tables);
    g_autofree char *log = replica_log_id(work->database);
    g_autofree char *reply = wire_send(work->wire, line) ? wire_receive(work->wire, 10000) : NULL;
    g_autoptr(Message) message = reply ? message_parse(reply) : NULL;
    g_autofree char *why = NULL;

    if (!message)
        return hang_up(work, "the peer's agent does not answer");
    if (strcmp(message->verb, "OK") != 0)
        return hang_up(work, message_get(message, "text") ? message_get(message, "text") : reply);
    why = agent_refuse_peer(agent, work->database, message_get(message, "release"), peer->port,
                            tables);
    if (why)
        return hang_up(work, why);
    work->sent = peer->bookmark;
    if (g_strcmp0(message_get(message, "log"), log) == 0)
        work->sent = MAX(work->sent, message_number(message, "received"));
    instance_log(agent->instance, "Info",
                 "replication to %s on %s goes on behind %" G_GINT64_FORMAT, peer->name, peer->host,
                 work->sent);
    g_clear_pointer(&work->said, g_free);
    work->idle_since = g_get_monotonic_time();
    return TRUE;
}

static gboolean connect_peer(Work *work, const Peer *peer)
{
    guint16 port = find_port(work, peer);
    int error = 0;

    if (port == 0)
        return hang_up(work, "cannot learn the port of its agent from the main daemon there (it "
                             "must listen on the same port as ours, or the agents need static "
                             "ports)");
    work->wire = wire_connect(peer->host, port, 10000, &error);
    if (!work->wire) {
        g_autofree char *why =
            g_strdup_printf("cannot connect to port %u: %s", port, g_strerror(error));

        return hang_up(work, why);
    }
    agent_set_link(work->self->agent, work->wire->fd);
    return greet(work, peer);
}

static gboolean transact(Work *work, gboolean (*change)(Work *, gint64, GError **), gint64 place)
{
    g_autoptr(GError) error = NULL;

    if (store_execute(work->database, "BEGIN IMMEDIATE", &error) && change(work, place, &error) &&
        store_execute(work->database, "COMMIT", &error))
        return TRUE;
    store_execute(work->database, "ROLLBACK", NULL);
    say(work, error ? error->message : "the store does not answer");
    return FALSE;
}

static gboolean settle(Work *work, gint64 place, GError **error)
{
    return replica_settle(work->database, session_state_delay(work->session), error);
}

static gboolean confirm(Work *work, gint64 place, GError **error)
{
    const Peer peer = { .name = work->self->name, .host = work->self->host };

    return replica_confirm(work->database, &peer, place, error);
}

/* The answer may take as long as the peer needs for its part of the work. */
static gboolean take_answer(Work *work, const char *verb, gint64 patience_ms, gint64 *ret_place)
{
    gint64 limit = g_get_monotonic_time() + patience_ms * 1000;
    g_autofree char *line = NULL;
    g_autoptr(Message) message = NULL;

    while (!wire_pending(work->wire, 100)) {
        if (agent_is_stopping(work->self->agent))
            return hang_up(work, NULL);
        if (g_get_monotonic_time() > limit)
            return hang_up(work, "the peer's agent does not answer");
    }
    line = wire_receive(work->wire, 10000);
    message = line ? message_parse(line) : NULL;
    if (message && strcmp(message->verb, verb) == 0) {
        if (ret_place)
            *ret_place = message_number(message, "place");
        return TRUE;
    }
    return hang_up(work,
                   !line ? "the connection ended"
                         : (message_get(message, "text") ? message_get(message, "text") : line));
}

static gboolean send_record(Work *work, gint64 place, const void *changes, int size)
{
    g_autofree char *line = g_strdup_printf("TXN place=%" G_GINT64_FORMAT " size=%d", place, size);

    return wire_send(work->wire, line) && wire_send_bytes(work->wire, changes, (gsize)size);
}

/* As much of the log as makes a good portion. FALSE: nothing was there, or the link broke. */
static gboolean send_batch(Work *work)
{
    sqlite3_stmt *row = NULL;
    gint64 place = work->sent;
    gsize bytes = 0;
    gboolean sent = TRUE;

    sqlite3_prepare_v2(work->database,
                       "SELECT place, changes FROM \"TT LOG\" WHERE place > ? ORDER BY place", -1,
                       &row, NULL);
    sqlite3_bind_int64(row, 1, work->sent);
    for (guint i = 0; sent && i < BATCH_RECORDS && bytes < BATCH_BYTES; i++) {
        if (sqlite3_step(row) != SQLITE_ROW)
            break;
        if (i == 0)
            fdatasync(work->log);
        place = sqlite3_column_int64(row, 0);
        bytes += (gsize)sqlite3_column_bytes(row, 1);
        sent = send_record(work, place, sqlite3_column_blob(row, 1), sqlite3_column_bytes(row, 1));
    }
    sqlite3_finalize(row);
    if (sent && place == work->sent)
        return FALSE;
    if (!sent || !wire_send(work->wire, "FLUSH"))
        return hang_up(work, "the connection ended");
    if (!take_answer(work, "ACK", AGENT_PATIENCE_MS, &place))
        return FALSE;
    if (fault_now(work->self->agent->instance->home, "timestenrepd", "lose-ack"))
        raise(SIGKILL);
    if (!transact(work, confirm, place))
        return FALSE;
    work->sent = MAX(work->sent, place);
    work->idle_since = g_get_monotonic_time();
    return TRUE;
}

static gboolean is_there(Work *work)
{
    if (wire_gone(work->wire))
        return hang_up(work, "the connection ended");
    if (g_get_monotonic_time() - work->idle_since < IDLE_MS * 1000LL)
        return TRUE;
    work->idle_since = g_get_monotonic_time();
    return wire_send(work->wire, "PING") ? take_answer(work, "PONG", PONG_MS, NULL)
                                         : hang_up(work, "the connection ended");
}

static gboolean may_send(Work *work, const Peer *peer)
{
    g_autofree char *role = store_get(work->database, "pair");

    return peer->acted == PEER_START && !peer->stale && (!role || strcmp(role, "ACTIVE") == 0) &&
           !fault_now(work->self->agent->instance->home, "timestenrepd", "stall");
}

/* One look at the log. TRUE: there may be more at once. */
static gboolean go_on(Work *work)
{
    const char *home = work->self->agent->instance->home;
    g_autoptr(Peer) peer = replica_peer(work->database, work->self->name, work->self->host);

    if (!peer)
        return FALSE;
    if (peer->state != peer->acted &&
        g_get_real_time() - peer->changed >= session_state_delay(work->session)) {
        transact(work, settle, 0);
        return TRUE;
    }
    if (!may_send(work, peer)) {
        if (work->wire)
            hang_up(work, NULL);
        return FALSE;
    }
    if (!work->wire && !connect_peer(work, peer)) {
        nap(work, tune_get(home, "replication-retry-seconds", 1));
        return FALSE;
    }
    if (send_batch(work))
        return TRUE;
    return work->wire && !is_there(work);
}

gpointer transmitter_run(gpointer data)
{
    Transmitter *self = data;
    Agent *agent = self->agent;
    g_autoptr(GError) error = NULL;
    Work work = { .self = self, .session = agent_connect(agent, "TRANSMITTER", &error) };

    if (!work.session) {
        instance_log(agent->instance, "Err", "replication to %s: %s", self->name, error->message);
        g_atomic_int_dec_and_test(&agent->transmitters);
        return NULL;
    }
    work.database = session_database(work.session);
    work.log = store_open_log(agent->path);
    while (!agent_is_stopping(agent)) {
        if (!go_on(&work))
            nap(&work, tune_get(agent->instance->home, "replication-poll-seconds", 0.02));
    }
    g_clear_pointer(&work.wire, wire_free);
    close(work.log);
    session_close(work.session);
    g_free(work.said);
    g_atomic_int_dec_and_test(&agent->transmitters);
    return NULL;
}
