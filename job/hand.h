/* A side's utility-runner: where its short utilities run while a job is at work, without asking
 * PID 1 for each. What cannot be run there runs in a unit of its own (runner.c). */
#pragma once

#include "job/job.h"
#include "systemd/transient.h"

/* Runs ARGV as the side's administrator and waits. TRUE with *RET, TRUE without where it cannot be
 * run here and nothing of it ran any more, FALSE where the wait was interrupted; then it is ended.
 */
gboolean hand_run(Job *job, const Side *side, char **argv, char **environment, guint64 limit_usec,
                  TransientOutcome **ret, GError **error);

/* Ends them; what still runs there is ended too. */
void hand_close(Job *job, const Side *side);
