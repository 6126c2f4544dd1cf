/* Upgrade, Rollback, Clean: a new job, or the one that is at work where it is the same request. */
#pragma once

#include "daemon/call.h"

/* Answers the call with the job when its worker is ready, or with the error that the job ended
 * with. */
void change_act(Call *call);
