/* How far a job is: one weight per step, from its estimate; the step at work tells its own
 * fraction. Publishes to /run and to systemd (`systemctl status timesten-job@N`). */
#pragma once

#include "job/job.h"

typedef struct Meter Meter;

Meter *meter_new(Job *job);
void meter_free(Meter *meter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Meter, meter_free)

/* The step at work; NULL none. STATE as in JobProgress. */
void meter_step(Meter *meter, const char *state, const char *step);

/* How far the step at work is, 0 … 1, and one line about it (may be NULL). Publishes at most four
 * times a second. */
void meter_advance(Meter *meter, double fraction, const char *format, ...) G_GNUC_PRINTF(3, 4);
