#include "capture.h"

#include <string.h>

#include "failure.h"
#include "replica.h"
#include "store.h"

struct Capture {
    sqlite3 *database;
    sqlite3_session *session;
};

static gboolean attach_tables(Capture *capture)
{
    sqlite3_stmt *row = NULL;
    gboolean done = TRUE;

    sqlite3_prepare_v2(capture->database,
                       "SELECT DISTINCT tbl FROM \"TT ELEMENT\", \"TT STORE\" WHERE self AND"
                       " master = name AND master_host = host",
                       -1, &row, NULL);
    while (row && done && sqlite3_step(row) == SQLITE_ROW)
        done = sqlite3session_attach(capture->session, (const char *)sqlite3_column_text(row, 0)) ==
               SQLITE_OK;
    sqlite3_finalize(row);
    return done;
}

gboolean capture_begin(sqlite3 *database, gint64 delay, Capture **ret, GError **error)
{
    g_autoptr(Capture) capture = NULL;

    *ret = NULL;
    if (!replica_exists(database))
        return TRUE;
    if (!replica_settle(database, delay, error))
        return FALSE;
    capture = g_new0(Capture, 1);
    capture->database = database;
    if (sqlite3session_create(database, "main", &capture->session) != SQLITE_OK ||
        !attach_tables(capture)) {
        failure_set(error, TT_ENGINE, "Cannot watch the replicated tables: %s",
                    sqlite3_errmsg(database));
        return FALSE;
    }
    *ret = g_steal_pointer(&capture);
    return TRUE;
}

/* "UPDATE BY SYSTEM": the store itself keeps the column of the time up to date. */
static gboolean stamp_row(sqlite3 *database, sqlite3_changeset_iter *change, const char *table,
                          const char *column, GError **error)
{
    g_autofree char *quoted = g_strdup_printf("SELECT name FROM pragma_table_info('%s')", table);
    unsigned char *key = NULL;
    sqlite3_stmt *names = NULL;
    sqlite3_stmt *update = NULL;
    GString *where = g_string_new(NULL);
    int columns = 0;
    int code = SQLITE_ERROR;

    sqlite3changeset_pk(change, &key, &columns);
    sqlite3_prepare_v2(database, quoted, -1, &names, NULL);
    for (int i = 0; i < columns && sqlite3_step(names) == SQLITE_ROW; i++) {
        if (key[i])
            g_string_append_printf(where, "%s\"%s\" = ?%d", where->len ? " AND " : "",
                                   (const char *)sqlite3_column_text(names, 0), i + 2);
    }
    sqlite3_finalize(names);
    g_free(quoted);
    quoted = g_strdup_printf("UPDATE \"%s\" SET \"%s\" = ?1 WHERE %s", table, column, where->str);
    if (sqlite3_prepare_v2(database, quoted, -1, &update, NULL) == SQLITE_OK) {
        /* Bytes and no digits: SQLite takes a text that reads as a number for one, in a column of
         * this type. */
        gint64 now = GINT64_TO_BE(g_get_real_time());

        sqlite3_bind_blob(update, 1, &now, sizeof(now), SQLITE_TRANSIENT);
        for (int i = 0; i < columns; i++) {
            sqlite3_value *value = NULL;

            if (!key[i])
                continue;
            sqlite3changeset_new(change, i, &value);
            if (!value)
                sqlite3changeset_old(change, i, &value);
            sqlite3_bind_value(update, i + 2, value);
        }
        code = sqlite3_step(update);
    }
    sqlite3_finalize(update);
    g_string_free(where, TRUE);
    if (code != SQLITE_DONE)
        failure_set(error, TT_ENGINE, "Cannot set %s of %s: %s", column, table,
                    sqlite3_errmsg(database));
    return code == SQLITE_DONE;
}

static gboolean stamp(Capture *capture, int size, void *changes, GError **error)
{
    sqlite3_changeset_iter *change = NULL;
    gboolean done = TRUE;

    if (sqlite3changeset_start(&change, size, changes) != SQLITE_OK)
        return TRUE;
    while (done && sqlite3changeset_next(change) == SQLITE_ROW) {
        g_autofree char *column = NULL;
        const char *table;
        int columns;
        int operation;
        int indirect;

        sqlite3changeset_op(change, &table, &columns, &operation, &indirect);
        column = query_text(capture->database,
                            "SELECT stamp FROM \"TT ELEMENT\" WHERE tbl = %Q AND system AND stamp"
                            " IS NOT NULL",
                            table);
        if (column && operation != SQLITE_DELETE)
            done = stamp_row(capture->database, change, table, column, error);
    }
    sqlite3changeset_finalize(change);
    return done;
}

gboolean capture_finish(Capture *capture, GError **error)
{
    gboolean stamped =
        query_number(capture->database, "SELECT count(*) FROM \"TT ELEMENT\" WHERE system") > 0;
    void *changes = NULL;
    int size = 0;
    gboolean done;

    if (sqlite3session_changeset(capture->session, &size, &changes) != SQLITE_OK) {
        failure_set(error, TT_ENGINE, "Cannot write the log: %s",
                    sqlite3_errmsg(capture->database));
        return FALSE;
    }
    if (stamped && size > 0) {
        done = stamp(capture, size, changes, error);
        sqlite3_free(changes);
        if (!done || sqlite3session_changeset(capture->session, &size, &changes) != SQLITE_OK)
            return FALSE;
    }
    done = size == 0 || replica_append(capture->database, changes, size, error);
    sqlite3_free(changes);
    return done;
}

gboolean capture_has_changes(const Capture *capture)
{
    return sqlite3session_isempty(capture->session) == 0;
}

void capture_free(Capture *capture)
{
    if (!capture)
        return;
    if (capture->session)
        sqlite3session_delete(capture->session);
    g_free(capture);
}
