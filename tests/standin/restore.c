/* ttMigrate -r: table by table into a database that is new or exists. While it runs the store is
 * marked, so that an interrupted restore leaves one that nobody can connect to (662).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "fault.h"
#include "migrate.h"
#include "migratefile.h"
#include "scheme.h"
#include "store.h"
#include "wire.h"

#define ROWS_PER_COMMIT 5000

typedef struct {
    Migration *migration;
    sqlite3 *database;
    MigrateReader *reader;
    sqlite3_stmt *insert; /* of the table at hand */
    char *table;
    gint64 expected;
    gint64 rows;
    const char *path;   /* of the data store */
    gboolean old_types; /* the file is of a release before 7.0, and this store is not */
    gint64 to_lose;     /* fault: rows that are counted and not written */
    gboolean good;      /* nothing went wrong with the table at hand */
    guint restored;
    guint failed;
} Restoring;

static void print_number(const Restoring *restoring, int number, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void print_number(const Restoring *restoring, int number, const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    va_list arguments;

    va_start(arguments, format);
    error = g_error_new_valist(TT_FAILURE, number, format, arguments);
    va_end(arguments);
    print_failure(restoring->migration->instance, error);
}

static void fail_table(Restoring *restoring, int number, const char *why)
{
    if (restoring->good)
        print_number(restoring, number, "Table %s: %s", restoring->table, why);
    restoring->good = FALSE;
}

static void bind_cell(sqlite3_stmt *insert, int column, const char *cell)
{
    g_autofree char *text = NULL;
    GString *bytes;

    switch (*cell) {
    case 'i':
        sqlite3_bind_int64(insert, column, g_ascii_strtoll(cell + 1, NULL, 10));
        break;
    case 'r':
        sqlite3_bind_double(insert, column, g_ascii_strtod(cell + 1, NULL));
        break;
    case 't':
        text = wire_unescape(cell + 1);
        sqlite3_bind_text(insert, column, text, -1, SQLITE_TRANSIENT);
        break;
    case 'b':
        bytes = g_string_new(NULL);
        for (const char *c = cell + 1; c[0] && c[1]; c += 2)
            g_string_append_c(bytes,
                              (char)(g_ascii_xdigit_value(c[0]) * 16 + g_ascii_xdigit_value(c[1])));
        sqlite3_bind_blob64(insert, column, bytes->str, bytes->len, SQLITE_TRANSIENT);
        g_string_free(bytes, TRUE);
        break;
    default:
        sqlite3_bind_null(insert, column);
    }
}

static gboolean prepare_insert(Restoring *restoring, guint cells)
{
    g_autoptr(GString) marks = g_string_new("?");
    char *sql;
    gboolean done;

    for (guint i = 1; i < cells; i++)
        g_string_append(marks, ", ?");
    sql = sqlite3_mprintf("INSERT INTO \"%w\" VALUES (%s)", restoring->table, marks->str);
    done = sqlite3_prepare_v2(restoring->database, sql, -1, &restoring->insert, NULL) == SQLITE_OK;
    sqlite3_free(sql);
    return done;
}

static gboolean insert_row(Restoring *restoring, const char *text)
{
    g_auto(GStrv) cells = g_strsplit(text, " ", -1);
    guint n = g_strv_length(cells);
    int code;

    if (!restoring->insert && !prepare_insert(restoring, n))
        return FALSE;
    for (guint i = 0; i < n; i++)
        bind_cell(restoring->insert, (int)i + 1, cells[i]);
    code = sqlite3_step(restoring->insert);
    sqlite3_reset(restoring->insert);
    return code == SQLITE_DONE;
}

static gboolean transact(Restoring *restoring, const char *what)
{
    return sqlite3_exec(restoring->database, what, NULL, NULL, NULL) == SQLITE_OK;
}

static gboolean must_stop_half_way(const Restoring *restoring)
{
    const char *partial = fault_get("partial");

    return partial && restoring->rows * 2 >= restoring->expected &&
           (*partial ? g_ascii_strcasecmp(partial, restoring->table) == 0 : TRUE);
}

static void begin_table(Restoring *restoring, const MigrateItem *item)
{
    g_free(restoring->table);
    restoring->table = g_strdup(item->name);
    restoring->expected = item->rows;
    restoring->rows = 0;
    restoring->good = TRUE;
    migration_say(restoring->migration, "\nRestoring table %s", item->name);
    transact(restoring, "BEGIN IMMEDIATE");
}

static void define(Restoring *restoring, const MigrateItem *item)
{
    g_autoptr(GError) error = NULL;

    if (!restoring->good)
        return;
    if (!transact(restoring, item->text)) {
        sql_failure(restoring->database, &error);
        fail_table(restoring, error->code, error->message);
    } else if (restoring->rows == 0 && g_ascii_strncasecmp(item->text, "CREATE TABLE", 12) == 0) {
        migration_say(restoring->migration, "  Restoring rows...");
    }
}

static void take_row(Restoring *restoring, const MigrateItem *item)
{
    if (restoring->good && must_stop_half_way(restoring))
        fail_table(restoring, TT_ENGINE, "Cannot insert row: data store space exhausted");
    if (!restoring->good)
        return;
    if (restoring->to_lose > 0) {
        restoring->to_lose--;
    } else if (!insert_row(restoring, item->text)) {
        fail_table(restoring, TT_ENGINE, sqlite3_errmsg(restoring->database));
        return;
    }
    restoring->rows++;
    if (restoring->rows % ROWS_PER_COMMIT == 0) {
        transact(restoring, "COMMIT");
        transact(restoring, "BEGIN IMMEDIATE");
    }
}

static void end_table(Restoring *restoring, const MigrateItem *item)
{
    sqlite3_finalize(g_steal_pointer(&restoring->insert));
    if (!item->intact)
        fail_table(restoring, TT_FILE, "the file is damaged: count or checksum is wrong");
    if (!transact(restoring, "COMMIT"))
        fail_table(restoring, TT_ENGINE, sqlite3_errmsg(restoring->database));
    migration_say(restoring->migration,
                  "  %" G_GINT64_FORMAT "/%" G_GINT64_FORMAT " rows restored.", restoring->rows,
                  restoring->expected);
    migration_say(restoring->migration,
                  restoring->good ? "Table successfully restored." : "Table not restored.");
    restoring->restored += restoring->good;
    restoring->failed += !restoring->good;
}

/* Columns that came from before 7.0 keep their types, whatever their names mean now. */
static void keep_types(Restoring *restoring)
{
    g_autofree char *meta = g_strconcat("types ", restoring->table, NULL);

    if (restoring->old_types)
        store_set(restoring->database, meta, "tt", NULL);
}

static void take_scheme(Restoring *restoring, const MigrateItem *item)
{
    const Arguments *arguments = restoring->migration->arguments;
    g_autoptr(GError) error = NULL;
    gboolean relaxed = arguments_value(arguments, "-noRepUpgrade") ||
                       arguments_value(arguments, "-relaxedUpgrade");
    gboolean done;

    migration_say(restoring->migration, "\nRestoring replication scheme %s", item->name);
    transact(restoring, "BEGIN IMMEDIATE");
    done = scheme_restore(restoring->database, restoring->path, item->text,
                          arguments_value(arguments, "-localhost"), &error) &&
           (!relaxed || store_set(restoring->database, "relaxed", "1", &error));
    transact(restoring, done ? "COMMIT" : "ROLLBACK");
    if (!done)
        print_failure(restoring->migration->instance, error);
    migration_say(restoring->migration, done ? "Replication scheme successfully restored."
                                             : "Replication scheme not restored.");
    restoring->restored += done;
    restoring->failed += !done;
}

static void take_item(Restoring *restoring, const MigrateItem *item)
{
    if (!migration_wants(restoring->migration, item->name))
        return;
    switch (item->kind) {
    case MIGRATE_TABLE:
        begin_table(restoring, item);
        break;
    case MIGRATE_DEFINITION:
        define(restoring, item);
        break;
    case MIGRATE_ROW:
        take_row(restoring, item);
        migration_step(restoring->migration);
        break;
    case MIGRATE_END:
        keep_types(restoring);
        end_table(restoring, item);
        break;
    case MIGRATE_SCHEME:
        take_scheme(restoring, item);
        break;
    default:
        break;
    }
}

static int restore_all(Restoring *restoring)
{
    const MigrateItem *item;

    while ((item = migrate_reader_next(restoring->reader))->kind < MIGRATE_FINISH) {
        if (migration_interrupted())
            return MIGRATE_INTERRUPTED;
        take_item(restoring, item);
    }
    if (migration_interrupted())
        return MIGRATE_INTERRUPTED;
    if (item->kind == MIGRATE_DAMAGED) {
        transact(restoring, "ROLLBACK");
        print_number(restoring, TT_FILE, "File %s is damaged or unfinished",
                     restoring->migration->file);
        return restoring->restored > 0 ? MIGRATE_SOME : MIGRATE_FATAL;
    }
    return restoring->failed > 0 ? MIGRATE_SOME : MIGRATE_ALL;
}

/* Rows of all tables in the file, so that the middle of the work is known. */
static gint64 count_all(const char *path)
{
    Version version;
    g_autoptr(MigrateReader) reader = migrate_reader_new(path, &version, NULL);
    const MigrateItem *item;
    gint64 rows = 0;

    while (reader && (item = migrate_reader_next(reader))->kind < MIGRATE_FINISH)
        rows += item->kind == MIGRATE_TABLE ? item->rows : 0;
    return rows;
}

int migration_restore(Migration *migration, const Target *target)
{
    static const SessionKind kind = { .type = "Process", .name = "ttMigrate" };
    g_autoptr(GError) error = NULL;
    Version version;
    g_autoptr(MigrateReader) reader = migrate_reader_new(migration->file, &version, &error);
    g_autoptr(Session) session = NULL;
    Restoring restoring = { .migration = migration, .reader = reader };
    int status;

    if (reader && !version_reads_file(&migration->instance->version, &version))
        failure_set(&error, TT_FILE, "File %s was written by a newer release", migration->file);
    else if (reader)
        session = session_open(migration->instance, target, &kind, &error);
    if (!session || !store_set(session_database(session), "restoring", "1", &error)) {
        print_failure(migration->instance, error);
        return MIGRATE_FATAL;
    }
    if (fault_get("at"))
        migration->total = count_all(migration->file);
    if (fault_get("lose"))
        restoring.to_lose = MAX(1, atoi(fault_get("lose")));
    restoring.database = session_database(session);
    restoring.path = target->data_store;
    restoring.old_types = version.part[0] < 7 && migration->instance->version.part[0] >= 7 &&
                          !arguments_value(migration->arguments, "-convertTypesToOra");
    status = restore_all(&restoring);
    if (status != MIGRATE_INTERRUPTED &&
        !store_set(restoring.database, "restoring", NULL, &error)) {
        print_failure(migration->instance, error);
        status = MIGRATE_FATAL;
    }
    sqlite3_finalize(restoring.insert);
    g_free(restoring.table);
    return status;
}
