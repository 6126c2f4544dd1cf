/* Holds of any socket unit, for the verbs that take UNIT.socket in place of a server's name, which
 * never has a dot. */
#pragma once

#include "ctl/json.h"
#include "ctl/session.h"

gboolean socket_is(const char *word);

/* The verbs; all return ttctl's exit status. */
int socket_hold(Session *session, const char *unit, guint64 limit_usec, GError **error);
int socket_resume(Session *session, const char *unit, GError **error);
int socket_status(Session *session, const char *unit, GError **error);

/* What is held, under the servers; nothing where nothing is. A service of 0.1.0 holds no sockets,
 * which is no error. */
gboolean socket_table(Session *session, GError **error);
/* The same as "sockets". */
gboolean socket_json(Session *session, Json *json, GError **error);
