/* One order to a port keeper, without waiting: one line out, one line in. */
#pragma once

#include <glib.h>
#include <systemd/sd-event.h>

/* ERROR is NULL where the keeper said ok. */
typedef void (*ControlDone)(const GError *error, gpointer data);

/* Says COMMAND (without newline) to the keeper of SERVER, which starts a stopped one. DONE is
 * called once, later or at once. Errors: PORT_NOT_HELD where nobody listens or answers within 20 s,
 * and whatever the keeper itself refuses with. */
void control_say(sd_event *event, const char *server, const char *command, ControlDone done,
                 gpointer data);
