/* One line of a record: its text, its checksum, and a whole file of them. Internal to state/. */
#pragma once

#include "state/record.h"

#define RECORD_LIMIT                                                                               \
    (16 * 1024 * 1024) /* bytes of a whole record; a long job writes a hundredth                   \
                        */

/* The line with its newline; g_free(). NULL with an error where STEP, a key or a value cannot be
 * written: names are printable ASCII without blanks, '=', '"' and '\\'; a value may have 64 KiB.
 * Values for people
 * ("message", "description", "detail") are cut instead. */
char *record_line_format(guint64 seq, guint64 usec, RecordEvent event, const char *step,
                         GHashTable *values, GError **error);

/* A line that is not read but made; the keys and values are copied. */
RecordLine *record_line_new(guint64 seq, guint64 usec, RecordEvent event, const char *step,
                            GHashTable *values);

typedef struct {
    GPtrArray *lines; /* RecordLine, up to the first that is wrong */
    gsize good;       /* bytes that they take */
    gboolean torn;    /* behind them is one torn line, as a power cut leaves it */
    guint damaged;    /* the number of the line that is damaged, 0: none */
} RecordScan;

/* Reads the text of a record; never fails. */
RecordScan record_scan(const char *text, gsize length);
