/* How units of systemd are, known before anybody asks: read once, then read again at each change
 * that systemd tells. Never waits; where systemd does not answer, the state is "unknown". */
#pragma once

#include "daemon/object.h"

/* Whose turn it is to ask systemd: a bus has only so many questions of one connection open. */
typedef struct UnitTurns UnitTurns;
UnitTurns *unit_turns_new(void);
void unit_turns_free(UnitTurns *turns); /* after all watches */

typedef struct UnitWatch UnitWatch;
typedef void (*UnitChanged)(gpointer data);

/* CHANGED is called at the first answer and whenever the active state is another. */
UnitWatch *unit_watch_new(Daemon *daemon, const char *unit, UnitChanged changed, gpointer data);
void unit_watch_free(UnitWatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UnitWatch, unit_watch_free)

/* All three take NULL, as a unit of which nothing is known.
 *
 * systemd's ActiveState: active, inactive, …; "unknown" where systemd cannot tell or has not yet.
 */
const char *unit_watch_state(const UnitWatch *watch);
/* FALSE until the first answer, good or bad. */
gboolean unit_watch_answered(const UnitWatch *watch);
/* Whether the unit is active or on its way there or back: something of it runs. */
gboolean unit_watch_runs(const UnitWatch *watch);
