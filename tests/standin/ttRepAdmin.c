/* ttRepAdmin: shows the replication of a data store, sets states of its receivers, waits for them,
 * and duplicates a store. Peers that HOME/.standin/peers declares ("DSN PEER HOST PORT STATE" per
 * line) are listed like real ones, so that "this database is replicated" can be tested alone.
 */
#include "commands.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "arguments.h"
#include "builtins.h"
#include "duplicate.h"
#include "failure.h"
#include "fault.h"
#include "link.h"
#include "scheme.h"

#define DATABASE "{-connStr <connection_string> | [-dsn] <DSN>}"

static const char usage[] =
    "Usage:\n"
    "  ttRepAdmin " DATABASE " -self -list\n"
    "  ttRepAdmin " DATABASE " -receiver [-name <name>] [-host <host>] {-list | -state "
    "start|pause|stop|failed | -reset}\n"
    "  ttRepAdmin " DATABASE " -showconfig | -showstatus | -bookmark | -log\n"
    "  ttRepAdmin " DATABASE " -wait [-name <name>] [-host <host>] [-timeout <seconds>]\n"
    "  ttRepAdmin -duplicate -from <name> -host <host> [-localhost <host>] [-remoteDaemonPort "
    "<n>]\n"
    "             [-setMasterRepStart] [-ramLoad] [-delXla] [-UID <u> -PWD <p>]\n"
    "             " DATABASE "\n"
    "  ttRepAdmin {-h | -help | -?} | {-V | -version}\n";

static const Option options[] = {
    { "-receiver", 0 },
    { "-self", 0 },
    { "-list", 0 },
    { "-name", 1 },
    { "-host", 1 },
    { "-state", 1 },
    { "-reset", 0 },
    { "-wait", 0 },
    { "-timeout", 1 },
    { "-showconfig", 0 },
    { "-showstatus", 0 },
    { "-bookmark", 0 },
    { "-log", 0 },
    { "-duplicate", 0 },
    { "-from", 1 },
    { "-localhost", 1 },
    { "-remoteDaemonPort", 1 },
    { "-setMasterRepStart", 0 },
    { "-ramLoad", 0 },
    { "-delXla", 0 },
    { "-UID", 1 },
    { "-PWD", 1 },
    { "-verbosity", 1, .since = FAMILY_1121 },
    { "-keepCG", 0, .since = FAMILY_1121 },
    { "-connStr", 1 },
    { "-dsn", 1 },
    { NULL },
};

typedef struct {
    const Arguments *arguments;
    const Target *target;
    Session *session;
    sqlite3 *database;
    GPtrArray *peers;    /* Peer */
    GPtrArray *declared; /* char ** of five words */
} Work;

static GPtrArray *read_declared(const Arguments *arguments, const Target *target)
{
    GPtrArray *peers = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    const char *name = arguments_value(arguments, "-name");
    g_autofree char *path = g_build_filename(arguments->instance->home, ".standin", "peers", NULL);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return peers;
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        char **words = g_strsplit(g_strstrip(lines[i]), " ", 5);

        if (g_strv_length(words) == 5 && g_ascii_strcasecmp(words[0], target->dsn) == 0 &&
            (!name || g_ascii_strcasecmp(words[1], name) == 0))
            g_ptr_array_add(peers, words);
        else
            g_strfreev(words);
    }
    return peers;
}

static gboolean is_asked_for(const Work *work, const Peer *peer)
{
    return peer->sends && peer_matches(peer, arguments_value(work->arguments, "-name"),
                                       arguments_value(work->arguments, "-host"));
}

static char *port_word(guint16 port, const char *automatic)
{
    return port ? g_strdup_printf("%u", port) : g_strdup(automatic);
}

static void print_peer(const char *name, const char *host, const char *port, const char *state)
{
    printf("%-16s %-24s %6s %-7s %5u\n", name, host, port, state, 10);
}

/* How long ago; "-" where never. */
static char *ago(gint64 when)
{
    gint64 seconds = (g_get_real_time() - when) / G_USEC_PER_SEC;

    if (when == 0)
        return g_strdup("-");
    return g_strdup_printf("%02d:%02d:%02d", (int)(seconds / 3600), (int)(seconds / 60 % 60),
                           (int)(seconds % 60));
}

static void print_traffic(const Work *work, const Peer *peer)
{
    gboolean held = peer->acted == PEER_START || peer->acted == PEER_PAUSE;
    g_autofree char *sent = ago(peer->sent_at);
    g_autofree char *received = ago(peer->received_at);

    printf("%-13s %-13s %7d %7d %9d %4d\n", sent, received, -1, -1, -1,
           held ? (int)replica_files_since(work->database, peer->bookmark) : 0);
}

static int list_receivers(const Work *work)
{
    puts("Peer name        Host name                 Port   State  Proto\n"
         "---------------- ------------------------ ------ ------- -----");
    for (guint i = 0; i < work->peers->len; i++) {
        const Peer *peer = work->peers->pdata[i];
        g_autofree char *port = port_word(peer->port, "Auto");
        g_autofree char *state = g_strdup(peer_state_word(peer->state));

        state[0] = g_ascii_toupper(state[0]);
        if (is_asked_for(work, peer))
            print_peer(peer->name, peer->host, port, state);
    }
    for (guint i = 0; i < work->declared->len; i++) {
        char **peer = work->declared->pdata[i];

        print_peer(peer[1], peer[2], peer[3], peer[4]);
    }
    puts("\nLast Msg Sent Last Msg Recv Latency TPS     RecordsPS Logs\n"
         "------------- ------------- ------- ------- --------- ----");
    for (guint i = 0; i < work->peers->len; i++) {
        if (is_asked_for(work, work->peers->pdata[i]))
            print_traffic(work, work->peers->pdata[i]);
    }
    for (guint i = 0; i < work->declared->len; i++)
        puts("00:00:01      -                  -1      -1        -1    1");
    return 0;
}

static int list_self(const Work *work)
{
    g_autofree char *name = NULL;
    g_autofree char *host = NULL;
    g_autofree char *place = replica_place(work->database, replica_end(work->database), '/');
    g_autofree char *port = NULL;

    if (!replica_exists(work->database) || !scheme_self(work->database, &name, &host)) {
        puts(
            "Self host \"localhost\", port auto, name \"self\", LSN 0/0, timeout 120, threshold 0");
        return 0;
    }
    port = port_word(
        (guint16)query_number(work->database, "SELECT port FROM \"TT STORE\" WHERE self"), "auto");
    printf("Self host \"%s\", port %s, name \"%s\", LSN %s, timeout %d, threshold %d\n", host, port,
           name, place,
           (int)query_number(work->database, "SELECT timeout FROM \"TT STORE\" WHERE self"),
           (int)query_number(work->database, "SELECT threshold FROM \"TT STORE\" WHERE self"));
    return 0;
}

static void show_tables(const Work *work)
{
    g_autofree char *last = NULL;
    sqlite3_stmt *row = NULL;

    puts("\nList of tables and subscriptions\n--------------------------------\n\n"
         "Table details\n-------------");
    sqlite3_prepare_v2(work->database,
                       "SELECT tbl, stamp, master, sub FROM \"TT ELEMENT\" ORDER BY tbl, rowid", -1,
                       &row, NULL);
    while (row && sqlite3_step(row) == SQLITE_ROW) {
        const char *table = (const char *)sqlite3_column_text(row, 0);
        const char *stamp = (const char *)sqlite3_column_text(row, 1);

        if (g_strcmp0(table, last) != 0) {
            printf("\nTable : %s Timestamp updates : %s\n\n", table, stamp ? stamp : "-");
            puts("Master Name            Subscriber Name\n-----------            ---------------");
            g_free(last);
            last = g_strdup(table);
        }
        printf("%-22s %s\n", (const char *)sqlite3_column_text(row, 2),
               (const char *)sqlite3_column_text(row, 3));
    }
    sqlite3_finalize(row);
}

static int show_configuration(const Work *work)
{
    if (!replica_exists(work->database) && work->declared->len == 0) {
        puts("No replication scheme is defined.");
        return 0;
    }
    list_self(work);
    puts("\nList of subscribers\n-------------------\n");
    list_receivers(work);
    show_tables(work);
    return 0;
}

/* What the main daemon says of the agent. */
static Message *ask_agent(const Work *work)
{
    g_autofree char *self = g_strdup(work->target->data_store);
    g_autoptr(Wire) link = link_open(work->arguments->instance, NULL, NULL);
    Message *found = NULL;
    char *line;

    if (!link || !wire_send(link, "status"))
        return NULL;
    while ((line = wire_receive(link, 10000)) && strcmp(line, "end") != 0) {
        Message *message = message_parse(line);

        if (!found && strcmp(message->verb, "store") == 0 &&
            g_strcmp0(message_get(message, "path"), self) == 0)
            found = g_steal_pointer(&message);
        message_free(message);
        g_free(line);
    }
    g_free(line);
    return found;
}

static void show_peers(const Work *work)
{
    static const struct {
        PeerState state;
        const char *word;
    } words[] = { { PEER_START, "STARTED" },
                  { PEER_PAUSE, "PAUSED" },
                  { PEER_STOP, "STOPPED" },
                  { PEER_FAILED, "FAILED" } };

    puts("\nReplication Peers:");
    for (guint i = 0; i < work->peers->len; i++) {
        const Peer *peer = work->peers->pdata[i];
        g_autofree char *port = port_word(peer->port, "AUTO");
        const char *state = "";

        for (guint w = 0; w < G_N_ELEMENTS(words); w++)
            state = words[w].state == peer->state ? words[w].word : state;
        printf("  Name                     : %s\n  Host                     : %s\n"
               "  Port                     : %s\n  Replication State        : %s\n"
               "  Communication Protocol   : 10\n\n",
               peer->name, peer->host, port, state);
    }
}

static int show_status(const Work *work)
{
    g_autoptr(Message) store = ask_agent(work);
    g_autofree char *name = NULL;
    g_autofree char *host = NULL;
    g_autofree char *last = replica_place(work->database, replica_end(work->database), '.');
    g_autofree char *hold = NULL;
    gboolean runs = store && message_number(store, "agent");
    time_t now = time(NULL);
    char when[64];

    if (!replica_exists(work->database))
        return show_configuration(work);
    scheme_self(work->database, &name, &host);
    hold = replica_place(work->database, replica_hold(work->database), '.');
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime(&now));
    printf("Replication Agent Status as of: %s\n\n", when);
    printf("DSN                         : %s\n", work->target->dsn);
    printf("Process ID                  : %s (%s)\n", runs ? message_get(store, "agentpid") : "0",
           runs ? "Started" : "Stopped");
    printf("Replication Agent Policy    : %s\n", store ? message_get(store, "agentpolicy") : "");
    printf("Host                        : %s\n", host);
    printf("RepListener Port            : %s%s\n", runs ? message_get(store, "agentport") : "-",
           query_number(work->database, "SELECT port FROM \"TT STORE\" WHERE self") ? ""
                                                                                    : " (AUTO)");
    printf("Last write LSN              : %s\nLast LSN forced to disk     : %s\n"
           "Replication hold LSN        : %s\n",
           last, last, hold);
    show_peers(work);
    return 0;
}

static int show_bookmark(const Work *work)
{
    g_autofree char *last = replica_place(work->database, replica_end(work->database), '/');
    g_autofree char *hold = replica_place(work->database, replica_hold(work->database), '/');

    printf("Replication hold LSN ...... %s\nLast written LSN .......... %s\n"
           "Last LSN forced to disk ... %s\n",
           hold, last, last);
    return 0;
}

static int show_log(const Work *work)
{
    printf("Number of log files held for replication: %d\n",
           (int)replica_files_since(work->database, replica_hold(work->database)));
    return 0;
}

static int fail(const Arguments *arguments, const GError *error)
{
    print_failure(arguments->instance, error);
    return 1;
}

static int change_receivers(const Work *work)
{
    const char *word = arguments_value(work->arguments, "-state");
    g_autoptr(GError) error = NULL;
    PeerState state;

    if (word && !peer_state_parse(word, &state))
        arguments_usage(usage, 1);
    return builtin_change_peers(work->session, arguments_value(work->arguments, "-name"),
                                arguments_value(work->arguments, "-host"), word ? &state : NULL,
                                &error)
               ? 0
               : fail(work->arguments, error);
}

/* Real stores that are idle keep one waiting for up to a minute; tests can have that, too. */
static int wait_for_receivers(const Work *work)
{
    const char *timeout = arguments_value(work->arguments, "-timeout");
    double idle = tune_get(work->arguments->instance->home, "replication-wait-idle-seconds", 0);
    double limit = timeout ? g_ascii_strtod(timeout, NULL) : -1;
    g_autoptr(GError) error = NULL;

    if (idle > 0) {
        g_usleep((gulong)((limit < 0 ? idle : MIN(idle, limit)) * G_USEC_PER_SEC));
        limit = limit < 0 ? -1 : MAX(limit - idle, 0);
    }
    if (builtin_wait(work->session, arguments_value(work->arguments, "-name"),
                     arguments_value(work->arguments, "-host"), limit, &error))
        return 0;
    if (error)
        return fail(work->arguments, error);
    fputs("ttRepAdmin: the receivers did not catch up in time\n", stderr);
    return 1;
}

static const struct {
    const char *option;
    const char *with; /* and this one, or NULL */
    int (*run)(const Work *work);
    gboolean everywhere; /* also where there is no replication */
} verbs[] = {
    { "-receiver", "-list", list_receivers, TRUE },
    { "-self", "-list", list_self, TRUE },
    { "-showconfig", NULL, show_configuration, TRUE },
    { "-showstatus", NULL, show_status, TRUE },
    { "-receiver", "-state", change_receivers, FALSE },
    { "-receiver", "-reset", change_receivers, FALSE },
    { "-wait", NULL, wait_for_receivers, FALSE },
    { "-bookmark", NULL, show_bookmark, FALSE },
    { "-log", NULL, show_log, FALSE },
};

static int run(const Work *work)
{
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(verbs); i++) {
        if (!arguments_value(work->arguments, verbs[i].option) ||
            (verbs[i].with && !arguments_value(work->arguments, verbs[i].with)))
            continue;
        if (verbs[i].everywhere || replica_exists(work->database))
            return verbs[i].run(work);
        failure_set(&error, TT_NOT_REPLICATED,
                    "This store (%s) is not involved in a replication scheme",
                    work->target->data_store);
        return fail(work->arguments, error);
    }
    arguments_usage(usage, 1);
}

int ttrepadmin_main(int argc, char **argv)
{
    static const SessionKind kind = { .type = "Process", .name = "ttRepAdmin" };
    g_autoptr(Instance) instance = instance_self();
    Arguments *arguments = arguments_read(instance, argv, options, usage, 1);
    g_autofree char *database = g_strdup(arguments_value(arguments, "-dsn"));
    g_autoptr(GError) error = NULL;
    g_autoptr(Target) target = NULL;
    Work work = { .arguments = arguments };
    int status;

    if (!database)
        database = arguments_database(arguments, usage, 1);
    target = target_find(instance, database, FALSE, &error);
    if (target && arguments_value(arguments, "-duplicate")) {
        if (!arguments_value(arguments, "-from") || !arguments_value(arguments, "-host"))
            arguments_usage(usage, 1);
        return duplicate_run(arguments, target, &error) ? 0 : fail(arguments, error);
    }
    if (target)
        target->auto_create = FALSE;
    work.session = target ? session_open(instance, target, &kind, &error) : NULL;
    if (!work.session)
        return fail(arguments, error);
    work.target = target;
    work.database = session_database(work.session);
    work.peers = replica_peers(work.database);
    work.declared = read_declared(arguments, target);
    status = run(&work);
    session_close(work.session);
    g_ptr_array_unref(work.peers);
    g_ptr_array_unref(work.declared);
    return status;
}
