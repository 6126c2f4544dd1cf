/* The door before a listening socket that a server has, too: closed, no new client gets in, and
 * none is refused.
 *
 * The kernel drops the first packet of each connect, and the client's host tries again for about
 * two minutes. It keeps this with the socket, so a killed keeper changes nothing.
 *
 * The means is the least time to live of a packet (RFC 5082): nobody's begins with 255 and crosses
 * a router. A packet filter would do it, too, but some kernels keep those from the unprivileged.
 * A connection whose handshake ends behind the closed door inherits the limit; the preload library
 * takes it off when it is accepted.
 */
#pragma once

#include <glib.h>

#define DOOR_CLOSED 255 /* of IP_MINTTL */

void door_close(int listener);
void door_open(int listener);
gboolean door_is_closed(int listener);
