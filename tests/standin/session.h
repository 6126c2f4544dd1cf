/* One connection to one database, direct: registered with the daemon, then statement after
 * statement.
 *
 * ttIsql, ttMigrate and the rest hold one, ttcserver one per client, ttclient --direct one.
 */
#pragma once

#include "dsn.h"
#include "sql.h"
#include "wire.h"

typedef struct Session Session;

typedef struct {
    const char *type;   /* as ttStatus lists it: "Process", "Server" */
    const char *name;   /* connection name */
    const char *client; /* "Client Information" of a server's connection, or NULL */
    gboolean server;    /* sees only the system's DSNs */
} SessionKind;

typedef struct {
    SqlKind kind;
    gint64 affected; /* rows inserted, updated or deleted, or rows delivered */
} SessionResult;

/* A row; NULL is SQL's NULL. FALSE ends the statement. */
typedef gboolean (*SessionRow)(char **values, guint n, gpointer data);

Session *session_open(const Instance *instance, const Target *target, const SessionKind *kind,
                      GError **error);
void session_close(Session *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Session, session_close)

/* Runs one statement, one "call …" of a built-in procedure, commit, rollback or autocommit 0|1. */
gboolean session_run(Session *session, const char *statement, SessionRow row, gpointer data,
                     SessionResult *ret, GError **error);

sqlite3 *session_database(Session *session);
Wire *session_link(Session *session);
const Instance *session_instance(const Session *session);
const char *session_path(const Session *session); /* of the data store */
const char *session_owner(const Session *session);
const char *session_charset(const Session *session);  /* DatabaseCharacterSet of the DSN, or NULL */
gint64 session_log_file_size(const Session *session); /* LogFileSize of the DSN in bytes; 0: none */
/* µs from the change of a replication state to its effect. */
gint64 session_state_delay(const Session *session);
