/* Keeps a connection to the backend at hand for the client that comes next.
 *
 * It is made before the client is accepted: while the backend does not answer, clients stay in the
 * kernel's queue, in their order, where not even the keeper's death can hurt them. A silence has a
 * limit; after it clients are refused, each after one more try, so that all are served again as
 * soon as it answers.
 */
#pragma once

#include "port/socket.h"

#include <systemd/sd-event.h>

typedef struct Dialer Dialer;

typedef enum {
    DIAL_READY,  /* a connection is at hand: take it */
    DIAL_WAIT,   /* the backend does not answer yet; DialerChanged tells when to ask again */
    DIAL_SILENT, /* it has not answered for too long: refuse one client */
} DialState;

typedef void (*DialerChanged)(gpointer data);

/* WAIT_USEC: how long a backend may be silent. */
Dialer *dialer_new(sd_event *event, guint64 wait_usec, DialerChanged changed, gpointer data,
                   GError **error);
void dialer_free(Dialer *dialer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Dialer, dialer_free)

/* From now on dial ADDRESS, with new patience. NAME is for messages. */
void dialer_open(Dialer *dialer, const Address *address, const char *name);
/* Forget any connection and any try. */
void dialer_hang_up(Dialer *dialer);

/* For a client that is there, beside SESSIONS that run; makes a connection where none is at hand.
 * Only after dialer_open(). */
DialState dialer_ask(Dialer *dialer, guint sessions);
/* The connection that is at hand, which is the caller's then; -1: there is none. */
int dialer_take(Dialer *dialer);
/* Closes the connection that is at hand, if there is one. */
void dialer_drop(Dialer *dialer);

/* A try runs or is due: asking would give DIAL_WAIT. */
gboolean dialer_is_busy(const Dialer *dialer);
/* For how long (µs) it has been asked in vain by now; 0: it answers, or nobody asks. */
guint64 dialer_silence(const Dialer *dialer);
/* Why the backend does not answer; NULL where it does or nobody has asked. */
const char *dialer_problem(const Dialer *dialer);
