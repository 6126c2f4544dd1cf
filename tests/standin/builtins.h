/* Built-in procedures about replication, for "call NAME(…)" of a session (facts 3.7). */
#pragma once

#include "replica.h"
#include "session.h"

/* FALSE: there is no such procedure. *RET_DONE tells whether it succeeded. */
gboolean builtin_call(Session *session, const char *name, char **arguments, SessionRow row,
                      gpointer data, gboolean *ret_done, GError **error);

/* Waits until peers NAME on HOST (NULL: all) have what is committed now. SECONDS < 0: for ever.
 * FALSE with no error: the time is over. */
gboolean builtin_wait(Session *session, const char *name, const char *host, double seconds,
                      GError **error);
/* Sets the state of peers, or (STATE NULL) clears their bookmarks. */
gboolean builtin_change_peers(Session *session, const char *name, const char *host,
                              const PeerState *state, GError **error);
