/* Nobody waits without an end at the open port of a server that accepts by itself and is down.
 *
 * Those who were in the queue when it was first looked at are reset when the patience is over and
 * not even they were all accepted: so none is reset that has waited for less, and none whose
 * server is merely busy. The kernel tells who is in the queue (sock_diag). Called by the gate.
 */
#pragma once

#include "port/listener.h"

typedef struct Patience Patience;

/* WAIT_USEC: how long a client may wait. */
Patience *patience_new(const char *server, guint64 wait_usec);
void patience_free(Patience *patience);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Patience, patience_free)

/* To be told a few times a second for how long (µs) clients WAIT at the open port without an end;
 * 0: none does. Returns how many were reset. */
guint patience_look(Patience *patience, Listeners *listeners, guint64 wait);
