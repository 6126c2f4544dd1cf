/* Whether a socket unit can be held safely, judged by what systemd tells of it, of its service and
 * of whatever a stop of the service takes along.
 *
 * Pure functions from facts to a verdict: no question is asked here. A refusal says what would go
 * wrong and what to change.
 */
#pragma once

#include "systemd/facts.h"

/* Whether a name may be asked for at all: a valid name of a socket unit, and none that the system
 * or this product itself stands on. Errors: INVALID_OPTION, NOT_POSSIBLE. */
gboolean danger_check_name(const char *socket, GError **error);

/* The service that SOCKET starts, SOCKET's own. Errors: NOT_POSSIBLE. */
const char *danger_service(const UnitFacts *socket, GError **error);

/* LIMIT_USEC: how long the hold may last. Errors: NOT_POSSIBLE. */
gboolean danger_check_service(const UnitFacts *service, guint64 limit_usec, GError **error);

/* One of the sockets that start the service; also before danger_service(). */
gboolean danger_check_socket(const UnitFacts *socket, GError **error);

/* The units that a restart of UNIT stops and starts with it; array of char *, UNIT's own. */
GPtrArray *danger_taken_along(const UnitFacts *unit);
/* One of them. Errors: NOT_POSSIBLE where it is a socket, whose queue that would reset. */
gboolean danger_check_taken_along(const char *unit, const char *service, GError **error);
