/* What a replicated store keeps of itself, in tables of its own that no SQL of a user reaches: its
 * peers with their states and bookmarks, and the log records that some peer still has to get.
 *
 * A place in the log is a count of bytes; shown as FILE/OFFSET. All that changes must be called in
 * a write transaction of the caller's.
 */
#pragma once

#include <sqlite3.h>

#include <glib.h>

/* TTREP.REPPEERS has these numbers (facts 3.7). */
typedef enum { PEER_START = 0, PEER_PAUSE = 1, PEER_STOP = 2, PEER_FAILED = 4 } PeerState;

typedef struct {
    char *name;
    char *host;
    guint16 port;      /* 0: dynamic */
    gboolean sends;    /* this store is master of something that the peer subscribes to */
    gboolean receives; /* and the other way round */
    PeerState state;   /* as it was set */
    PeerState acted;   /* as it is in force: some seconds later */
    gint64 changed;    /* when it was set; µs of real time */
    gint64 bookmark;   /* what is before it has reached the peer */
    gint64 sent_at;    /* µs; 0: never */
    gint64 received_at;
    char *log;       /* numbering of the peer's log */
    gint64 received; /* what is before it in the peer's log is here */
    gboolean stale;  /* came out of a ttMigrate file and was not reset yet */
} Peer;

gboolean replica_exists(sqlite3 *database); /* whether there is a replication scheme */
gboolean replica_make_tables(sqlite3 *database, GError **error);
gboolean replica_drop_tables(sqlite3 *database, GError **error);

GPtrArray *replica_peers(sqlite3 *database);                               /* Peer */
Peer *replica_peer(sqlite3 *database, const char *name, const char *host); /* HOST NULL: any */
void peer_free(Peer *peer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Peer, peer_free)
gboolean peer_matches(const Peer *peer, const char *name, const char *host); /* NULL: any */
/* "start", "pause", "stop", "failed" and FALSE for any other word. */
gboolean peer_state_parse(const char *word, PeerState *ret);
const char *peer_state_word(PeerState state);

gint64 replica_end(sqlite3 *database); /* of the log */
char *replica_log_id(sqlite3 *database);
gint64 replica_file_size(sqlite3 *database);                          /* of a log file */
char *replica_place(sqlite3 *database, gint64 place, char separator); /* FILE/OFFSET; g_free() */
/* Number of log files from PLACE to the end. */
gint64 replica_files_since(sqlite3 *database, gint64 place);
/* The first place that must not go away; the end where nothing is held. */
gint64 replica_hold(sqlite3 *database);

/* Brings into force what was set at least DELAY µs ago, and drops the log that nobody waits for. */
gboolean replica_settle(sqlite3 *database, gint64 delay, GError **error);
gboolean replica_set_state(sqlite3 *database, const Peer *peer, PeerState state, gint64 delay,
                           GError **error);
/* Clears the bookmark of what was sent (ttRepAdmin -reset). */
gboolean replica_reset(sqlite3 *database, const Peer *peer, GError **error);
/* The peer has all that is before PLACE. */
gboolean replica_confirm(sqlite3 *database, const Peer *peer, gint64 place, GError **error);
/* This store has all that is before PLACE in the log LOG of the peer. */
gboolean replica_received(sqlite3 *database, const Peer *peer, const char *log, gint64 place,
                          GError **error);
/* Adds a record; marks peers failed that now hold more log files than the threshold allows. */
gboolean replica_append(sqlite3 *database, const void *changes, int size, GError **error);
/* Makes the log files of the store what the log needs; to be called outside of a transaction. */
void replica_trim_files(sqlite3 *database, const char *path, gboolean purge);

/* One number or text out of a query; formats as sqlite3_mprintf(). */
gint64 query_number(sqlite3 *database, const char *format, ...);
char *query_text(sqlite3 *database, const char *format,
                 ...); /* g_free(); NULL where there is none */
gboolean execute(sqlite3 *database, GError **error, const char *format, ...);
