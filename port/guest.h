/* The server whose socket was adopted while it runs: it still accepts there by itself, and the
 * keeper must not, until that process has ended.
 *
 * Known by a pidfd, because a number may be another process by tomorrow. Called by the gate alone.
 */
#pragma once

#include <glib.h>
#include <systemd/sd-event.h>

typedef struct Guest Guest;

/* PIDFD becomes the guest's own, also after a failure. GONE is called once, from the event loop,
 * when the process has ended; after it the guest may be freed. */
Guest *guest_new(sd_event *event, int pidfd, void (*gone)(gpointer data), gpointer data,
                 GError **error);
void guest_free(Guest *guest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Guest, guest_free)

/* Its process id, as the keeper sees it; 0: it has ended. */
guint guest_pid(const Guest *guest);
