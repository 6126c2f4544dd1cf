/* Finds the backend for one accepted client at a time, in the order of arrival.
 *
 * A backend that does not answer yet is not a failure: the client waits and the next ones stay in
 * the kernel's queue, until it answers or the limit passes. Only then clients are reset, each after
 * one try, so that nobody waits longer than the limit and everybody is served again as soon as it
 * answers.
 */
#pragma once

#include "port/relay.h"
#include "port/socket.h"

typedef struct Dialer Dialer;

typedef enum {
    DIAL_SERVED,  /* a session has begun */
    DIAL_REFUSED, /* reset: the backend did not answer within the limit */
    DIAL_GAVE_UP, /* the client had closed before */
} DialResult;

/* Called once for each client that was given, perhaps before dialer_take() returns. */
typedef void (*DialerDone)(DialResult result, gpointer data);

/* WAIT_USEC: how long a backend may be silent before clients are reset. */
Dialer *dialer_new(sd_event *event, Relay *relay, guint64 wait_usec, DialerDone done, gpointer data,
                   GError **error);
void dialer_free(Dialer *dialer); /* resets a client that waits */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Dialer, dialer_free)

/* From now on dial ADDRESS, with new patience; a client that waits goes there too. NAME is for
 * messages. */
void dialer_open(Dialer *dialer, const Address *address, const char *name);
/* Dial nobody; a client that waits goes on waiting. */
void dialer_hold(Dialer *dialer);
/* Reset a client that waits. */
void dialer_refuse(Dialer *dialer);

/* A client waits; another must not be given. */
gboolean dialer_is_busy(const Dialer *dialer);
/* Why the backend does not answer; NULL where it does or nobody has asked. */
const char *dialer_problem(const Dialer *dialer);

void dialer_take(Dialer *dialer, int client);
