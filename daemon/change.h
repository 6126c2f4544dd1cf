/* Upgrade, Rollback, Clean: a new job, or the one that is at work where it is the same request. */
#pragma once

#include "daemon/call.h"

void change_act(Call *call);
