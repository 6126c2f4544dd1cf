/* Tries the facts of timesten/belief.h on an installation: what held, what did not, what was seen.
 *
 * Runs utilities as whoever calls, who must be the instance's administrator. Changes nothing, but
 * for the scratch database where one is given: that one is made, and destroyed at the end.
 */
#pragma once

#include "timesten/belief.h"

typedef enum { TRIAL_HELD, TRIAL_DIFFERS, TRIAL_UNTRIED, N_TRIAL_OUTCOMES } TrialOutcome;
extern const char *const trial_outcome_nicks[]; /* "held", "differs", "untried", NULL */

typedef struct {
    TrialOutcome outcome;
    char *how;  /* it was tried, or why not */
    char *seen; /* NULL where nothing was */
} Trial;

/* One for each belief, by its id; trials_free(). SCRATCH: a DSN of the instance without a database;
 * NULL: none. */
Trial *trials_run(const char *home, const char *release_override, const char *scratch,
                  GError **error);
void trials_free(Trial *trials);

/* a(ssssss) as the bus has it: name, tag, outcome, value in force, how, seen. Floating. */
GVariant *trials_variant(const Trial *trials);
#define TRIALS_TYPE "a(ssssss)"
