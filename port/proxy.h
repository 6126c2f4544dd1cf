/* The PROXY protocol, version 2: tells a server that asks for it who its client is, before the
 * client's first byte.
 *
 * Only for servers that expect it (ProxyProtocol=yes): any other would take it for the client's own
 * words. The form is that of HAProxy's doc/proxy-protocol.txt, without extensions.
 */
#pragma once

#include <glib.h>

/* Sends the header for CLIENT over a new connection to BACKEND. FALSE: it could not be sent whole,
 * and nothing else may be. */
gboolean proxy_announce(int backend, int client);
