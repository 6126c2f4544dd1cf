/* ttMigrate -c and -a, and the listings of a file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"
#include "fault.h"
#include "migrate.h"
#include "migratefile.h"
#include "scheme.h"
#include "store.h"
#include "wire.h"

typedef struct {
    Migration *migration;
    sqlite3 *database;
    MigrateWriter *writer;
    guint saved;
    guint failed;
} Saving;

static gint64 count_rows(sqlite3 *database, const char *table)
{
    char *sql = sqlite3_mprintf("SELECT count(*) FROM \"%w\"", table);
    sqlite3_stmt *statement = NULL;
    gint64 rows = 0;

    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        rows = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_free(sql);
    return rows;
}

/* Tables OWNER.NAME in the order of their making. g_strfreev(). */
static char **list_tables(const Saving *saving)
{
    g_autoptr(GStrvBuilder) tables = g_strv_builder_new();
    sqlite3_stmt *statement = NULL;

    sqlite3_prepare_v2(saving->database,
                       "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%.%' "
                       "ORDER BY rowid",
                       -1, &statement, NULL);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);

        if (migration_wants(saving->migration, name))
            g_strv_builder_add(tables, name);
    }
    sqlite3_finalize(statement);
    return g_strv_builder_end(tables);
}

static void write_definitions(const Saving *saving, const char *table)
{
    sqlite3_stmt *statement = NULL;

    sqlite3_prepare_v2(saving->database,
                       "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL "
                       "AND type IN ('table', 'index') ORDER BY type DESC, rowid",
                       -1, &statement, NULL);
    sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
    while (sqlite3_step(statement) == SQLITE_ROW)
        migrate_write_definition(saving->writer, (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
}

/* A letter for the type, then the value. */
static void append_cell(GString *cells, sqlite3_stmt *statement, int column)
{
    g_autofree char *escaped = NULL;
    const guint8 *bytes;

    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        g_string_append_printf(cells, "i%" G_GINT64_FORMAT,
                               (gint64)sqlite3_column_int64(statement, column));
        break;
    case SQLITE_FLOAT:
        g_string_append_printf(cells, "r%.17g", sqlite3_column_double(statement, column));
        break;
    case SQLITE_TEXT:
        escaped = wire_escape((const char *)sqlite3_column_text(statement, column));
        g_string_append_printf(cells, "t%s", escaped);
        break;
    case SQLITE_BLOB:
        bytes = sqlite3_column_blob(statement, column);
        g_string_append_c(cells, 'b');
        for (int i = 0; i < sqlite3_column_bytes(statement, column); i++)
            g_string_append_printf(cells, "%02x", bytes[i]);
        break;
    default:
        g_string_append_c(cells, 'n');
    }
}

/* Rows written; fewer than there are where a signal came. */
static gint64 write_rows(const Saving *saving, const char *table)
{
    char *sql = sqlite3_mprintf("SELECT * FROM \"%w\"", table);
    g_autoptr(GString) cells = g_string_new(NULL);
    sqlite3_stmt *statement = NULL;
    gint64 rows = 0;

    sqlite3_prepare_v2(saving->database, sql, -1, &statement, NULL);
    while (!migration_interrupted() && sqlite3_step(statement) == SQLITE_ROW) {
        g_string_truncate(cells, 0);
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            if (i > 0)
                g_string_append_c(cells, ' ');
            append_cell(cells, statement, i);
        }
        migrate_write_row(saving->writer, cells->str);
        rows++;
        migration_step(saving->migration);
    }
    sqlite3_finalize(statement);
    sqlite3_free(sql);
    return rows;
}

static gboolean must_fail(const char *table, gboolean last)
{
    const char *partial = fault_get("partial");

    return partial && (*partial ? g_ascii_strcasecmp(partial, table) == 0 : last);
}

static void save_table(Saving *saving, const char *table, gboolean last)
{
    gint64 expected = count_rows(saving->database, table);
    gint64 rows;

    migration_say(saving->migration, "\nSaving table %s", table);
    if (must_fail(table, last)) {
        g_autoptr(GError) error = NULL;

        failure_set(&error, TT_ENGINE, "Cannot read table %s", table);
        print_failure(saving->migration->instance, error);
        migration_say(saving->migration, "Table not saved.");
        saving->failed++;
        return;
    }
    migrate_write_table(saving->writer, table, expected);
    write_definitions(saving, table);
    migration_say(saving->migration, "  Saving rows...");
    rows = write_rows(saving, table);
    if (migration_interrupted())
        return;
    migrate_write_end(saving->writer);
    migration_say(saving->migration, "  %" G_GINT64_FORMAT "/%" G_GINT64_FORMAT " rows saved.",
                  rows, expected);
    migration_say(saving->migration, "Table successfully saved.");
    saving->saved++;
}

/* The bookmarks in it are as old as the rows: both are read in one transaction. */
static void save_scheme(Saving *saving)
{
    g_autofree char *dump = scheme_dump(saving->database);
    g_autofree char *name = dump ? scheme_name(saving->database) : NULL;

    if (!dump || saving->migration->objects[0])
        return;
    migration_say(saving->migration, "\nSaving replication scheme %s", name);
    migrate_write_scheme(saving->writer, name, dump);
    migration_say(saving->migration, "Replication scheme successfully saved.");
}

/* Faults: damages the finished file without a word. */
static void damage(const char *path)
{
    g_autofree char *text = NULL;
    gsize length;

    if (!g_file_get_contents(path, &text, &length, NULL))
        return;
    text[length / 2] = text[length / 2] == '7' ? '8' : '7';
    if (fault_get("truncate") ? truncate(path, (off_t)(length / 2)) < 0
                              : !g_file_set_contents_full(path, text, (gssize)length,
                                                          G_FILE_SET_CONTENTS_NONE, 0640, NULL))
        fprintf(stderr, "the fault could not be made\n");
}

int migration_save(Migration *migration, Session *session, gboolean append)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MigrateWriter) writer =
        migrate_writer_new(migration->file, &migration->instance->version, append, &error);
    Saving saving = { .migration = migration,
                      .database = session_database(session),
                      .writer = writer };
    g_auto(GStrv) tables = NULL;

    if (!writer || !store_execute(saving.database, "BEGIN", &error)) {
        print_failure(migration->instance, error);
        return MIGRATE_FATAL;
    }
    tables = list_tables(&saving);
    for (guint i = 0; tables[i]; i++)
        migration->total += count_rows(saving.database, tables[i]);
    for (guint i = 0; tables[i] && !migration_interrupted(); i++)
        save_table(&saving, tables[i], tables[i + 1] == NULL);
    save_scheme(&saving);
    if (migration_interrupted())
        return MIGRATE_INTERRUPTED;
    if (!migrate_writer_finish(writer, &error)) {
        print_failure(migration->instance, error);
        return MIGRATE_FATAL;
    }
    if (fault_get("corrupt") || fault_get("truncate"))
        damage(migration->file);
    return saving.failed > 0 ? MIGRATE_SOME : MIGRATE_ALL;
}

int migration_list(Migration *migration, gboolean long_list, gboolean describe)
{
    g_autoptr(GError) error = NULL;
    Version version;
    g_autoptr(MigrateReader) reader = migrate_reader_new(migration->file, &version, &error);
    const MigrateItem *item;

    if (!reader) {
        print_failure(migration->instance, error);
        return MIGRATE_FATAL;
    }
    while ((item = migrate_reader_next(reader))->kind < MIGRATE_FINISH) {
        if (!migration_wants(migration, item->name))
            continue;
        if (item->kind == MIGRATE_TABLE && long_list)
            printf("TABLE %s  %" G_GINT64_FORMAT " rows\n", item->name, item->rows);
        else if (item->kind == MIGRATE_TABLE)
            printf("%s\n", item->name);
        else if (item->kind == MIGRATE_SCHEME)
            printf("%s%s\n", long_list ? "REPLICATION " : "", item->name);
        else if (item->kind == MIGRATE_DEFINITION && describe)
            printf("  %s;\n", item->text);
    }
    if (item->kind == MIGRATE_FINISH)
        return MIGRATE_ALL;
    fprintf(stderr, "ttMigrate: file %s is damaged or unfinished\n", migration->file);
    return MIGRATE_SOME;
}
