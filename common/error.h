/* The one table of public errors.
 *
 * A row gives the C code, the D-Bus name, ttctl's exit status and the manual's line, so that none of
 * the four can drift from the others. Everything below the bus reports with GError in TU_ERROR; the
 * daemon turns it into a bus error in one place, ttctl into an exit status in one place.
 */
#pragma once

#include <glib.h>

typedef enum {
    TU_ERROR_FAILED, /* the system underneath said no: I/O, memory, bus */
    TU_ERROR_NO_SUCH_SERVER,
    TU_ERROR_NO_SUCH_INSTANCE,
    TU_ERROR_NO_SUCH_JOB,
    TU_ERROR_BUSY,
    TU_ERROR_NOT_POSSIBLE,
    TU_ERROR_CHECKS_FAILED,
    TU_ERROR_INHIBITED,
    TU_ERROR_INVALID_OPTION,
    TU_ERROR_INVALID_CONFIGURATION,
    TU_ERROR_UTILITY_FAILED,
    TU_ERROR_PORT_NOT_HELD,
    TU_ERROR_DEADLINE_PASSED,
    TU_ERROR_TOO_LATE,
    TU_ERROR_RECORD_DAMAGED,
    TU_ERROR_NOT_AUTHORIZED,
    TU_ERROR_CANCELLED,
    TU_N_ERRORS,
} TuError;

#define TU_ERROR (tu_error_quark())
GQuark tu_error_quark(void);

typedef struct {
    const char *bus_name; /* org.timesten.Upgrade1.Error.Busy */
    int exit_status;      /* of ttctl */
    const char *meaning;  /* one line for the manual */
} TuErrorRow;

/* The row of a code; any other number gives the row of TU_ERROR_FAILED. */
const TuErrorRow *tu_error_row(int code);

/* The code behind a bus name; FALSE where the name is not one of ours. */
gboolean tu_error_from_bus_name(const char *bus_name, TuError *ret);

/* The bus name for any GError: its row for TU_ERROR, org.freedesktop.DBus.Error.Failed otherwise. */
const char *tu_error_bus_name(const GError *error);

/* An error of ours. Always returns FALSE, for `return tu_error_set(…)`. */
gboolean tu_error_set(GError **error, TuError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* An error made of errno: "CONTEXT: strerror". Always returns FALSE, for `return tu_error_errno(…)`. */
gboolean tu_error_errno(GError **error, int errnum, const char *format, ...) G_GNUC_PRINTF(3, 4);
