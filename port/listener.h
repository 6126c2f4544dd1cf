/* The public sockets, inherited from systemd: how many clients wait in them, and taking them out.
 *
 * Never closes or shuts one down: they are systemd's, and a shutdown would reset every client in
 * the queue.
 */
#pragma once

#include "port/socket.h"

#include <systemd/sd-event.h>

typedef struct Listeners Listeners;

typedef struct {
    /* A client is there: may it be taken out? Whoever says no switches the watch off, too. */
    gboolean (*may_accept)(gpointer data);
    /* It was; FD, non-blocking and tuned, is the callee's. -1: it went, or there are no more for
     * now. */
    void (*accepted)(int fd, gpointer data);
} ListenersCalls;

/* FDS may be none; SHARED: a server accepts there, too, until listeners_restore(). Widens the
 * queues to what the kernel allows (net.core.somaxconn): systemd's Backlog= was cut to what that
 * was when the socket unit started. */
Listeners *listeners_new(sd_event *event, const int *fds, guint n_fds, gboolean shared,
                         const ListenersCalls *calls, gpointer data, GError **error);
void listeners_free(Listeners *listeners);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Listeners, listeners_free)

/* More of them (array of int, empty afterwards), at which a server accepts, too. */
gboolean listeners_share(Listeners *listeners, GArray *sockets, GError **error);

/* From now on those who connect have what a relayed connection wants (no delay, keepalive) from the
 * listening socket: two system calls less for each. Not where a server accepts from it, too. */
void listeners_tune(Listeners *listeners);

/* Whether clients are taken out; off at first. */
void listeners_watch(Listeners *listeners, gboolean on);

/* port/door.h, for all of them. */
void listeners_close_door(Listeners *listeners);
void listeners_open_door(Listeners *listeners);
gboolean listeners_door_is_closed(const Listeners *listeners);

/* The sockets themselves, to be handed over: an array of int. */
GArray *listeners_sockets(const Listeners *listeners);
/* Makes them the keeper's own again: a server that had them may have changed their options. */
void listeners_restore(Listeners *listeners);

/* One at a time, for whoever accepts without the watch. */
guint listeners_count(const Listeners *listeners);
guint listeners_waiting(const Listeners *listeners, guint listener);
typedef enum {
    ACCEPTED_CLIENT, /* *ret_fd, as in ListenersCalls */
    ACCEPTED_NOBODY, /* none is there */
    ACCEPTED_GONE,   /* it went before it was taken */
    ACCEPTED_FAILED, /* with errno: the system is out of something */
} Accepted;
Accepted listeners_accept(Listeners *listeners, guint listener, int *ret_fd);

/* Clients in the queues, and how many these take. */
guint listeners_held(const Listeners *listeners);
guint listeners_limit(const Listeners *listeners);

/* Whether a connect to ADDRESS would end in one of these sockets. */
gboolean listeners_are_at(const Listeners *listeners, const Address *address);
