/* Applies a peer's transaction. Without CHECK CONFLICTS what comes in wins; with it the later time
 * stamp wins. What loses is logged.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "failure.h"

typedef struct {
    const Agent *agent;
    sqlite3 *database;
    char **tables;
    gboolean rolled_back; /* ON EXCEPTION ROLLBACK WORK */
} Application;

static int is_ours(void *data, const char *table)
{
    const Application *application = data;

    return g_strv_contains((const char *const *)application->tables, table);
}

static void report(const Application *application, const char *table, const char *what)
{
    g_autofree char *path = query_text(
        application->database,
        "SELECT report FROM \"TT ELEMENT\" WHERE tbl = %Q AND report IS NOT NULL", table);
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0660) : -1;

    instance_log(application->agent->instance, "Warn", "replication conflict in %s: %s", table,
                 what);
    if (fd >= 0) {
        dprintf(fd, "Conflict in table %s: %s\n", table, what);
        close(fd);
    }
}

static int compare(sqlite3_value *a, sqlite3_value *b)
{
    int size_a = a ? sqlite3_value_bytes(a) : 0;
    int size_b = b ? sqlite3_value_bytes(b) : 0;
    int order;

    if (size_a == 0 || size_b == 0)
        return size_a - size_b;
    order = memcmp(sqlite3_value_blob(a), sqlite3_value_blob(b), (gsize)MIN(size_a, size_b));
    return order ? order : size_a - size_b;
}

/* Whether the incoming row is the later one. */
static gboolean is_later(const Application *application, const char *table, const char *column,
                         sqlite3_changeset_iter *change)
{
    int index = (int)query_number(application->database,
                                  "SELECT cid FROM pragma_table_info(%Q) WHERE name = %Q COLLATE"
                                  " NOCASE",
                                  table, column);
    sqlite3_value *theirs = NULL;
    sqlite3_value *ours = NULL;

    sqlite3changeset_new(change, index, &theirs);
    sqlite3changeset_conflict(change, index, &ours);
    return compare(theirs, ours) > 0;
}

static int lose(Application *application, const char *table, const char *what)
{
    gboolean alone = query_number(application->database,
                                  "SELECT alone FROM \"TT ELEMENT\" WHERE tbl = %Q AND stamp IS"
                                  " NOT NULL",
                                  table) != 0;

    report(application, table, what);
    application->rolled_back |= !alone;
    return alone ? SQLITE_CHANGESET_OMIT : SQLITE_CHANGESET_ABORT;
}

static int on_conflict(void *data, int kind, sqlite3_changeset_iter *change)
{
    Application *application = data;
    g_autofree char *column = NULL;
    const char *table = "";
    int columns;
    int operation;
    int indirect;

    if (kind == SQLITE_CHANGESET_FOREIGN_KEY) {
        report(application, "(any)", "a foreign key is violated");
        return SQLITE_CHANGESET_OMIT;
    }
    sqlite3changeset_op(change, &table, &columns, &operation, &indirect);
    column =
        query_text(application->database,
                   "SELECT stamp FROM \"TT ELEMENT\" WHERE tbl = %Q AND stamp IS NOT NULL", table);
    switch (kind) {
    case SQLITE_CHANGESET_DATA:
    case SQLITE_CHANGESET_CONFLICT:
        if (!column) {
            report(application, table,
                   kind == SQLITE_CHANGESET_DATA ? "the row was changed here, too: overwritten"
                                                 : "the row is here already: overwritten");
            return SQLITE_CHANGESET_REPLACE;
        }
        if (operation == SQLITE_DELETE || is_later(application, table, column, change)) {
            report(application, table, "the incoming row is later: taken");
            return SQLITE_CHANGESET_REPLACE;
        }
        return lose(application, table, "the row here is later: kept");
    case SQLITE_CHANGESET_NOTFOUND:
        if (column)
            return lose(application, table, "the row is not here");
        report(application, table, "the row is not here: skipped");
        return SQLITE_CHANGESET_OMIT;
    default:
        report(application, table, "a unique index is violated: skipped");
        return SQLITE_CHANGESET_OMIT;
    }
}

gboolean apply_changes(const Agent *agent, sqlite3 *database, char **tables, void *changes,
                       int size, GError **error)
{
    Application application = { agent, database, tables, FALSE };
    int code = sqlite3changeset_apply(database, size, changes, is_ours, on_conflict, &application);

    if (code == SQLITE_OK)
        return TRUE;
    if (!application.rolled_back)
        failure_set(error, TT_ENGINE, "Cannot apply a transaction: %s", sqlite3_errmsg(database));
    return FALSE;
}
