/* "key=value key=value" on one line: the form of the published status and of the keeper's state
 * file.
 *
 * A table of fields says where each key lives in a struct. Unknown keys are passed over, so that an
 * old reader understands a newer keeper; a missing or doubled key is an error, so that half a line
 * is never taken for a whole one.
 */
#pragma once

#include <glib.h>

typedef enum {
    LINE_WORD,   /* char *; "-" stands for NULL */
    LINE_STATE,  /* KeeperState */
    LINE_UINT,   /* guint */
    LINE_UINT64, /* guint64 */
} LineType;

typedef struct {
    const char *key; /* NULL ends the table */
    LineType type;
    gsize offset;
    gboolean optional; /* a line of an older keeper lacks it */
} LineField;

/* The line without a newline; g_free(). */
char *line_format(const LineField *fields, gconstpointer values);

/* Fills VALUES, which must be zeroed. After FALSE it may be half filled; the caller frees it. */
gboolean line_parse(const char *line, const LineField *fields, gpointer values, GError **error);
