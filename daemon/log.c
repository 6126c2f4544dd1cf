/* sd_journal_send() would put this file's line numbers into every entry; they help nobody. */
#define SD_JOURNAL_SUPPRESS_LOCATION

#include "daemon/log.h"
#include "common/error.h"

#include <stdio.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

static void add_field(GPtrArray *fields, const char *name, const char *value)
{
    if (value && *value)
        g_ptr_array_add(fields, g_strconcat(name, "=", value, NULL));
}

static void add_number(GPtrArray *fields, const char *name, guint64 value)
{
    if (value)
        g_ptr_array_add(fields, g_strdup_printf("%s=%" G_GUINT64_FORMAT, name, value));
}

static gboolean stderr_is_journal(void)
{
    static int known = -1;

    if (known < 0)
        known = g_log_writer_is_journald(STDERR_FILENO);
    return known;
}

void log_line(int priority, const LogFields *fields, const char *format, ...)
{
    g_autofree char *message = NULL;
    g_autofree char *level = g_strdup_printf("%d", priority);
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    struct iovec vector[9];
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    if (!stderr_is_journal()) {
        fprintf(stderr, "<%d>%s\n", priority, message);
        return;
    }
    add_field(lines, "MESSAGE", message);
    add_field(lines, "PRIORITY", level);
    add_field(lines, "SYSLOG_IDENTIFIER", "timesten-upgraded");
    add_field(lines, "MESSAGE_ID", fields->message_id);
    add_field(lines, "SERVER", fields->server);
    add_field(lines, "INSTANCE", fields->instance);
    add_number(lines, "JOB", fields->job);
    add_number(lines, "LIMIT_USEC", fields->limit_usec);
    add_field(lines, "CODE", fields->code);
    g_assert(lines->len <= G_N_ELEMENTS(vector));
    for (guint i = 0; i < lines->len; i++)
        vector[i] = (struct iovec){ lines->pdata[i], strlen(lines->pdata[i]) };
    sd_journal_sendv(vector, lines->len);
}

const char *log_code(const GError *error)
{
    return strrchr(tu_error_bus_name(error), '.') + 1;
}
