/* Moves the bytes of one session between its two sockets, without ever waiting for either.
 *
 * Small messages are read and written through one buffer of the lane, which is quickest for
 * them; a flow that fills the buffer is spliced through a pipe instead. Bytes that the other side
 * does not take yet rest in a pipe, and nothing more is read meanwhile. Called by the lanes only.
 */
#pragma once

#include "port/pipes.h"

typedef struct Session Session;

/* One socket of a session, with what epoll (edge-triggered) said and no system call has disproved.
 */
typedef struct {
    Session *session;
    int fd;
    guint readable : 1;
    guint writable : 1;
    guint ending : 1;    /* an end or an error is to be read: a short read is not the last */
    guint failed : 1;    /* epoll told an error */
    guint used : 1;      /* something has been written to it */
    guint prompt : 1;    /* its packets wait for nothing (TCP_NODELAY) */
    guint waits_out : 1; /* epoll will tell when it is writable again */
    guint lost : 1;      /* it takes nothing any more: its end will be a reset of the other side */
} Side;

/* The bytes on their way in one direction. */
typedef struct {
    Pipe *pipe;     /* NULL: none rest */
    guint bulk : 1; /* spliced */
    guint eof : 1;  /* the source has ended */
    guint done : 1; /* and the sink was told, or is gone */
} Flow;

enum { CLIENT, BACKEND };

/* 120 bytes and two descriptors for an idle session, beside what the kernel needs for two
 * sockets. */
struct Session {
    GList link;     /* in the list of all */
    GList runnable; /* in the list of those that had more than their turn's share to do */
    Side side[2];
    Flow flow[2];      /* flow[i] goes from side[i] to the other */
    guint dead : 1;    /* closed; freed after the batch */
    guint watched : 1; /* epoll knows it */
    guint queued : 1;  /* in the list of the runnable */
};

typedef enum {
    PUMP_WAIT,     /* until epoll tells more */
    PUMP_MORE,     /* its share is used up; call again after the others */
    PUMP_FINISHED, /* both directions ended: close */
    PUMP_RESET,    /* one side was reset: reset the other */
} PumpResult;

PumpResult session_pump(Session *session, Pipes *pipes);

/* Before a cut: gives the client what the server has said so far, as far as it takes it without
 * waiting. What the client has asked last is not passed on, because nobody would hear the answer.
 */
void session_last_words(Session *session, Pipes *pipes);
