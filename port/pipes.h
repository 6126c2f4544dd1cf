/* A pool of kernel pipes: where bytes rest that one socket gave and the other does not take yet.
 *
 * A session has a pipe only while bytes of it rest, so an idle session costs two descriptors and
 * not six. A pipe in the pool is always empty. Each pool belongs to one thread; the budget of
 * descriptors is common to all.
 */
#pragma once

#include <glib.h>

/* Every pipe of the pool takes at least so much in one write. */
#define PIPE_ROOM ((gsize)64 * 1024)

/* Descriptors of sessions and their pipes. All fields are atomic. */
typedef struct {
    gint used;
    gint limit;
    gint tight; /* a session wants room: nobody keeps an idle pipe */
} Budget;

typedef struct Pipe {
    int in;
    int out;
    gsize fill; /* bytes in it */
    struct Pipe *next;
} Pipe;

typedef struct {
    Pipe *idle;
    guint n_idle;
    Budget *budget;
} Pipes;

/* Whether pipes_take() would give one now. Makes one where none is idle. */
gboolean pipes_ready(Pipes *pipes);
Pipe *pipes_take(Pipes *pipes);
/* Takes a pipe back; one with bytes in it is closed, because they must not reach another session.
 */
void pipes_give(Pipes *pipes, Pipe *pipe);
/* Closes all idle pipes. */
void pipes_clear(Pipes *pipes);
