/* Asking PID 1 over its own socket, one question after the other: the holder has nothing else to
 * do, and must hold on while the message bus is away. */
#pragma once

#include <glib.h>

/* systemd's ActiveState of a unit, g_free(); NULL where it does not answer, as while it re-executes
 * itself: ask again later. */
char *pid1_active_state(const char *unit);

/* StartUnit, TryRestartUnit, ResetFailedUnit (VERB); the job is not waited for. FALSE without an
 * error: it does not answer now; with one: it refused. */
gboolean pid1_order(const char *verb, const char *unit, GError **error);
