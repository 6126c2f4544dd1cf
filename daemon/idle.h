/* When the daemon may go: nobody called for a while, nobody waits, no job is alive. And how, so
 * that no call falls between an old daemon that goes and a new one that comes. */
#pragma once

#include "daemon/object.h"

/* Runs the event loop until a signal ends it, or until it was idle for LIMIT_USEC. Takes the bus
 * name itself: when what systemd knows is known here, and after two seconds in any case. */
int idle_run(Daemon *daemon, guint64 limit_usec);
