/* Check and Plan: asked of the worker's program, which alone knows the steps, in a unit of its own.
 */
#pragma once

#include "daemon/call.h"

void ask_check(Call *call);
void ask_plan(Call *call);

/* Forgets all that is under way, at the end of the daemon. */
void ask_free_all(Daemon *daemon);
