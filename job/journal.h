/* Lines of a job for the journal, with the fields that an operator filters by (journalctl JOB=7)
 * and the ids that the catalog explains (journalctl -x). */
#pragma once

#include "job/job.h"

#include <syslog.h>

typedef struct {
    int priority;           /* syslog's */
    const char *message_id; /* of common/message.h; NULL none */
    const char *result;     /* of the job; NULL none */
    const GError *error;    /* gives CODE; NULL none */
} JournalFields;

/* One line about a job and the step at work. */
void journal_line(const Job *job, const JournalFields *fields, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
