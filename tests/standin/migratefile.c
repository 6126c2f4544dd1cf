#include "migratefile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"
#include "wire.h"

#define MAGIC    "TTMIGRATE 1"
#define PLATFORM "platform 64 bit Linux/x86_64"

struct MigrateWriter {
    FILE *file;
    char *path;
    gint64 rows;
    guint64 checksum;
};

struct MigrateReader {
    FILE *file;
    char *line;
    size_t size;
    MigrateItem item;
    gint64 rows;
    guint64 checksum;
};

/* FNV-1a */
#define CHECKSUM_START 14695981039346656037ULL

static guint64 checksum_add(guint64 checksum, const char *text)
{
    for (; *text; text++)
        checksum = (checksum ^ (guint8)*text) * 1099511628211ULL;
    return checksum;
}

static MigrateWriter *open_writer(const char *path, const char *mode, GError **error)
{
    FILE *file = fopen(path, mode);
    MigrateWriter *writer;

    if (!file) {
        failure_set(error, TT_FILE, "Cannot open file %s: %s", path, g_strerror(errno));
        return NULL;
    }
    writer = g_new0(MigrateWriter, 1);
    writer->file = file;
    writer->path = g_strdup(path);
    return writer;
}

MigrateWriter *migrate_writer_new(const char *path, const Version *version, gboolean append,
                                  GError **error)
{
    g_autofree char *release = version_text(version);
    MigrateWriter *writer;
    Version found;

    if (append && access(path, F_OK) == 0) {
        g_autoptr(MigrateReader) reader = migrate_reader_new(path, &found, error);

        if (!reader)
            return NULL;
        if (version_compare_major(&found, version) != 0) {
            failure_set(error, TT_FILE, "File %s was written by another release", path);
            return NULL;
        }
        return open_writer(path, "a", error);
    }
    writer = open_writer(path, "w", error);
    if (writer)
        fprintf(writer->file, "%s\nrelease %s\n%s\n", MAGIC, release, PLATFORM);
    return writer;
}

void migrate_write_table(MigrateWriter *writer, const char *name, gint64 rows)
{
    g_autofree char *escaped = wire_escape(name);

    fprintf(writer->file, "table %s %" G_GINT64_FORMAT "\n", escaped, rows);
    writer->rows = 0;
    writer->checksum = CHECKSUM_START;
}

void migrate_write_definition(MigrateWriter *writer, const char *sql)
{
    g_autofree char *escaped = wire_escape(sql);

    fprintf(writer->file, "define %s\n", escaped);
    writer->checksum = checksum_add(writer->checksum, escaped);
}

void migrate_write_row(MigrateWriter *writer, const char *cells)
{
    fprintf(writer->file, "row %s\n", cells);
    writer->rows++;
    writer->checksum = checksum_add(writer->checksum, cells);
}

void migrate_write_end(MigrateWriter *writer)
{
    fprintf(writer->file, "end %" G_GINT64_FORMAT " %016" G_GINT64_MODIFIER "x\n", writer->rows,
            writer->checksum);
    fflush(writer->file);
}

void migrate_write_scheme(MigrateWriter *writer, const char *name, const char *dump)
{
    g_autofree char *escaped_name = wire_escape(name);
    g_autofree char *escaped = wire_escape(dump);

    fprintf(writer->file, "replication %s %s\n", escaped_name, escaped);
}

gboolean migrate_writer_finish(MigrateWriter *writer, GError **error)
{
    gboolean done = fputs("finish\n", writer->file) >= 0 && fflush(writer->file) == 0 &&
                    fsync(fileno(writer->file)) == 0 && !ferror(writer->file);

    if (!done)
        failure_set(error, TT_FILE, "Cannot write file %s: %s", writer->path, g_strerror(errno));
    return done;
}

void migrate_writer_free(MigrateWriter *writer)
{
    if (!writer)
        return;
    fclose(writer->file);
    g_free(writer->path);
    g_free(writer);
}

/* The next line without its newline; NULL at the end or where the newline is missing. */
static char *read_line(MigrateReader *reader)
{
    ssize_t length = getline(&reader->line, &reader->size, reader->file);

    if (length <= 0 || reader->line[length - 1] != '\n')
        return NULL;
    reader->line[length - 1] = '\0';
    return reader->line;
}

MigrateReader *migrate_reader_new(const char *path, Version *ret_version, GError **error)
{
    g_autoptr(MigrateReader) reader = g_new0(MigrateReader, 1);
    const char *line;

    reader->file = fopen(path, "r");
    if (!reader->file) {
        failure_set(error, TT_FILE, "Cannot open file %s: %s", path, g_strerror(errno));
        return NULL;
    }
    line = read_line(reader);
    if (g_strcmp0(line, MAGIC) != 0 || !(line = read_line(reader)) ||
        !g_str_has_prefix(line, "release ") || !version_parse(line + 8, ret_version) ||
        g_strcmp0(read_line(reader), PLATFORM) != 0) {
        failure_set(error, TT_FILE, "File %s is not a ttMigrate file of this platform", path);
        return NULL;
    }
    return g_steal_pointer(&reader);
}

static MigrateItemKind read_table(MigrateReader *reader, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 2);

    if (!words[0] || !words[1])
        return MIGRATE_DAMAGED;
    g_free(reader->item.name);
    reader->item.name = wire_unescape(words[0]);
    reader->item.rows = g_ascii_strtoll(words[1], NULL, 10);
    reader->rows = 0;
    reader->checksum = CHECKSUM_START;
    return MIGRATE_TABLE;
}

static MigrateItemKind read_end(MigrateReader *reader, const char *text)
{
    char *rest = NULL;
    gint64 rows = g_ascii_strtoll(text, &rest, 10);

    reader->item.intact = rows == reader->rows && rows == reader->item.rows &&
                          g_ascii_strtoull(rest, NULL, 16) == reader->checksum;
    return MIGRATE_END;
}

static MigrateItemKind read_scheme(MigrateReader *reader, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 2);

    if (!words[0] || !words[1])
        return MIGRATE_DAMAGED;
    g_free(reader->item.name);
    reader->item.name = wire_unescape(words[0]);
    reader->item.text = wire_unescape(words[1]);
    return MIGRATE_SCHEME;
}

static MigrateItemKind read_item(MigrateReader *reader)
{
    char *line = read_line(reader);

    g_clear_pointer(&reader->item.text, g_free);
    if (!line)
        return MIGRATE_DAMAGED;
    if (g_str_has_prefix(line, "table "))
        return read_table(reader, line + 6);
    if (g_str_has_prefix(line, "define ")) {
        reader->checksum = checksum_add(reader->checksum, line + 7);
        reader->item.text = wire_unescape(line + 7);
        return MIGRATE_DEFINITION;
    }
    if (g_str_has_prefix(line, "row ")) {
        reader->rows++;
        reader->checksum = checksum_add(reader->checksum, line + 4);
        reader->item.text = g_strdup(line + 4);
        return MIGRATE_ROW;
    }
    if (g_str_has_prefix(line, "end "))
        return read_end(reader, line + 4);
    if (g_str_has_prefix(line, "replication "))
        return read_scheme(reader, line + 12);
    if (strcmp(line, "finish") == 0) {
        int next = getc(reader->file);

        if (next == EOF)
            return MIGRATE_FINISH;
        ungetc(next, reader->file); /* something was appended */
        return read_item(reader);
    }
    return MIGRATE_DAMAGED;
}

const MigrateItem *migrate_reader_next(MigrateReader *reader)
{
    reader->item.kind = read_item(reader);
    return &reader->item;
}

void migrate_reader_free(MigrateReader *reader)
{
    if (!reader)
        return;
    if (reader->file)
        fclose(reader->file);
    free(reader->line);
    g_free(reader->item.name);
    g_free(reader->item.text);
    g_free(reader);
}
