/* Lines for the journal, with the fields that an operator filters by: journalctl SERVER=main. */
#pragma once

#include <glib.h>
#include <syslog.h>

typedef struct {
    const char *message_id; /* of common/message.h; NULL none */
    const char *server;
    const char *instance;
    guint64 job;        /* 0 none */
    guint64 limit_usec; /* 0 none */
    const char *code;   /* last part of a bus error name, as "InvalidConfiguration" */
} LogFields;

/* PRIORITY is syslog's. Goes to stderr where that is not the journal, as under a test. */
void log_line(int priority, const LogFields *fields, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The last part of the bus name of an error: what goes into CODE. */
const char *log_code(const GError *error);
