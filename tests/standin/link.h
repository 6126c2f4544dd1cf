/* A utility's, server's or application's link to the main daemon over its TCP port on loopback.
 *
 * While a link that asked "connect" is open, the daemon counts the connection to the data store.
 */
#pragma once

#include "instance.h"
#include "wire.h"

/* Errors: TT_NO_DAEMON where nobody, or another instance's daemon, answers.
 * RET_HELLO (may be NULL) gets what the daemon said of itself: pid, compat. */
Wire *link_open(const Instance *instance, Message **ret_hello, GError **error);
/* Asks; the answer "ok …" or NULL with the error that the daemon gave. Waits without limit. */
Message *link_ask(Wire *link, const char *line, GError **error);
/* From now on a database takes user connections, or takes none. */
gboolean link_set_closed(Wire *link, const char *path, gboolean closed, GError **error);
