/* Starting a job's worker: from a job on disk to a worker that accepted it, or to the reason why it
 * did not.
 *
 * The caller is answered when the worker, which begins with its checks, told systemd that it is
 * ready: so a refusal is an error of the method. Whether a job was accepted is read from systemd
 * and from the record, never concluded from having asked.
 */
#pragma once

#include "daemon/call.h"
#include "daemon/jobs.h"

/* CALL: NULL where nobody waits any more. RETRY: the job had ended, and where it cannot be started it stays so. */
void start_worker(Job *job, Call *call, gboolean retry);

/* Answers one more call together with those that wait, or at once where the worker is at work. */
void start_join(Job *job, Call *call);

/* Whether a job that had ended is being started again. */
gboolean start_is_retry(const Job *job);

/* The job was read again: perhaps its callers can be answered now. */
void start_look(Job *job);

/* Forgets callers without any answer, at the end of the daemon. */
void start_drop(Job *job);

/* The job goes: whoever waits for it gets an error. */
void start_forget(Job *job);
