/* Making a change: asking the service for a job and following it to its end. */
#pragma once

#include "ctl/request.h"

/* The whole of "upgrade" and its like; returns ttctl's exit status. */
int change_run(Session *session, const Change *change, GError **error);

/* With --no-wait: what was begun. */
void change_print_begun(Session *session, guint64 id, const char *path);
