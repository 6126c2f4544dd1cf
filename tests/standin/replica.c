#include "replica.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"
#include "store.h"

#define RECORD_OVERHEAD 64 /* of a transaction in the log */
#define HOLDS           "sends AND acted IN (0, 1)"

static const char definition[] =
    "CREATE TABLE \"TT SCHEME\" (owner TEXT, name TEXT, text TEXT);"
    "CREATE TABLE \"TT STORE\" (name TEXT COLLATE NOCASE, host TEXT COLLATE NOCASE, port INTEGER"
    " DEFAULT 0, timeout INTEGER DEFAULT 120, threshold INTEGER DEFAULT 0, self INTEGER DEFAULT 0,"
    " PRIMARY KEY (name, host));"
    "CREATE TABLE \"TT ELEMENT\" (element TEXT, tbl TEXT, master TEXT COLLATE NOCASE, master_host"
    " TEXT COLLATE NOCASE, sub TEXT COLLATE NOCASE, sub_host TEXT COLLATE NOCASE, stamp TEXT,"
    " system INTEGER DEFAULT 0, alone INTEGER DEFAULT 0, report TEXT);"
    "CREATE TABLE \"TT PEER\" (name TEXT COLLATE NOCASE, host TEXT COLLATE NOCASE, sends INTEGER"
    " DEFAULT 0, receives INTEGER DEFAULT 0, state INTEGER DEFAULT 0, acted INTEGER DEFAULT 0,"
    " changed INTEGER DEFAULT 0, bookmark INTEGER DEFAULT 0, sent_at INTEGER DEFAULT 0,"
    " received_at INTEGER DEFAULT 0, log TEXT, received INTEGER DEFAULT 0, stale INTEGER DEFAULT"
    " 0, PRIMARY KEY (name, host));"
    "CREATE TABLE \"TT LOG\" (place INTEGER PRIMARY KEY, changes BLOB);";

static sqlite3_stmt *prepare_list(sqlite3 *database, const char *format, va_list list)
{
    char *sql = sqlite3_vmprintf(format, list);
    sqlite3_stmt *statement = NULL;

    sqlite3_prepare_v2(database, sql, -1, &statement, NULL);
    sqlite3_free(sql);
    return statement;
}

gint64 query_number(sqlite3 *database, const char *format, ...)
{
    sqlite3_stmt *statement;
    gint64 number = 0;
    va_list list;

    va_start(list, format);
    statement = prepare_list(database, format, list);
    va_end(list);
    if (statement && sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

char *query_text(sqlite3 *database, const char *format, ...)
{
    sqlite3_stmt *statement;
    char *text = NULL;
    va_list list;

    va_start(list, format);
    statement = prepare_list(database, format, list);
    va_end(list);
    if (statement && sqlite3_step(statement) == SQLITE_ROW)
        text = g_strdup((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return text;
}

gboolean execute(sqlite3 *database, GError **error, const char *format, ...)
{
    gboolean done;
    va_list list;
    char *sql;

    va_start(list, format);
    sql = sqlite3_vmprintf(format, list);
    va_end(list);
    done = store_execute(database, sql, error);
    sqlite3_free(sql);
    return done;
}

gboolean replica_exists(sqlite3 *database)
{
    return query_number(database, "SELECT count(*) FROM sqlite_master WHERE name = 'TT SCHEME'") >
           0;
}

/* The numbering of a log is its own: a store that was made anew begins another one. */
gboolean replica_make_tables(sqlite3 *database, GError **error)
{
    g_autofree char *id = g_uuid_string_random();

    return store_execute(database, definition, error) && store_set(database, "log id", id, error) &&
           store_set(database, "log end", "0", error);
}

gboolean replica_drop_tables(sqlite3 *database, GError **error)
{
    return store_execute(database,
                         "DROP TABLE \"TT SCHEME\"; DROP TABLE \"TT STORE\"; DROP TABLE \"TT "
                         "ELEMENT\"; DROP TABLE \"TT PEER\"; DROP TABLE \"TT LOG\";",
                         error) &&
           store_set(database, "pair", NULL, error);
}

void peer_free(Peer *peer)
{
    if (!peer)
        return;
    g_free(peer->name);
    g_free(peer->host);
    g_free(peer->log);
    g_free(peer);
}

static Peer *peer_of_row(sqlite3_stmt *row)
{
    Peer *peer = g_new0(Peer, 1);

    peer->name = g_strdup((const char *)sqlite3_column_text(row, 0));
    peer->host = g_strdup((const char *)sqlite3_column_text(row, 1));
    peer->port = (guint16)sqlite3_column_int(row, 2);
    peer->sends = sqlite3_column_int(row, 3) != 0;
    peer->receives = sqlite3_column_int(row, 4) != 0;
    peer->state = (PeerState)sqlite3_column_int(row, 5);
    peer->acted = (PeerState)sqlite3_column_int(row, 6);
    peer->changed = sqlite3_column_int64(row, 7);
    peer->bookmark = sqlite3_column_int64(row, 8);
    peer->sent_at = sqlite3_column_int64(row, 9);
    peer->received_at = sqlite3_column_int64(row, 10);
    peer->log = g_strdup((const char *)sqlite3_column_text(row, 11));
    peer->received = sqlite3_column_int64(row, 12);
    peer->stale = sqlite3_column_int(row, 13) != 0;
    return peer;
}

GPtrArray *replica_peers(sqlite3 *database)
{
    GPtrArray *peers = g_ptr_array_new_with_free_func((GDestroyNotify)peer_free);
    sqlite3_stmt *row = NULL;

    sqlite3_prepare_v2(database,
                       "SELECT name, host, port, sends, receives, state, acted, changed, bookmark,"
                       " sent_at, received_at, log, received, stale FROM \"TT PEER\" JOIN"
                       " \"TT STORE\" USING (name, host) ORDER BY \"TT PEER\".rowid",
                       -1, &row, NULL);
    while (row && sqlite3_step(row) == SQLITE_ROW)
        g_ptr_array_add(peers, peer_of_row(row));
    sqlite3_finalize(row);
    return peers;
}

gboolean peer_matches(const Peer *peer, const char *name, const char *host)
{
    return (!name || g_ascii_strcasecmp(peer->name, name) == 0) &&
           (!host || g_ascii_strcasecmp(peer->host, host) == 0);
}

Peer *replica_peer(sqlite3 *database, const char *name, const char *host)
{
    g_autoptr(GPtrArray) peers = replica_peers(database);

    for (guint i = 0; i < peers->len; i++) {
        if (peer_matches(peers->pdata[i], name, host)) {
            g_ptr_array_set_free_func(peers, NULL);
            for (guint k = 0; k < peers->len; k++) {
                if (k != i)
                    peer_free(peers->pdata[k]);
            }
            return peers->pdata[i];
        }
    }
    return NULL;
}

static const struct {
    const char *word;
    PeerState state;
} states[] = { { "start", PEER_START },
               { "pause", PEER_PAUSE },
               { "stop", PEER_STOP },
               { "failed", PEER_FAILED } };

gboolean peer_state_parse(const char *word, PeerState *ret)
{
    for (guint i = 0; i < G_N_ELEMENTS(states); i++) {
        if (g_ascii_strcasecmp(word, states[i].word) == 0) {
            *ret = states[i].state;
            return TRUE;
        }
    }
    return FALSE;
}

const char *peer_state_word(PeerState state)
{
    for (guint i = 0; i < G_N_ELEMENTS(states); i++) {
        if (states[i].state == state)
            return states[i].word;
    }
    return "unknown";
}

static gint64 stored_number(sqlite3 *database, const char *name, gint64 fallback)
{
    g_autofree char *text = store_get(database, name);

    return text ? g_ascii_strtoll(text, NULL, 10) : fallback;
}

gint64 replica_end(sqlite3 *database)
{
    return stored_number(database, "log end", 0);
}

char *replica_log_id(sqlite3 *database)
{
    return store_get(database, "log id");
}

gint64 replica_file_size(sqlite3 *database)
{
    return MAX(stored_number(database, "log file size", 64LL << 20), 1024);
}

char *replica_place(sqlite3 *database, gint64 place, char separator)
{
    gint64 size = replica_file_size(database);

    return g_strdup_printf("%" G_GINT64_FORMAT "%c%" G_GINT64_FORMAT, place / size, separator,
                           place % size);
}

gint64 replica_files_since(sqlite3 *database, gint64 place)
{
    gint64 size = replica_file_size(database);

    return MAX(replica_end(database) / size - place / size, 0) + 1;
}

gint64 replica_hold(sqlite3 *database)
{
    if (query_number(database, "SELECT count(*) FROM \"TT PEER\" WHERE " HOLDS) == 0)
        return replica_end(database);
    return MIN(query_number(database, "SELECT min(bookmark) FROM \"TT PEER\" WHERE " HOLDS),
               replica_end(database));
}

static gboolean drop_log(sqlite3 *database, GError **error)
{
    return store_execute(database,
                         "DELETE FROM \"TT LOG\" WHERE place <= ifnull((SELECT min(bookmark) FROM"
                         " \"TT PEER\" WHERE " HOLDS "), 9223372036854775807)",
                         error);
}

gboolean replica_settle(sqlite3 *database, gint64 delay, GError **error)
{
    gint64 due = g_get_real_time() - delay;

    if (query_number(database,
                     "SELECT count(*) FROM \"TT PEER\" WHERE state <> acted AND changed <= %lld",
                     (long long)due) == 0)
        return TRUE;
    /* Whoever comes back from stop or failed gets what is written from now on. */
    return execute(database, error,
                   "UPDATE \"TT PEER\" SET bookmark = CASE WHEN acted IN (2, 4) AND state IN (0, 1)"
                   " THEN %lld ELSE bookmark END, acted = state WHERE state <> acted AND changed"
                   " <= %lld",
                   (long long)replica_end(database), (long long)due) &&
           drop_log(database, error);
}

gboolean replica_set_state(sqlite3 *database, const Peer *peer, PeerState state, gint64 delay,
                           GError **error)
{
    return replica_settle(database, delay, error) &&
           execute(database, error,
                   "UPDATE \"TT PEER\" SET changed = CASE WHEN state = %d THEN changed ELSE %lld"
                   " END, state = %d WHERE name = %Q AND host = %Q",
                   (int)state, (long long)g_get_real_time(), (int)state, peer->name, peer->host);
}

gboolean replica_reset(sqlite3 *database, const Peer *peer, GError **error)
{
    return execute(database, error,
                   "UPDATE \"TT PEER\" SET bookmark = 0, stale = 0 WHERE name = %Q AND host = %Q",
                   peer->name, peer->host);
}

gboolean replica_confirm(sqlite3 *database, const Peer *peer, gint64 place, GError **error)
{
    return execute(database, error,
                   "UPDATE \"TT PEER\" SET bookmark = max(bookmark, %lld), sent_at = %lld WHERE"
                   " name = %Q AND host = %Q",
                   (long long)place, (long long)g_get_real_time(), peer->name, peer->host) &&
           drop_log(database, error);
}

gboolean replica_received(sqlite3 *database, const Peer *peer, const char *log, gint64 place,
                          GError **error)
{
    return execute(database, error,
                   "UPDATE \"TT PEER\" SET received = %lld, log = %Q, received_at = %lld WHERE"
                   " name = %Q AND host = %Q",
                   (long long)place, log, (long long)g_get_real_time(), peer->name, peer->host);
}

static gboolean write_record(sqlite3 *database, gint64 place, const void *changes, int size,
                             GError **error)
{
    sqlite3_stmt *insert = NULL;
    int code = SQLITE_ERROR;

    if (sqlite3_prepare_v2(database, "INSERT INTO \"TT LOG\" VALUES (?, ?)", -1, &insert, NULL) ==
        SQLITE_OK) {
        sqlite3_bind_int64(insert, 1, place);
        sqlite3_bind_blob(insert, 2, changes, size, SQLITE_STATIC);
        code = sqlite3_step(insert);
    }
    sqlite3_finalize(insert);
    if (code != SQLITE_DONE)
        failure_set(error, TT_ENGINE, "Cannot write the log: %s", sqlite3_errmsg(database));
    return code == SQLITE_DONE;
}

/* More log files than the threshold allows: the peer has failed, and its log is not kept. */
static gboolean fail_peers(sqlite3 *database, gint64 end, GError **error)
{
    gint64 threshold = query_number(database, "SELECT threshold FROM \"TT STORE\" WHERE self");
    gint64 size = replica_file_size(database);

    if (threshold <= 0)
        return TRUE;
    if (!execute(database, error,
                 "UPDATE \"TT PEER\" SET state = 4, acted = 4, changed = %lld WHERE " HOLDS
                 " AND %lld / %lld - bookmark / %lld >= %lld",
                 (long long)g_get_real_time(), (long long)end, (long long)size, (long long)size,
                 (long long)threshold))
        return FALSE;
    return sqlite3_changes(database) == 0 || drop_log(database, error);
}

gboolean replica_append(sqlite3 *database, const void *changes, int size, GError **error)
{
    gint64 end = replica_end(database) + size + RECORD_OVERHEAD;
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, end);

    if (query_number(database, "SELECT count(*) FROM \"TT PEER\" WHERE " HOLDS) > 0 &&
        !write_record(database, end, changes, size, error))
        return FALSE;
    return store_set(database, "log end", text, error) && fail_peers(database, end, error);
}

void replica_trim_files(sqlite3 *database, const char *path, gboolean purge)
{
    gint64 size = replica_file_size(database);

    if (replica_exists(database))
        store_keep_logs(path, replica_hold(database) / size, replica_end(database) / size, purge);
}
