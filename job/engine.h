/* Runs a plan with the guarantees of the design's section 5: intent before, result after each step;
 * before commit any failure undoes backwards; after commit only forward. Continues from any record.
 */
#pragma once

#include "job/plan.h"

/* Works until the record is finished, or until the worker is told to stop. FALSE only where the
 * record itself can no longer be written or read. BLIND: why an instance cannot be looked at any
 * more, a reason to go back; NULL otherwise. */
gboolean engine_run(Job *job, const StepType *plan, const GError *blind, GError **error);

/* What a finished record no longer needs: units, their output, the lock on the socket. May be done
 * any number of times: where the worker dies in it, the next one does it again. */
void engine_wrap_up(Job *job);

/* The port is open: for how long connects waited is noted with the step at work, once. */
gboolean engine_end_outage(Job *job, GError **error);
