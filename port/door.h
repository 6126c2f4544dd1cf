/* The door before a listening socket that a server has, too: closed, no new client gets in, and
 * none is refused.
 *
 * The kernel drops the first packet of each connect, and the client's host tries again for about
 * two minutes. It keeps this with the socket, so a killed keeper changes nothing.
 */
#pragma once

#include <glib.h>

void door_close(int listener);
void door_open(int listener);
gboolean door_is_closed(int listener);
