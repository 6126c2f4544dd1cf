/* polkit's agent for plain terminals, which asks for the password there. Where a desktop has its
 * own agent that one asks, and where nobody can be asked (no terminal, root, another host) none is
 * started. */
#pragma once

#include "ctl/options.h"

typedef struct Agent Agent;

/* NULL where none is needed or to be had; that is no error, because the service then refuses
 * clearly. */
Agent *agent_start(const Options *options);
void agent_stop(Agent *agent); /* NULL allowed */
