/* What ttMigrate printed: rows by table, saved or restored (facts 3.4). */
#pragma once

#include <glib.h>

typedef struct {
    char *name;        /* OWNER.TABLE */
    guint64 rows;      /* the N of "N/M rows …" */
    guint64 expected;  /* the M */
    gboolean finished; /* "Table successfully …" was seen */
} MigrateTable;

/* Tables in the order of the output; a half-written last line is passed over, so a running utility's
 * output may be parsed at any time. Free with g_ptr_array_unref(). */
GPtrArray *migrate_parse(const char *output);

/* Compares what was saved with what was restored: the same tables, each N/N on both sides. Otherwise FALSE
 * and *ret_difference names the first table that differs and how (g_free()). */
gboolean migrate_compare(const GPtrArray *saved, const GPtrArray *restored, char **ret_difference);
