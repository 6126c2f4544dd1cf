/* What an installation says about itself. Asked of instance-helper, which runs as the instance's
 * administrator in a unit of its own, because the daemon may not read that user's files. The answer
 * is kept in /run, so that an activated daemon knows it at once. Never waits. */
#pragma once

#include "daemon/instance.h"

/* FACTS are the instance's; NULL with ERROR where they cannot be had. */
typedef void (*ProbeDone)(const InstanceFacts *facts, const GError *error, gpointer data);

/* Takes what /run has, and looks again where that is missing or old. */
void probe_take_cached(Instance *instance);

/* Looks again; joins a look that is under way. */
void probe_start(Instance *instance);

/* Begins looks that waited for their turn, after others were stopped. */
void probe_go_on(Daemon *daemon);

/* Calls DONE with the facts: at once where they are known, else after a look. Once in any case. */
void probe_need(Instance *instance, ProbeDone done, gpointer data);

/* Forgets a look under way; whoever waits for it gets an error. */
void probe_stop(Instance *instance);

/* Forgets what is known and looks again. */
void probe_again(Instance *instance);
