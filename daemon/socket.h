/* HoldSocket, ResumeSocket and ListHeldSockets: a pause for any service that systemd starts for a
 * socket. What may be held is judged here, before anything changes; the holding is done by a unit
 * of its own, which outlives this daemon. */
#pragma once

#include "daemon/call.h"

gboolean socket_hold_prepare(Call *call, GError **error);
void socket_hold_act(Call *call);
gboolean socket_resume_prepare(Call *call, GError **error);
void socket_resume_act(Call *call);
void socket_list(Call *call);

/* For Daemon. */
GPtrArray *socket_pauses_new(void);
/* Forgets all that is under way, at the end of the daemon. */
void socket_free_all(Daemon *daemon);
