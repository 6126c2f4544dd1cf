/* How a job that runs is shown: on a terminal one line that is redrawn in place under the steps
 * that are through, elsewhere a plain line for each step as it begins. It never asks the service
 * anything.
 */
#pragma once

#include "ctl/object.h"

typedef enum { PROGRESS_SILENT, PROGRESS_LINES, PROGRESS_LIVE } ProgressMode;

typedef struct Progress Progress;

/* The mode that fits the options and what stdout is. */
ProgressMode progress_mode(const Options *options);

Progress *progress_new(ProgressMode mode);
void progress_free(Progress *progress); /* takes the redrawn line away */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Progress, progress_free)

/* Shows what is new. SERVER may be NULL. AGE_USEC: how old the job's data is; remaining and held
 * time are carried on by it, so that the clock runs between two signals. */
void progress_update(Progress *progress, const Job *job, const Server *server, guint64 age_usec);

/* "[###...]  42%  9/14 import  ETA 12.0s  3 waiting  held 8.2s", at most COLUMNS cells (0: no
 * limit, and no bar); g_free(). */
char *progress_line(const Job *job, const Server *server, guint64 age_usec, guint columns);
