/* The file that ttMigrate writes and reads: lines of text, a header, per table its definitions,
 * rows, and an end with count and checksum, so that damage is noticed. README.md shows one.
 */
#pragma once

#include "release.h"

typedef struct MigrateWriter MigrateWriter;
typedef struct MigrateReader MigrateReader;

/* APPEND continues a file of the same major release. Errors name the file. */
MigrateWriter *migrate_writer_new(const char *path, const Version *version, gboolean append,
                                  GError **error);
void migrate_write_table(MigrateWriter *writer, const char *name, gint64 rows);
void migrate_write_definition(MigrateWriter *writer, const char *sql);
void migrate_write_row(MigrateWriter *writer, const char *cells);
void migrate_write_end(MigrateWriter *writer);
void migrate_write_scheme(MigrateWriter *writer, const char *name, const char *dump);
/* Ends the file in order and closes it; without it the file stays unfinished. */
gboolean migrate_writer_finish(MigrateWriter *writer, GError **error);
void migrate_writer_free(MigrateWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MigrateWriter, migrate_writer_free)

typedef enum {
    MIGRATE_TABLE,      /* name, rows */
    MIGRATE_DEFINITION, /* text: SQL */
    MIGRATE_ROW,        /* text: cells */
    MIGRATE_END,        /* intact tells whether count and checksum are right */
    MIGRATE_SCHEME,     /* name, text: the replication scheme as SQL */
    MIGRATE_FINISH,
    MIGRATE_DAMAGED, /* the file ends too early or a line makes no sense */
} MigrateItemKind;

typedef struct {
    MigrateItemKind kind;
    char *name;
    gint64 rows;
    char *text; /* valid until the next call */
    gboolean intact;
} MigrateItem;

/* Errors: not such a file. VERSION gets the release that wrote it. */
MigrateReader *migrate_reader_new(const char *path, Version *ret_version, GError **error);
/* The next item; after FINISH or DAMAGED nothing more is to be read. */
const MigrateItem *migrate_reader_next(MigrateReader *reader);
void migrate_reader_free(MigrateReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MigrateReader, migrate_reader_free)
