/* Upgrade: from the request to a worker that accepted it, or to the reason why it did not.
 *
 * The caller is answered when the worker, which begins with its checks, told systemd that it is
 * ready: so a refusal is an error of the method. Whether a job was accepted is read from systemd
 * and from the record, never concluded from having asked.
 */
#pragma once

#include "daemon/call.h"
#include "daemon/jobs.h"

void upgrade_act(Call *call);

/* The job was read again: perhaps its callers can be answered now. */
void upgrade_look(Job *job);

/* Forgets callers without any answer, at the end of the daemon. */
void upgrade_drop(Job *job);

/* The job goes: whoever waits for it gets an error. */
void upgrade_forget(Job *job);
