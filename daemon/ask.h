/* Check, Plan and Repair: asked of the worker's program, which alone knows the steps, in a unit of its own.
 */
#pragma once

#include "daemon/call.h"

void ask_check(Call *call);
void ask_plan(Call *call);
/* Tries the facts on the call's instance, as its administrator; SCRATCH may be NULL. */
void ask_trials(Call *call, const char *scratch);
void ask_repair(Call *call);

/* Takes away what a daemon that was killed left behind: questions whose callers are gone with it.
 */
void ask_clean(Daemon *daemon);

/* Forgets all that is under way, at the end of the daemon. */
void ask_free_all(Daemon *daemon);
