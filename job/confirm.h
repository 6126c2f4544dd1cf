/* The end of an upgrade that waits to be confirmed: what a job of kind "confirm" was asked, and the
 * timer of the deadline. */
#pragma once

#include "job/job.h"

/* Whether the option -insecure-backwards-compat is to be taken away now. */
gboolean confirm_drops_compat(const Job *job);

/* Another server of ours for which INSTANCE must run: it backs it, or its way back needs it. NULL:
 * none. */
const ServerConfig *confirm_other_user(const Job *job, const char *instance);

/* Starts the timer of a deadline that was just committed, or stops it where the job has gone back;
 * nothing where there is none. */
gboolean confirm_arm(Job *job, GError **error);
/* Stops it, where the job has ended what it waits for. */
gboolean confirm_disarm(Job *job, GError **error);
