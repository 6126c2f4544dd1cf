/* The end of an upgrade that waits to be confirmed: what a job of kind "confirm" was asked, and the
 * timer of the deadline. */
#pragma once

#include "job/job.h"

/* Whether the option -insecure-backwards-compat is to be taken away now. */
gboolean confirm_drops_compat(const Job *job);

/* Tells among what is left to do how to take it away on a side whose facts are new; nothing where it
 * is not set. PEER_HOST: whose databases may need it, too; NULL: nobody's. */
gboolean confirm_tell_compat(Job *job, const Side *side, const char *peer_host, GError **error);

/* Another server of ours for which INSTANCE must run: it backs it, or its way back needs it. NULL:
 * none. */
const ServerConfig *confirm_other_user(const Job *job, const char *instance);

/* Starts the timer of a deadline that was just committed, or stops it where the job has gone back;
 * nothing where there is none. */
gboolean confirm_arm(Job *job, GError **error);
/* Stops it, where the job has ended what it waits for. */
gboolean confirm_disarm(Job *job, GError **error);
