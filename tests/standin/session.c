#include "session.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "builtins.h"
#include "capture.h"
#include "failure.h"
#include "fault.h"
#include "link.h"
#include "replica.h"
#include "scheme.h"
#include "store.h"

struct Session {
    const Instance *instance;
    char *path;
    char *owner;
    char *charset;
    gint64 log_file_size;
    Wire *link;
    sqlite3 *database;
    Capture *capture; /* of the transaction under way */
    gboolean auto_commit;
    gboolean told_open; /* the daemon knows of a transaction that is open */
};

static char *owner_of(const Target *target)
{
    const struct passwd *entry = getpwuid(geteuid());

    return g_ascii_strup(target->uid ? target->uid : entry ? entry->pw_name : "NOBODY", -1);
}

static gboolean register_connection(Session *session, const Target *target, const SessionKind *kind,
                                    GError **error)
{
    g_autofree char *pid = g_strdup_printf("%d", (int)getpid());
    g_autofree char *uid = NULL;
    g_autofree char *megabytes = NULL;
    g_autofree char *line = NULL;
    g_autoptr(Message) reply = NULL;

    session->link = link_open(session->instance, NULL, error);
    if (!session->link)
        return FALSE;
    megabytes = g_strdup_printf("%u", target->segment_mb + session->instance->overhead_mb);
    uid = g_strdup_printf("%u", (unsigned)geteuid());
    line = message_line(
        "connect", "path", target->data_store, "logdir", target->log_dir ? target->log_dir : "",
        "create", target->auto_create ? "1" : "0", "type", kind->type, "name", kind->name, "pid",
        pid, "client", kind->client ? kind->client : "", "uid", uid, "megabytes", megabytes,
        "force", target->force_disconnect ? "1" : "0", NULL);
    reply = link_ask(session->link, line, error);
    if (!reply)
        return FALSE;
    return TRUE;
}

Session *session_open(const Instance *instance, const Target *target, const SessionKind *kind,
                      GError **error)
{
    g_autoptr(Session) session = g_new0(Session, 1);
    g_autofree char *restoring = NULL;

    session->instance = instance;
    session->auto_commit = TRUE;
    session->path = g_strdup(target->data_store);
    session->owner = owner_of(target);
    session->charset = g_strdup(target->charset);
    session->log_file_size = target->log_file_size;
    if (!register_connection(session, target, kind, error))
        return NULL;
    session->database = store_open(session->path, &instance->version, error);
    if (!session->database || !store_execute(session->database, sql_system_views, error) ||
        (instance->family->id >= FAMILY_181 &&
         !store_execute(session->database, sql_dollar_views, error)) ||
        (target->durable && !store_execute(session->database, "PRAGMA synchronous=FULL;", error)))
        return NULL;
    restoring = store_get(session->database, "restoring");
    if (restoring) {
        failure_set(error, TT_UNFINISHED_RESTORE,
                    "Data store %s is the result of a restore that has not finished",
                    session->path);
        return NULL;
    }
    return g_steal_pointer(&session);
}

void session_close(Session *session)
{
    if (!session)
        return;
    /* The file first: once the daemon sees the link close it may unload the store. */
    capture_free(session->capture);
    if (session->database)
        store_close(session->database);
    if (session->link)
        wire_free(session->link);
    g_free(session->path);
    g_free(session->owner);
    g_free(session->charset);
    g_free(session);
}

sqlite3 *session_database(Session *session)
{
    return session->database;
}

Wire *session_link(Session *session)
{
    return session->link;
}

const Instance *session_instance(const Session *session)
{
    return session->instance;
}

const char *session_path(const Session *session)
{
    return session->path;
}

const char *session_owner(const Session *session)
{
    return session->owner;
}

const char *session_charset(const Session *session)
{
    return session->charset;
}

gint64 session_log_file_size(const Session *session)
{
    return session->log_file_size;
}

gint64 session_state_delay(const Session *session)
{
    return (gint64)(tune_get(session->instance->home, "replication-state-seconds", 10) *
                    G_USEC_PER_SEC);
}

static gboolean deliver(sqlite3_stmt *prepared, SessionRow row, gpointer data)
{
    guint n = (guint)sqlite3_column_count(prepared);
    g_autofree char **values = g_new0(char *, n + 1);

    for (guint i = 0; i < n; i++)
        values[i] = (char *)sqlite3_column_text(prepared, (int)i);
    return !row || row(values, n, data);
}

/* SQLite's own end of a transaction, as after a full disk, is one too. */
static gboolean end_transaction(Session *session, gboolean commit, GError **error)
{
    g_autoptr(Capture) capture = g_steal_pointer(&session->capture);
    gint64 before;

    if (sqlite3_get_autocommit(session->database))
        return TRUE;
    if (!commit)
        return store_execute(session->database, "ROLLBACK", error);
    if (!capture || !capture_has_changes(capture))
        return store_execute(session->database, "COMMIT", error);
    before = replica_end(session->database) / replica_file_size(session->database);
    if (!capture_finish(capture, error) || !store_execute(session->database, "COMMIT", error)) {
        store_execute(session->database, "ROLLBACK", NULL);
        return FALSE;
    }
    if (replica_end(session->database) / replica_file_size(session->database) > before)
        replica_trim_files(session->database, session->path, FALSE);
    return TRUE;
}

static gboolean begin_transaction(Session *session, GError **error)
{
    g_clear_pointer(&session->capture, capture_free);
    if (sqlite3_exec(session->database, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
        sql_failure(session->database, error);
        return FALSE;
    }
    if (capture_begin(session->database, session_state_delay(session), &session->capture, error))
        return TRUE;
    end_transaction(session, FALSE, NULL);
    return FALSE;
}

/* A standby takes what the active sends and nothing else; a replicated table stays as it is. */
static gboolean may_run(Session *session, const Sql *sql, GError **error)
{
    g_autofree char *role = NULL;

    if (!session->capture || sql->kind == SQL_SELECT)
        return TRUE;
    role = store_get(session->database, "pair");
    if (g_strcmp0(role, "STANDBY") == 0) {
        failure_set(error, TT_STANDBY, "Tables on a standby store cannot be updated");
        return FALSE;
    }
    return sql->kind != SQL_DEFINITION || scheme_allows(session->database, sql->text, error);
}

static gboolean step_through(Session *session, const Sql *sql, SessionRow row, gpointer data,
                             SessionResult *result, GError **error)
{
    sqlite3_stmt *prepared = NULL;
    int code;

    if (sqlite3_prepare_v2(session->database, sql->text, -1, &prepared, NULL) != SQLITE_OK) {
        sql_failure(session->database, error);
        return FALSE;
    }
    while ((code = sqlite3_step(prepared)) == SQLITE_ROW) {
        result->affected++;
        if (!deliver(prepared, row, data)) {
            code = SQLITE_DONE;
            break;
        }
    }
    if (code != SQLITE_DONE)
        sql_failure(session->database, error);
    sqlite3_finalize(prepared);
    if (code == SQLITE_DONE && sql->kind >= SQL_INSERT && sql->kind <= SQL_DELETE)
        result->affected = sqlite3_changes64(session->database);
    return code == SQLITE_DONE;
}

/* Whatever writes is in a transaction of its own or of the user's, so that it can be logged. */
static gboolean run_sql(Session *session, const char *statement, SessionRow row, gpointer data,
                        SessionResult *result, GError **error)
{
    g_autoptr(Sql) sql = sql_translate(statement, session->owner);
    gboolean outside = sqlite3_get_autocommit(session->database) != 0;
    gboolean writes = sql->kind >= SQL_INSERT && sql->kind <= SQL_DEFINITION;
    gboolean done;

    result->kind = sql->kind;
    if (outside && (writes || (!session->auto_commit && sql->kind != SQL_SELECT)) &&
        !begin_transaction(session, error))
        return FALSE;
    done = may_run(session, sql, error) && step_through(session, sql, row, data, result, error);
    if (outside && session->auto_commit && writes) {
        if (!done)
            end_transaction(session, FALSE, NULL);
        else
            done = end_transaction(session, TRUE, error);
    }
    return done;
}

static gboolean call_checkpoint(Session *session, char **arguments, SessionRow row, gpointer data,
                                GError **error)
{
    replica_trim_files(session->database, session->path, TRUE);
    return store_execute(session->database, "PRAGMA wal_checkpoint(PASSIVE)", error);
}

static gboolean call_policy(Session *session, char **arguments, SessionRow row, gpointer data,
                            GError **error)
{
    g_autofree char *line =
        message_line("policy", "path", session->path, "policy", arguments[0] ? arguments[0] : "",
                     "grace", arguments[0] && arguments[1] ? arguments[1] : "0", NULL);
    g_autoptr(Wire) link = link_open(session->instance, NULL, error);
    g_autoptr(Message) reply = link ? link_ask(link, line, error) : NULL;

    return reply != NULL;
}

static gboolean call_version(Session *session, char **arguments, SessionRow row, gpointer data,
                             GError **error)
{
    char *values[] = { session->instance->release, NULL };

    if (row)
        row(values, 1, data);
    return TRUE;
}

static const struct {
    const char *name;
    gboolean (*call)(Session *, char **, SessionRow, gpointer, GError **);
    FamilyId since;
} procedures[] = {
    { "ttCkpt", call_checkpoint, FAMILY_51 },
    { "ttCkptBlocking", call_checkpoint, FAMILY_51 },
    { "ttRamPolicySet", call_policy, FAMILY_51 },
    { "ttVersion", call_version, FAMILY_70 },
};

/* "call name('a', 2)": the words between the brackets, without quotes. */
static char **call_arguments(const char *text)
{
    const char *open = strchr(text, '(');
    const char *end = open ? strrchr(open, ')') : NULL;
    g_autofree char *inside = end ? g_strndup(open + 1, (gsize)(end - open - 1)) : g_strdup("");
    char **arguments = g_strsplit(inside, ",", -1);

    for (guint i = 0; arguments[i]; i++) {
        g_strdelimit(arguments[i], "'", ' ');
        g_strstrip(arguments[i]);
    }
    return arguments;
}

static gboolean run_call(Session *session, const char *text, SessionRow row, gpointer data,
                         GError **error)
{
    gsize length;

    while (g_ascii_isspace(*text))
        text++;
    length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
    for (guint i = 0; i < G_N_ELEMENTS(procedures); i++) {
        if (strlen(procedures[i].name) == length &&
            g_ascii_strncasecmp(procedures[i].name, text, length) == 0 &&
            session->instance->family->id >= procedures[i].since) {
            g_auto(GStrv) arguments = call_arguments(text);

            return procedures[i].call(session, arguments, row, data, error);
        }
    }
    if (length > 0) {
        g_autofree char *name = g_strndup(text, length);
        g_auto(GStrv) arguments = call_arguments(text);
        gboolean done;

        if (builtin_call(session, name, arguments, row, data, &done, error))
            return done;
    }
    failure_set(error, 7004, "Unknown built-in procedure: %.*s", (int)length, text);
    return FALSE;
}

/* The daemon lets transactions end before it disconnects somebody (ttAdmin -disconnect). */
static void tell_transaction(Session *session)
{
    gboolean open = sqlite3_get_autocommit(session->database) == 0;

    if (open == session->told_open)
        return;
    session->told_open = open;
    wire_send(session->link, open ? "transaction open=1" : "transaction open=0");
}

gboolean session_run(Session *session, const char *statement, SessionRow row, gpointer data,
                     SessionResult *ret, GError **error)
{
    g_autofree char *text = g_strstrip(g_strdup(statement));
    SessionResult result = { SQL_OTHER, 0 };
    gboolean done;

    if (wire_gone(session->link)) {
        end_transaction(session, FALSE, NULL);
        failure_set(error, TT_CONNECTION_LOST,
                    "Data store connection terminated. Please reconnect.");
        return FALSE;
    }
    if (g_ascii_strncasecmp(text, "call ", 5) == 0)
        done = run_call(session, text + 5, row, data, error);
    else if (g_ascii_strcasecmp(text, "commit") == 0)
        done = end_transaction(session, TRUE, error);
    else if (g_ascii_strcasecmp(text, "rollback") == 0)
        done = end_transaction(session, FALSE, error);
    else if (g_ascii_strncasecmp(text, "autocommit ", 11) == 0) {
        session->auto_commit = strchr(text, '1') != NULL;
        done = !session->auto_commit || end_transaction(session, TRUE, error);
    } else if (scheme_is_statement(text))
        done = scheme_run(session, text, error);
    else
        done = run_sql(session, text, row, data, &result, error);
    tell_transaction(session);
    if (ret)
        *ret = result;
    return done;
}
