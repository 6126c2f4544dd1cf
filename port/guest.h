/* The server whose socket was adopted while it runs: it still accepts there by itself, and the
 * keeper must not, until that process has ended.
 *
 * Known by a pidfd, because a number may be another process by tomorrow. Called by the gate alone.
 */
#pragma once

#include <glib.h>
#include <systemd/sd-event.h>

typedef struct Guest Guest;

/* One that an earlier keeper adopted. PIDFD becomes the guest's own, also after a failure. GONE is
 * called once, from the event loop, when the process has ended; after it the guest may be freed. */
Guest *guest_new(sd_event *event, const char *server, int pidfd, void (*gone)(gpointer data),
                 gpointer data, GError **error);
/* A fresh one: systemd keeps its process and its SOCKETS (array of int) from now on, for this
 * keeper and the next. PRESENT: the guest that is there already, NULL none; *ret_again: it is the
 * same process, and nothing was done. Refused where the port is TAKEN. After NULL the SOCKETS are
 * closed.
 */
Guest *guest_adopt(sd_event *event, const char *server, int pidfd, GArray *sockets, gboolean taken,
                   const Guest *present, gboolean *ret_again, void (*gone)(gpointer data),
                   gpointer data, GError **error);
void guest_free(Guest *guest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Guest, guest_free)

/* Its process id, as the keeper sees it; 0: it has ended. */
guint guest_pid(const Guest *guest);
