/* Numbers as people read them, and back. Returned strings are the caller's. */
#pragma once

#include <glib.h>

#define USEC_PER_SEC  ((guint64)1000000)
#define USEC_PER_MSEC ((guint64)1000)
#define USEC_NEVER    G_MAXUINT64

/* "850ms", "12.4s", "3min 20s", "2h 5min"; "never" for USEC_NEVER. */
char *text_timespan(guint64 usec);

/* "512 B", "1.5 KiB", "12 MiB". */
char *text_bytes(guint64 bytes);

/* Seconds in systemd's way: "90", "90s", "2min", "1min 30s", "500ms", "1h", "infinity". */
gboolean text_parse_timespan(const char *text, guint64 *ret_usec);

/* A decimal number in [MIN, MAX] with nothing around it. */
gboolean text_parse_uint64(const char *text, guint64 min, guint64 max, guint64 *ret);

/* One line of printable text: control characters become spaces, runs of blanks become one, and what is
 * longer than LIMIT bytes is cut with "…". For putting what a utility printed into a message. */
char *text_one_line(const char *text, gsize limit);
