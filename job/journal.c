/* sd_journal_send() would put this file's line numbers into every entry; they help nobody. */
#define SD_JOURNAL_SUPPRESS_LOCATION

#include "job/journal.h"
#include "common/error.h"

#include <sys/uio.h>
#include <systemd/sd-journal.h>

#define FIELDS 12

static void add(GPtrArray *fields, const char *name, const char *value)
{
    if (value && *value)
        g_ptr_array_add(fields, g_strconcat(name, "=", value, NULL));
}

void journal_line(const Job *job, const JournalFields *fields, const char *format, ...)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *priority = g_strdup_printf("%d", fields->priority);
    g_autofree char *message = NULL;
    struct iovec vector[FIELDS];
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    add(lines, "MESSAGE", message);
    add(lines, "PRIORITY", priority);
    add(lines, "SYSLOG_IDENTIFIER", "upgrade-job");
    add(lines, "MESSAGE_ID", fields->message_id);
    add(lines, "JOB", job->tag);
    add(lines, "SERVER", job->request->server);
    add(lines, "FROM", job->request->from);
    add(lines, "TO", job->request->to);
    add(lines, "METHOD", job->request->method);
    add(lines, "STEP", job->at);
    add(lines, "RESULT", fields->result);
    if (fields->error)
        add(lines, "CODE", strrchr(tu_error_bus_name(fields->error), '.') + 1);
    g_assert(lines->len <= FIELDS);
    for (guint i = 0; i < lines->len; i++)
        vector[i] = (struct iovec){ lines->pdata[i], strlen(lines->pdata[i]) };
    sd_journal_sendv(vector, lines->len);
}
