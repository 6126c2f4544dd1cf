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
    pipes->n_pipes--;
}

gboolean pipes_ready(Pipes *pipes)
{
    Pipe *pipe;
    int ends[2];

    if (pipes->idle)
        return TRUE;
    if (pipes->n_pipes >= pipes->limit || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return FALSE;
    /* A user who has many pipes gets tiny ones (pipe-user-pages-soft); those do not help. */
    if (fcntl(ends[0], F_SETPIPE_SZ, PIPE_WISH) < 0 &&
        fcntl(ends[0], F_GETPIPE_SZ) < (int)PIPE_ROOM) {
        close(ends[0]);
        close(ends[1]);
        return FALSE;
    }
    pipe = g_new0(Pipe, 1);
    pipe->out = ends[0];
    pipe->in = ends[1];
    pipes->idle = pipe;
    pipes->n_idle++;
    pipes->n_pipes++;
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
    if (pipe->fill > 0 || pipes->n_idle >= IDLE_LIMIT) {
        pipe_close(pipes, pipe);
        return;
    }
    pipe->next = pipes->idle;
    pipes->idle = pipe;
    pipes->n_idle++;
}

void pipes_trim(Pipes *pipes, guint keep)
{
    while (pipes->n_idle > keep)
        pipe_close(pipes, pipes_take(pipes));
}
