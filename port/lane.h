/* One thread of the relay and the sessions that it moves.
 *
 * A session is touched by its lane alone from lane_begin() on; orders come through a letter box,
 * and nothing here waits for the thread that gives them. The lane sleeps in epoll_wait() and
 * nowhere else.
 */
#pragma once

#include "port/pump.h"

typedef struct Lane Lane;

/* What the lanes of a relay have in common. */
typedef struct {
    Budget budget;
    gint sessions; /* atomic */
    /* From any lane: */
    void (*ended)(gpointer data);               /* sessions ended or pipes were given back */
    void (*clients)(gpointer data, Lane *lane); /* there are some at a socket of lane_listen() */
    gpointer data;
} LaneShared;

Lane *lane_new(LaneShared *shared, GError **error);
/* Cuts what is there and ends the thread. */
void lane_free(Lane *lane);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Lane, lane_free)

/* Whether this lane is told of clients at FD; of several that are to be, one is that has nothing
 * else to do. From any thread. */
void lane_listen(Lane *lane, int fd, gboolean on);

/* How many sessions it has; for a fair distribution. */
guint lane_load(const Lane *lane);

/* Two connected, non-blocking sockets, which are the lane's from now on; the budget has been
 * charged; CLIENT is tuned already. CLIENT_SPOKE: something is to be read from it. Only lane_wake()
 * makes sure that the lane sees it: once for a batch, because each waking costs more than the
 * hand-over. */
void lane_begin(Lane *lane, int client, int backend, gboolean client_spoke);
void lane_wake(Lane *lane);

/* Gives idle pipes back. */
void lane_trim(Lane *lane);

/* Ends all sessions that were begun before. Returns at once; lane_wait_cut() waits and tells how
 * many there were. */
void lane_cut(Lane *lane);
guint lane_wait_cut(Lane *lane);
