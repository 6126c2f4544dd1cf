/* Takes transactions of one peer and applies each with its place in the peer's log in one
 * transaction here: what comes twice is known, what is confirmed is on the disk. Also hands out
 * whole copies for ttRepAdmin -duplicate.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "failure.h"
#include "fault.h"
#include "scheme.h"
#include "store.h"

#define LARGEST_RECORD (1LL << 30)

typedef struct {
    Agent *agent;
    Wire *wire;
    Session *session;
    sqlite3 *database;
    Peer *peer;
    char *log; /* numbering of the peer's log */
    char **tables;
    gint64 place; /* last one here */
    int file;     /* our log, to sync */
} Intake;

static void refuse(Intake *intake, int number, const char *text)
{
    g_autofree char *code = g_strdup_printf("%d", number);
    g_autofree char *line = message_line("ERR", "number", code, "text", text, NULL);

    instance_log(intake->agent->instance, "Warn", "replication: a peer is refused: %s", text);
    wire_send(intake->wire, line);
}

/* The first table of WANTED that is not among THERE as it is; NULL: none. */
static char *find_missing(char **wanted, char **there)
{
    for (guint i = 0; wanted[i]; i++) {
        if (!g_strv_contains((const char *const *)there, wanted[i]))
            return g_strdup_printf("table %.*s is not defined as at the peer",
                                   (int)strcspn(wanted[i], "="), wanted[i]);
    }
    return NULL;
}

/* Tables whose columns are not the same here and there, as words; NULL: none. One that the peer
 * sends and that is not replicated here counts too: its rows would be confirmed and lost. */
static char *find_difference(Intake *intake, const char *signatures)
{
    g_autofree char *own = agent_signatures(intake->database, intake->tables);
    g_auto(GStrv) mine = g_strsplit(own, ",", -1);
    g_auto(GStrv) theirs = g_strsplit(signatures ? signatures : "", ",", -1);
    char *why = find_missing(mine, theirs);

    return why ? why : find_missing(theirs, mine);
}

/* A store that is idle becomes the standby of an active one. */
static char *check_role(Intake *intake, const char *theirs)
{
    g_autofree char *role = store_get(intake->database, "pair");

    if (!role)
        return NULL;
    if (strcmp(role, "ACTIVE") == 0 || g_strcmp0(theirs, "ACTIVE") != 0)
        return g_strdup_printf("state %s does not take rows from state %s", role,
                               theirs ? theirs : "unknown");
    if (strcmp(role, "STANDBY") != 0)
        store_set(intake->database, "pair", "STANDBY", NULL);
    return NULL;
}

static char *find_objection(Intake *intake, const Message *hello)
{
    Agent *agent = intake->agent;
    g_autofree char *charset = store_get(intake->database, "charset");
    const char *from = message_get(hello, "from");
    const char *release = message_get(hello, "release");
    char *why;

    if (!from || !release || !message_get(hello, "log") ||
        g_ascii_strcasecmp(message_get(hello, "to") ? message_get(hello, "to") : "", agent->name))
        return g_strdup_printf("store %s is not here", message_get(hello, "to"));
    intake->peer = replica_peer(intake->database, from, message_get(hello, "fromhost"));
    if (!intake->peer || !intake->peer->receives)
        return g_strdup_printf("store %s on %s is no master of this store's replication scheme",
                               from, message_get(hello, "fromhost"));
    intake->tables = scheme_tables(intake->database, intake->peer->name, intake->peer->host,
                                   agent->name, agent->host);
    why = agent_refuse_peer(agent, intake->database, release,
                            (guint16)message_number(hello, "fromport"), intake->tables);
    if (why)
        return why;
    if (g_strcmp0(charset ? charset : "", message_get(hello, "charset")) != 0)
        return g_strdup_printf("database character sets differ: %s here, %s there",
                               charset ? charset : "none", message_get(hello, "charset"));
    if (intake->peer->stale)
        return g_strdup_printf("store %s was restored and its bookmark for %s not reset",
                               agent->name, from);
    why = find_difference(intake, message_get(hello, "tables"));
    return why ? why : check_role(intake, message_get(hello, "role"));
}

static gboolean welcome(Intake *intake, const Message *hello)
{
    g_autofree char *why = find_objection(intake, hello);
    g_autofree char *received = NULL;
    g_autofree char *line = NULL;

    if (why) {
        refuse(intake, TT_PEER, why);
        return FALSE;
    }
    intake->log = g_strdup(message_get(hello, "log"));
    if (g_strcmp0(intake->peer->log, intake->log) == 0)
        intake->place = intake->peer->received;
    received = g_strdup_printf("%" G_GINT64_FORMAT, intake->place);
    line = message_line("OK", "release", intake->agent->instance->release, "log", intake->log,
                        "received", received, NULL);
    return wire_send(intake->wire, line);
}

/* The place as it is in the store: another connection of the same peer may have been faster. */
static gint64 stored_place(Intake *intake)
{
    return query_number(intake->database,
                        "SELECT received FROM \"TT PEER\" WHERE name = %Q AND host = %Q AND log ="
                        " %Q",
                        intake->peer->name, intake->peer->host, intake->log);
}

static gboolean take(Intake *intake, gint64 place, void *changes, int size, GError **error)
{
    gboolean skip = fault_now(intake->agent->instance->home, "timestenrepd", "skip");
    gboolean applied = TRUE;

    if (!store_execute(intake->database, "BEGIN IMMEDIATE", error))
        return FALSE;
    if (place > stored_place(intake)) {
        GError *failure = NULL;

        if (!skip) {
            store_execute(intake->database, "SAVEPOINT changes", NULL);
            applied = apply_changes(intake->agent, intake->database, intake->tables, changes, size,
                                    &failure);
            store_execute(intake->database,
                          applied ? "RELEASE changes" : "ROLLBACK TO changes; RELEASE changes",
                          NULL);
        }
        if (failure) {
            store_execute(intake->database, "ROLLBACK", NULL);
            g_propagate_error(error, failure);
            return FALSE;
        }
        if (!replica_received(intake->database, intake->peer, intake->log, place, error)) {
            store_execute(intake->database, "ROLLBACK", NULL);
            return FALSE;
        }
    }
    intake->place = MAX(intake->place, place);
    return store_execute(intake->database, "COMMIT", error);
}

static gboolean take_record(Intake *intake, const Message *message)
{
    gint64 size = message_number(message, "size");
    g_autofree char *changes = size > 0 && size < LARGEST_RECORD ? g_malloc((gsize)size) : NULL;
    g_autoptr(GError) error = NULL;

    if (!changes || !wire_receive_bytes(intake->wire, changes, (gsize)size, AGENT_PATIENCE_MS))
        return FALSE;
    if (take(intake, message_number(message, "place"), changes, (int)size, &error))
        return TRUE;
    refuse(intake, failure_number(error), error->message);
    return FALSE;
}

static gboolean flush(Intake *intake)
{
    g_autofree char *line = g_strdup_printf("ACK place=%" G_GINT64_FORMAT, intake->place);

    fdatasync(intake->file);
    return wire_send(intake->wire, line);
}

static gboolean send_file(Wire *wire, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    g_autofree char *buffer = g_malloc(1 << 20);
    g_autofree char *line = NULL;
    struct stat status = { 0 };
    gboolean sent;

    if (fd < 0)
        return FALSE;
    fstat(fd, &status);
    line = g_strdup_printf("IMAGE size=%" G_GINT64_FORMAT, (gint64)status.st_size);
    sent = wire_send(wire, line);
    while (sent) {
        ssize_t n = read(fd, buffer, 1 << 20);

        if (n <= 0)
            break;
        sent = wire_send_bytes(wire, buffer, (gsize)n);
    }
    close(fd);
    return sent;
}

/* -setMasterRepStart: from now on the log is kept for the new store. */
static gboolean start_peer(Intake *intake, const Message *message, GError **error)
{
    g_autoptr(Peer) peer =
        replica_peer(intake->database, message_get(message, "to"), message_get(message, "tohost"));

    if (!peer || !peer->sends) {
        failure_set(error, TT_SCHEME, "Store %s on %s is not in the replication scheme",
                    message_get(message, "to"), message_get(message, "tohost"));
        return FALSE;
    }
    if (store_execute(intake->database, "BEGIN IMMEDIATE", error) &&
        execute(intake->database, error,
                "UPDATE \"TT PEER\" SET state = 0, acted = 0, bookmark = %lld WHERE name = %Q AND"
                " host = %Q",
                (long long)replica_end(intake->database), peer->name, peer->host) &&
        store_execute(intake->database, "COMMIT", error))
        return TRUE;
    store_execute(intake->database, "ROLLBACK", NULL);
    return FALSE;
}

static void duplicate(Intake *intake, const Message *message)
{
    static int number;
    const Instance *instance = intake->agent->instance;
    const char *release = message_get(message, "release");
    g_autofree char *path =
        g_strdup_printf("%s.dup%d", intake->agent->path, g_atomic_int_add(&number, 1));
    g_autoptr(GError) error = NULL;
    Version version;

    if (!release || !version_parse(release, &version) ||
        version_compare_major(&version, &instance->version) != 0) {
        refuse(intake, TT_OTHER_RELEASE,
               "only a store of the same major release can be duplicated");
        return;
    }
    unlink(path);
    if ((message_number(message, "setstart") && !start_peer(intake, message, &error)) ||
        !execute(intake->database, &error, "VACUUM INTO %Q", path)) {
        refuse(intake, failure_number(error), error->message);
    } else {
        instance_log(instance, "Info", "duplicate for %s: %s", message_get(message, "to"),
                     send_file(intake->wire, path) ? "sent" : "broken off");
    }
    unlink(path);
}

static gboolean handle(Intake *intake, const char *line)
{
    g_autoptr(Message) message = message_parse(line);

    if (!intake->peer) {
        if (strcmp(message->verb, "HELLO") == 0)
            return welcome(intake, message);
        if (strcmp(message->verb, "DUPLICATE") == 0)
            duplicate(intake, message);
        return FALSE;
    }
    if (strcmp(message->verb, "TXN") == 0)
        return take_record(intake, message);
    if (strcmp(message->verb, "FLUSH") == 0)
        return flush(intake);
    return strcmp(message->verb, "PING") == 0 && wire_send(intake->wire, "PONG");
}

gpointer receiver_run(gpointer data)
{
    g_autofree Receiver *receiver = data;
    Intake intake = { .agent = receiver->agent, .wire = receiver->wire };
    g_autoptr(GError) error = NULL;

    intake.session = agent_connect(receiver->agent, "RECEIVER", &error);
    if (!intake.session)
        instance_log(receiver->agent->instance, "Err", "replication: %s", error->message);
    intake.database = intake.session ? session_database(intake.session) : NULL;
    intake.file = store_open_log(receiver->agent->path);
    while (intake.session && !agent_is_stopping(receiver->agent)) {
        g_autofree char *line = NULL;

        if (!wire_pending(intake.wire, 100))
            continue;
        line = wire_receive(intake.wire, AGENT_PATIENCE_MS);
        if (!line || !handle(&intake, line))
            break;
    }
    close(intake.file);
    wire_free(intake.wire);
    session_close(intake.session);
    peer_free(intake.peer);
    g_strfreev(intake.tables);
    g_free(intake.log);
    return NULL;
}
