#include "port/relay.h"
#include "port/pump.h"
#include "port/socket.h"
#include "common/error.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 128

/* Batches in one go before the event loop may look at its other sources. */
#define ROUNDS 16

/* What a cut reads away of a client's unread bytes, because unread bytes would turn the end into a
 * reset. */
#define DISCARD_LIMIT (1024 * 1024)

struct Relay {
    int epoll;
    sd_event_source *source;
    sd_event_source *again; /* sessions have work left although epoll has nothing to tell */
    GQueue sessions;
    GQueue runnable;
    GSList *dead;
    Pipes pipes;
    guint descriptors;
    gboolean busy;
    RelayEnded ended;
    gpointer data;
};

typedef enum { END_CLOSE, END_RESET, END_CUT } End;

/* Makes the coming close() of a client's socket an end of stream. */
static void finish_politely(int fd)
{
    static char discarded[16 * 1024];
    gsize total = 0;
    ssize_t count;

    shutdown(fd, SHUT_WR);
    while (total < DISCARD_LIMIT &&
           (count = recv(fd, discarded, sizeof discarded, MSG_DONTWAIT | MSG_TRUNC)) > 0)
        total += count;
}

static void session_end(Relay *relay, Session *session, End end)
{
    if (end == END_CUT) {
        session_last_words(session, &relay->pipes);
        finish_politely(session->side[CLIENT].fd);
    }
    for (guint i = 0; i < 2; i++) {
        if (session->flow[i].pipe)
            pipes_give(&relay->pipes, g_steal_pointer(&session->flow[i].pipe));
        if (end == END_RESET)
            socket_reset(session->side[i].fd);
        else
            close(session->side[i].fd);
    }
    g_queue_unlink(&relay->sessions, &session->link);
    if (session->queued)
        g_queue_unlink(&relay->runnable, &session->runnable);
    /* The batch at hand may still name it. */
    session->dead = TRUE;
    relay->dead = g_slist_prepend(relay->dead, session);
}

static void reap(Relay *relay)
{
    g_slist_free_full(g_steal_pointer(&relay->dead), g_free);
}

static void session_run(Relay *relay, Session *session)
{
    switch (session_pump(session, &relay->pipes)) {
    case PUMP_MORE:
        if (!session->queued)
            g_queue_push_tail_link(&relay->runnable, &session->runnable);
        session->queued = TRUE;
        break;
    case PUMP_FINISHED:
        session_end(relay, session, END_CLOSE);
        break;
    case PUMP_RESET:
        session_end(relay, session, END_RESET);
        break;
    case PUMP_WAIT:
        break;
    }
}

static void take_event(Relay *relay, const struct epoll_event *event)
{
    Side *side = event->data.ptr;

    if (side->session->dead)
        return;
    if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        side->readable = TRUE;
    if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        side->writable = TRUE;
    if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        side->ending = TRUE;
    if (event->events & EPOLLERR)
        side->failed = TRUE;
    if (!side->session->queued)
        session_run(relay, side->session);
}

static int relay_dispatch(Relay *relay)
{
    struct epoll_event events[EVENTS];
    gboolean ended = FALSE;

    relay->busy = TRUE;
    for (guint round = 0; round < ROUNDS; round++) {
        int count = epoll_wait(relay->epoll, events, EVENTS, 0);
        guint waiting = relay->runnable.length;

        for (int i = 0; i < count; i++)
            take_event(relay, &events[i]);
        for (; waiting > 0 && relay->runnable.length > 0; waiting--) {
            GList *link = g_queue_pop_head_link(&relay->runnable);
            Session *session = link->data;

            session->queued = FALSE;
            session_run(relay, session);
        }
        ended = ended || relay->dead;
        reap(relay);
        if (count <= 0 && relay->runnable.length == 0)
            break;
    }
    relay->busy = FALSE;
    sd_event_source_set_enabled(relay->again,
                                relay->runnable.length > 0 ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
    if (ended)
        relay->ended(relay->data);
    return 0;
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *data)
{
    return relay_dispatch(data);
}

static int on_again(sd_event_source *source, void *data)
{
    return relay_dispatch(data);
}

Relay *relay_new(sd_event *event, guint descriptors, RelayEnded ended, gpointer data,
                 GError **error)
{
    g_autoptr(Relay) relay = g_new0(Relay, 1);
    int r;

    relay->descriptors = descriptors;
    relay->pipes.limit = descriptors / 2;
    relay->ended = ended;
    relay->data = data;
    relay->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (relay->epoll < 0) {
        tu_error_errno(error, errno, "Cannot make an epoll set");
        return NULL;
    }
    r = sd_event_add_io(event, &relay->source, relay->epoll, EPOLLIN, on_ready, relay);
    if (r >= 0)
        r = sd_event_add_defer(event, &relay->again, on_again, relay);
    if (r >= 0)
        r = sd_event_source_set_enabled(relay->again, SD_EVENT_OFF);
    if (r < 0) {
        tu_error_errno(error, -r, "Cannot watch the sessions");
        return NULL;
    }
    return g_steal_pointer(&relay);
}

void relay_free(Relay *relay)
{
    if (!relay)
        return;
    relay_cut(relay);
    pipes_trim(&relay->pipes, 0);
    sd_event_source_disable_unref(relay->again);
    sd_event_source_disable_unref(relay->source);
    if (relay->epoll >= 0)
        close(relay->epoll);
    g_free(relay);
}

gboolean relay_has_room(Relay *relay)
{
    guint wanted = 2 * (relay->sessions.length + 1);
    guint used = 2 * relay->pipes.n_pipes;

    if (wanted + used > relay->descriptors) {
        pipes_trim(&relay->pipes, 1);
        used = 2 * relay->pipes.n_pipes;
    }
    return wanted + used <= relay->descriptors;
}

static gboolean side_watch(Relay *relay, Session *session, guint i, int fd)
{
    Side *side = &session->side[i];
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.ptr = side,
    };

    *side = (Side){ .session = session, .fd = fd };
    return epoll_ctl(relay->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

gboolean relay_begin(Relay *relay, int client, int backend)
{
    Session *session = g_new0(Session, 1);

    session->link.data = session->runnable.data = session;
    socket_tune(client);
    socket_tune(backend);
    if (!side_watch(relay, session, CLIENT, client) ||
        !side_watch(relay, session, BACKEND, backend)) {
        g_warning("Cannot watch a new session: %s. Its client was reset", g_strerror(errno));
        socket_reset(client);
        socket_reset(backend);
        g_free(session);
        return FALSE;
    }
    g_queue_push_tail_link(&relay->sessions, &session->link);
    /* So many descriptors as the sessions leave may be pipes. */
    relay->pipes.limit =
        (relay->descriptors - MIN(relay->descriptors, 2 * relay->sessions.length)) / 2;
    return TRUE;
}

guint relay_sessions(const Relay *relay)
{
    return relay->sessions.length;
}

guint relay_cut(Relay *relay)
{
    guint count = relay->sessions.length;

    while (relay->sessions.head)
        session_end(relay, relay->sessions.head->data, END_CUT);
    if (!relay->busy)
        reap(relay);
    return count;
}
