/* The control socket: who may speak, and lines in and out.
 *
 * Root may say all, and "adopt" with descriptors; the user of the instance that backs the server in inherit mode "socket [NAME]",
 * which is answered with the public sockets; nobody else anything. No caller can block, crash or
 * fill the keeper: lines, callers and their silence have limits.
 */
#pragma once

#include "port/gate.h"

typedef struct Control Control;

/* FD is the listening socket, inherited. OWN_USER: also the keeper's own user may speak; for tests,
 * where nobody need be root. */
Control *control_new(sd_event *event, int fd, Gate *gate, gboolean own_user, GError **error);
void control_free(Control *control);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Control, control_free)
