/* How far a running job is: in /run, rewritten as it changes, never synced. Losing it loses
 * nothing. */
#pragma once

#include <glib.h>

typedef struct {
    char *state;            /* "waiting", "running", "cancelling", "undoing" */
    char *step;             /* id of the step at work */
    double fraction;        /* 0 … 1 of the whole job */
    guint64 remaining_usec; /* estimate; USEC_NEVER unknown */
    guint64 held_usec;      /* how long the port has been held so far */
    guint held;             /* connects waiting in the queue */
    char *detail;           /* one line: "orders: 120000 of 300000 rows" */
    gboolean can_cancel;
} JobProgress;

/* Errors name the file; the work goes on without. */
gboolean progress_write(guint64 id, const JobProgress *progress, GError **error);
JobProgress *progress_read(guint64 id); /* NULL: none */
void progress_free(JobProgress *progress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JobProgress, progress_free)
