/* The lanes take clients out of the queue by themselves, one lane at a time: whose turn it is
 * connects to the backend, accepts, and gives the turn to the next, so that clients are served in
 * their order and no thread has to wake another for each of them.
 *
 * Only while all goes well. What does not (a backend that does not answer at once, no descriptor
 * left) ends it and is the event loop's business, which knows patience (port/dialer.h). Called by
 * the gate; turn_take() by the lanes.
 */
#pragma once

#include "port/listener.h"

#include <systemd/sd-event.h>

typedef struct Turn Turn;

/* In the event loop: the lanes met something that they cannot serve, and have stopped. */
typedef void (*TurnEnded)(gpointer data);

Turn *turn_new(sd_event *event, TurnEnded ended, gpointer data, GError **error);
void turn_free(Turn *turn);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Turn, turn_free)

/* For each lane, while clients may be taken: watch a listening socket or not. */
void turn_add_watcher(Turn *turn, void (*watch)(gpointer lane, int fd, gboolean on), gpointer lane);

/* From now on clients of LISTENERS, which nobody else may touch then, are for the backend at
 * ADDRESS. PROXY: it is told who they are. */
void turn_open(Turn *turn, Listeners *listeners, const Address *address, gboolean proxy);
/* After it no lane takes anybody. */
void turn_close(Turn *turn);

/* What the lanes have done since the last call. */
typedef struct {
    guint accepted;
    guint refused;
    guint gave_up;
} TurnCounts;
TurnCounts turn_counts(Turn *turn);

typedef struct {
    gboolean (*has_room)(gpointer data); /* for a session */
    guint (*sessions)(gpointer data);
    /* A session, whose sockets are the callee's; still within the turn. */
    void (*begin)(int client, int backend, gboolean spoke, gpointer data);
} TurnCalls;

/* In a lane that was told of clients: takes some. Waits while it is another's turn. */
void turn_take(Turn *turn, const TurnCalls *calls, gpointer data);
