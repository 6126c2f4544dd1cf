#include "common/error.h"

#include <errno.h>

G_DEFINE_QUARK(tu-error-quark, tu_error)

#define OURS "org.timesten.Upgrade1.Error."

static const TuErrorRow rows[] = {
    [TU_ERROR_FAILED] = { "org.freedesktop.DBus.Error.Failed", 1,
                          "The system underneath failed: a file, the bus, memory." },
    [TU_ERROR_NO_SUCH_SERVER] = { OURS "NoSuchServer", 10,
                                  "No server of that name is configured." },
    [TU_ERROR_NO_SUCH_INSTANCE] = { OURS "NoSuchInstance", 11,
                                    "No instance of that name is configured." },
    [TU_ERROR_NO_SUCH_JOB] = { OURS "NoSuchJob", 12, "No job has that number." },
    [TU_ERROR_BUSY] = { OURS "Busy", 13,
                        "Another job is at work on the server or one of its instances." },
    [TU_ERROR_NOT_POSSIBLE] = { OURS "NotPossible", 14,
                                "TimesTen's rules or the state of the server forbid it." },
    [TU_ERROR_CHECKS_FAILED] = { OURS "ChecksFailed", 15,
                                 "A check found an error; nothing was changed." },
    [TU_ERROR_INHIBITED] = { OURS "Inhibited", 16, "An application forbids the change for now." },
    [TU_ERROR_INVALID_OPTION] = { OURS "InvalidOption", 17,
                                  "An option is unknown, of the wrong type or out of range." },
    [TU_ERROR_INVALID_CONFIGURATION] = { OURS "InvalidConfiguration", 18,
                                         "A configuration file is wrong." },
    [TU_ERROR_UTILITY_FAILED] = { OURS "UtilityFailed", 19, "A TimesTen utility failed." },
    [TU_ERROR_PORT_NOT_HELD] = { OURS "PortNotHeld", 20,
                                 "The server's port is not held by its socket unit." },
    [TU_ERROR_DEADLINE_PASSED] = { OURS "DeadlinePassed", 21, "A time limit passed." },
    [TU_ERROR_TOO_LATE] = { OURS "TooLate", 22,
                            "The job is past the point up to which this was possible." },
    [TU_ERROR_RECORD_DAMAGED] = { OURS "RecordDamaged", 23,
                                  "The record of a job on disk is damaged." },
    [TU_ERROR_NOT_AUTHORIZED] = { OURS "NotAuthorized", 24, "The caller may not do this." },
    [TU_ERROR_CANCELLED] = { OURS "Cancelled", 25, "The job was cancelled." },
};
G_STATIC_ASSERT(G_N_ELEMENTS(rows) == TU_N_ERRORS);

const TuErrorRow *tu_error_row(int code)
{
    return &rows[code >= 0 && code < TU_N_ERRORS ? code : TU_ERROR_FAILED];
}

gboolean tu_error_from_bus_name(const char *bus_name, TuError *ret)
{
    for (guint i = 0; i < TU_N_ERRORS; i++)
        if (g_strcmp0(rows[i].bus_name, bus_name) == 0) {
            *ret = i;
            return TRUE;
        }
    return FALSE;
}

const char *tu_error_bus_name(const GError *error)
{
    return tu_error_row(error->domain == TU_ERROR ? error->code : TU_ERROR_FAILED)->bus_name;
}

/* What helps against what the whole host suffers from, whatever was tried. */
static const struct {
    int errnum;
    const char *text;
} remedies[] = {
    { ENOSPC, ". Free space on its file system" },
    { EDQUOT, ". Free space on its file system, or raise the quota" },
    { EROFS, ". Mend its file system and mount it for writing (dmesg tells what happened)" },
    { EIO, ". Mend its file system or disk (dmesg tells what happened)" },
    { EMFILE, ". Raise LimitNOFILE= of the unit" },
    { ENFILE, ". Raise fs.file-max" },
};

gboolean tu_error_set(GError **error, TuError code, const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, TU_ERROR, code, message);
    return FALSE;
}

gboolean tu_error_errno(GError **error, int errnum, const char *format, ...)
{
    const char *remedy = "";
    g_autofree char *context = NULL;
    va_list args;

    for (guint i = 0; i < G_N_ELEMENTS(remedies); i++)
        if (remedies[i].errnum == errnum)
            remedy = remedies[i].text;

    va_start(args, format);
    context = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, TU_ERROR, TU_ERROR_FAILED, "%s: %s%s", context, g_strerror(errnum), remedy);
    return FALSE;
}
