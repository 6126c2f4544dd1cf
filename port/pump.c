#include "port/pump.h"
#include "port/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a session may do before others have their turn. */
#define TURNS 16

/* A message that fits is copied, a longer one is spliced. */
#define CHUNK ((gsize)16 * 1024)
G_STATIC_ASSERT(CHUNK <= PIPE_ROOM);

/* A spliced flow that brings less than this at once is copied again. */
#define TRICKLE 4096

/* What fits one packet on any network. */
#define SMALL ((gsize)1200)

typedef enum { FLOW_GOES_ON, FLOW_WAITS, FLOW_ENDED, SOURCE_LOST, SINK_LOST } FlowResult;

/* One for each lane. */
static _Thread_local char buffer[CHUNK];

static gboolean would_block(int errnum)
{
    return errnum == EAGAIN || errnum == EINTR;
}

static void flow_rest(Flow *flow, Pipes *pipes)
{
    if (flow->pipe)
        pipes_give(pipes, g_steal_pointer(&flow->pipe));
}

/* The end of reading: COUNT is 0 at the end of the stream, negative with errno. */
static FlowResult source_said(Flow *flow, Side *from, ssize_t count)
{
    if (count == 0) {
        flow->eof = TRUE;
        return FLOW_GOES_ON;
    }
    if (errno == EINTR)
        return FLOW_GOES_ON;
    if (errno != EAGAIN)
        return SOURCE_LOST;
    from->readable = FALSE;
    return FLOW_GOES_ON;
}

/* The first small packet waits for nothing anyway, and many a connection has no second one: a
 * system call less for those. */
static void side_will_write(Side *side, gsize count)
{
    if (side->prompt)
        return;
    if (side->used || count > SMALL) {
        socket_be_prompt(side->fd);
        side->prompt = TRUE;
    }
    side->used = TRUE;
}

/* Pipe to sink. */
static FlowResult flow_drain(Flow *flow, Side *to)
{
    ssize_t count;

    side_will_write(to, flow->pipe->fill);
    count = splice(flow->pipe->out, NULL, to->fd, NULL, flow->pipe->fill,
                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (count >= 0) {
        flow->pipe->fill -= count;
        return FLOW_GOES_ON;
    }
    if (!would_block(errno))
        return SINK_LOST;
    if (errno == EAGAIN)
        to->writable = FALSE;
    return FLOW_GOES_ON;
}

/* Source to pipe, which is empty. */
static FlowResult flow_fill(Flow *flow, Side *from, Pipes *pipes)
{
    ssize_t count;

    if (!flow->pipe)
        flow->pipe = pipes_take(pipes);
    count = splice(from->fd, NULL, flow->pipe->in, NULL, PIPE_ROOM * 16,
                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (count <= 0)
        return source_said(flow, from, count);
    flow->pipe->fill = count;
    flow->bulk = count >= TRICKLE;
    return FLOW_GOES_ON;
}

/* Source to sink through the buffer. Without a pipe for what the sink does not take (descriptors
 * are short), the bytes stay in the source until the sink has them: one system call more, and none
 * lost. */
static FlowResult flow_copy(Flow *flow, Side *from, Side *to, Pipes *pipes)
{
    gboolean can_rest = pipes_ready(pipes);
    ssize_t count = recv(from->fd, buffer, sizeof buffer, MSG_DONTWAIT | (can_rest ? 0 : MSG_PEEK));
    ssize_t sent;

    if (count <= 0)
        return source_said(flow, from, count);
    side_will_write(to, count);
    sent = send(to->fd, buffer, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && !would_block(errno))
        return SINK_LOST;
    sent = MAX(sent, 0);

    if (sent < count)
        to->writable = FALSE;
    if (!can_rest && sent > 0)
        recv(from->fd, buffer, sent, MSG_DONTWAIT | MSG_TRUNC);
    if (can_rest && sent < count) {
        ssize_t rest = write((flow->pipe = pipes_take(pipes))->in, buffer + sent, count - sent);

        flow->pipe->fill = MAX(rest, 0);
        if (rest != count - sent)
            return SOURCE_LOST; /* the kernel has no memory; a gap in the stream would be worse than
                                   its end */
    }
    if ((gsize)count == sizeof buffer)
        flow->bulk = TRUE;
    else if (!from->ending && (can_rest || sent == count))
        from->readable = FALSE; /* a short read has emptied a stream: the next edge tells of more */
    return FLOW_GOES_ON;
}

/* LAST: the other direction is done, so that the coming close() tells the sink of the end. */
static FlowResult flow_run(Flow *flow, Side *from, Side *to, Pipes *pipes, gboolean last)
{
    FlowResult result = FLOW_GOES_ON;

    for (guint turn = 0; turn < TURNS && result == FLOW_GOES_ON; turn++) {
        gboolean rests = flow->pipe && flow->pipe->fill > 0;

        if (rests && to->writable) {
            result = flow_drain(flow, to);
        } else if (rests) {
            return FLOW_WAITS;
        } else if (flow->eof && from->lost) {
            return SOURCE_LOST;
        } else if (flow->eof) {
            if (!last)
                shutdown(to->fd, SHUT_WR);
            result = FLOW_ENDED;
        } else if (!from->readable || !to->writable) {
            result = FLOW_WAITS;
        } else if (flow->bulk && (flow->pipe || pipes_ready(pipes))) {
            result = flow_fill(flow, from, pipes);
        } else {
            flow_rest(flow, pipes);
            result = flow_copy(flow, from, to, pipes);
        }
    }
    if (result == FLOW_ENDED || result == SINK_LOST)
        flow->done = TRUE;
    if (!flow->pipe || flow->pipe->fill == 0 || flow->done)
        flow_rest(flow, pipes);
    return result;
}

/* A side whose stream has been read to its end tells of a reset by epoll only. */
static gboolean side_was_reset(const Session *session, guint i)
{
    int problem = 0;
    socklen_t length = sizeof problem;

    return session->side[i].failed && session->flow[i].done && !session->side[i].lost &&
           getsockopt(session->side[i].fd, SOL_SOCKET, SO_ERROR, &problem, &length) == 0 &&
           problem != 0;
}

PumpResult session_pump(Session *session, Pipes *pipes)
{
    gboolean more = FALSE;

    for (guint i = 0; i < 2; i++) {
        Side *from = &session->side[i], *to = &session->side[!i];

        if (session->flow[i].done)
            continue;
        switch (flow_run(&session->flow[i], from, to, pipes, session->flow[!i].done)) {
        case FLOW_GOES_ON:
            more = TRUE;
            break;
        case SOURCE_LOST:
            return PUMP_RESET;
        case SINK_LOST:
            /* What it had sent before is still to be read; only then the reset is passed on. */
            to->lost = to->readable = to->ending = TRUE;
            more = TRUE;
            break;
        case FLOW_WAITS:
        case FLOW_ENDED:
            break;
        }
    }
    if (side_was_reset(session, CLIENT) || side_was_reset(session, BACKEND))
        return PUMP_RESET;
    if (session->flow[CLIENT].done && session->flow[BACKEND].done)
        return session->side[CLIENT].lost || session->side[BACKEND].lost ? PUMP_RESET
                                                                         : PUMP_FINISHED;
    return more ? PUMP_MORE : PUMP_WAIT;
}

void session_last_words(Session *session, Pipes *pipes)
{
    Flow *flow = &session->flow[BACKEND];
    Side *from = &session->side[BACKEND];

    from->readable = TRUE;
    if (!flow->done)
        flow_run(flow, from, &session->side[CLIENT], pipes, FALSE);
}
