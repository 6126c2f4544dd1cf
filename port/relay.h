/* All sessions: pairs of sockets whose bytes are relayed, by as many threads as there are
 * processors.
 *
 * The caller's thread only hands sockets over and gives orders; no session can starve the control
 * socket, and nobody waits for the bytes of another lane. Called by the gate.
 */
#pragma once

#include "port/turn.h"

typedef struct Relay Relay;

/* Called in the event loop some time after sessions have begun or ended by themselves: at once when
 * it was awaited or when relay_has_room() said no, else at most ten times a second. May not free
 * the relay. */
typedef void (*RelayEnded)(gpointer data);

/* DESCRIPTORS: how many the sessions and their pipes may use together. TURN: by which the lanes
 * take clients themselves. */
Relay *relay_new(sd_event *event, guint descriptors, Turn *turn, RelayEnded ended, gpointer data,
                 GError **error);
void relay_free(Relay *relay); /* cuts what is there */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Relay, relay_free)

/* Whether there are descriptors for one more session. */
gboolean relay_has_room(Relay *relay);

/* Begins a session between two connected, non-blocking sockets, which are the relay's from now on.
 * CLIENT_SPOKE: there is something to be read from the client. */
void relay_begin(Relay *relay, int client, int backend, gboolean client_spoke);
/* Must follow a batch of these. */
void relay_flush(Relay *relay);

guint relay_sessions(const Relay *relay);

/* Whether each end is to be told at once. */
void relay_await_end(Relay *relay, gboolean on);

/* Ends all sessions; the clients see an end of the stream, not a reset. Returns how many there
 * were. */
guint relay_cut(Relay *relay);
