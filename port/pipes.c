#include "port/pipes.h"

#include <fcntl.h>
#include <unistd.h>

/* More would only keep memory from others after a burst. */
#define IDLE_LIMIT 32

/* Wider than the default where the kernel allows: fewer turns for a large transfer. */
#define PIPE_WISH (256 * 1024)

static void pipe_close(Pipes *pipes, Pipe *pipe)
{
    close(pipe->in);
    close(pipe->out);
    g_free(pipe);
    g_atomic_int_add(&pipes->budget->used, -2);
}

/* A pipe never takes the last two descriptors: a session that has just been let in needs them. */
static gboolean reserve(Budget *budget)
{
    if (g_atomic_int_add(&budget->used, 2) + 4 <= g_atomic_int_get(&budget->limit))
        return TRUE;
    g_atomic_int_add(&budget->used, -2);
    return FALSE;
}

gboolean pipes_ready(Pipes *pipes)
{
    Pipe *pipe;
    int ends[2];

    if (pipes->idle)
        return TRUE;
    if (!reserve(pipes->budget))
        return FALSE;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        g_atomic_int_add(&pipes->budget->used, -2);
        return FALSE;
    }
    /* A user who has many pipes gets tiny ones (pipe-user-pages-soft); those do not help. */
    if (fcntl(ends[0], F_SETPIPE_SZ, PIPE_WISH) < 0 &&
        fcntl(ends[0], F_GETPIPE_SZ) < (int)PIPE_ROOM) {
        close(ends[0]);
        close(ends[1]);
        g_atomic_int_add(&pipes->budget->used, -2);
        return FALSE;
    }
    pipe = g_new0(Pipe, 1);
    pipe->out = ends[0];
    pipe->in = ends[1];
    pipes->idle = pipe;
    pipes->n_idle++;
    return TRUE;
}

Pipe *pipes_take(Pipes *pipes)
{
    Pipe *pipe;

    if (!pipes_ready(pipes))
        return NULL;
    pipe = pipes->idle;
    pipes->idle = pipe->next;
    pipes->n_idle--;
    return pipe;
}

void pipes_give(Pipes *pipes, Pipe *pipe)
{
    if (pipe->fill > 0 || pipes->n_idle >= IDLE_LIMIT || g_atomic_int_get(&pipes->budget->tight)) {
        pipe_close(pipes, pipe);
        return;
    }
    pipe->next = pipes->idle;
    pipes->idle = pipe;
    pipes->n_idle++;
}

void pipes_clear(Pipes *pipes)
{
    while (pipes->n_idle > 0)
        pipe_close(pipes, pipes_take(pipes));
}
