/* Faults and speeds of an instance, from HOME/.standin/faults and HOME/.standin/tune (README.md has
 * the list).
 *
 * Files, because the commands are run by a product that passes on no environment of ours and must
 * not know.
 */
#pragma once

#include <glib.h>

/* Looks for the line of faults that names this command and these arguments; call it once per
 * process. The general actions (delay, hang, crash, output, exit) are done here, so this may not
 * return. */
void fault_begin(const char *home, const char *command, char **arguments);

/* Where the line has "at=PERCENT", the general actions wait for this call with at least so much. */
void fault_at(guint percent);

/* An action of the line: its value, "" where it has none; NULL where it is not there. */
const char *fault_get(const char *action);

/* Looks again, for a request inside a long-lived process (as "ttcserver refuse"); no general
 * actions. */
gboolean fault_now(const char *home, const char *command, const char *action);

/* A speed or time; FALLBACK where the tune file does not have it. */
double tune_get(const char *home, const char *name, double fallback);
