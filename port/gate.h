/* The state of a server's port and the rules by which it changes: open, hold, drain, refuse.
 *
 * A change is written to the state file before anybody is told that it happened. A hold always has
 * a deadline; when it passes, clients are refused until an order to open. Called by the commands,
 * the timers and the sockets of one event loop; nothing here blocks.
 */
#pragma once

#include "port/keeper.h"

#include <systemd/sd-event.h>

/* A hold longer than this is a mistake of units, not a wish. */
#define HOLD_LIMIT_USEC ((guint64)24 * 3600 * 1000000)

typedef struct {
    const char *server;
    const char *backend; /* TIMESTEN_BACKEND=, NULL none */
    guint64 hold_usec;   /* TIMESTEN_HOLD_USEC=, 0 none: start held for so long */
    guint64 wait_usec;   /* TIMESTEN_WAIT_USEC= */
    const int *listeners;
    guint n_listeners;
    int guest; /* pidfd of the server that still accepts at the listeners; -1 none. The gate's own */
    gboolean proxy;    /* TIMESTEN_PROXY=: tell the backend who the client is */
    guint descriptors; /* for sessions and their pipes */
} GateOptions;

typedef struct Gate Gate;

/* Takes up the state that a killed keeper left, else what OPTIONS say. A state file that makes no
 * sense means a hold: during a job an open port could let clients write into a database that is
 * being exported. */
Gate *gate_new(sd_event *event, const GateOptions *options, GError **error);
/* Leaves as on a stop: sessions are cut, files taken away. Only a hold stays behind in the state
 * file, because a restart of the service must not end it. */
void gate_free(Gate *gate);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Gate, gate_free)

/* Orders. After FALSE nothing has changed. */
gboolean gate_open(Gate *gate, const char *backend, GError **error); /* NULL: the one it knows */
gboolean gate_hold(Gate *gate, guint64 deadline_usec, GError **error);
gboolean gate_drain(Gate *gate, guint64 drain_usec, guint64 deadline_usec, GError **error);
gboolean gate_refuse(Gate *gate, GError **error);
void gate_cut(Gate *gate);

/* In inherit mode (a backend INSTANCE@USER): the public sockets for the server of USER that calls
 * itself NAME; they stay the gate's. Not while the port is held, unless a server has them anyway
 * and the door is closed. An array of int, or
 * NULL with an error. */
GArray *gate_give(Gate *gate, uid_t user, const char *name, GError **error);
/* Whether USER may ask for them at all. */
gboolean gate_knows_user(const Gate *gate, uid_t user);

/* Takes the sockets of a server that goes on accepting there until it ends: its process is PIDFD.
 * All are put into systemd's store, so that they outlive this process; both arrays' content is
 * the gate's afterwards, whatever comes of it. */
gboolean gate_adopt(Gate *gate, GArray *sockets, int pidfd, GError **error);

KeeperStatus *gate_status(Gate *gate);
