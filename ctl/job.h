/* The end of a followed job, the same for "upgrade" and for "job --follow". */
#pragma once

#include "ctl/object.h"

#define EXIT_DETACHED 130 /* as a shell counts the end by Ctrl-C */

/* Follows and reports; returns ttctl's exit status: 0 only for the result "done". */
int job_follow(Session *session, guint64 id, const char *path, GError **error);

/* The report on a finished job. */
void job_report(Session *session, const Job *job);
