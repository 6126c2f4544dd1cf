/* All sessions: pairs of sockets whose bytes are relayed.
 *
 * Its epoll set is one source of the event loop, so that a message costs no bookkeeping of
 * sd-event, and no session can starve the control socket. Nothing here blocks or allocates per
 * message.
 */
#pragma once

#include <glib.h>
#include <systemd/sd-event.h>

typedef struct Relay Relay;

/* Called when sessions have ended by themselves. May not free the relay. */
typedef void (*RelayEnded)(gpointer data);

/* DESCRIPTORS: how many the sessions and their pipes may use together. */
Relay *relay_new(sd_event *event, guint descriptors, RelayEnded ended, gpointer data,
                 GError **error);
void relay_free(Relay *relay); /* cuts what is there */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Relay, relay_free)

/* Whether there are descriptors for one more session. */
gboolean relay_has_room(Relay *relay);

/* Begins a session between two connected, non-blocking sockets, which are the relay's from now on.
 * FALSE where the kernel has no room for it; both were reset then. */
gboolean relay_begin(Relay *relay, int client, int backend);

guint relay_sessions(const Relay *relay);

/* Ends all sessions; the clients see an end of the stream, not a reset. Returns how many there
 * were. */
guint relay_cut(Relay *relay);
