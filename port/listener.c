#include "port/listener.h"
#include "port/door.h"
#include "port/socket.h"
#include "common/error.h"
#include "common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

/* Clients in one go before sessions and orders have their turn. */
#define BATCH 32

/* After the system was out of something: the next try. */
#define PAUSE_USEC (100 * USEC_PER_MSEC)

typedef struct {
    int fd;
    guint unlike; /* clients at the queue's head that came before the socket was tuned */
    sd_event_source *source;
} Listener;

struct Listeners {
    sd_event *event;
    GArray *all; /* Listener */
    sd_event_source *pause;
    gboolean tuned;
    gboolean wanted;
    gboolean paused;
    gboolean told; /* the current shortage has been logged */
    ListenersCalls calls;
    gpointer data;
};

static Listener *listener_at(const Listeners *listeners, guint i)
{
    return &g_array_index(listeners->all, Listener, i);
}

static Listener *listener_of(const Listeners *listeners, int fd)
{
    guint i = 0;

    while (listener_at(listeners, i)->fd != fd)
        i++;
    return listener_at(listeners, i);
}

/* For a listening socket the kernel tells the length of its queue where a connected one has its
 * unacknowledged segments, and the limit in the field beside it (tcp_get_info(); sock_diag takes
 * its idiag_rqueue from the same place). */
static gboolean ask_queue(int fd, struct tcp_info *info)
{
    socklen_t length = sizeof *info;

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &length) == 0;
}

static guint queue_of(int fd)
{
    struct tcp_info info = { 0 };

    return ask_queue(fd, &info) ? info.tcpi_unacked : 0;
}

static void apply(Listeners *listeners)
{
    int mode = listeners->wanted && !listeners->paused ? SD_EVENT_ON : SD_EVENT_OFF;

    for (guint i = 0; i < listeners->all->len; i++)
        sd_event_source_set_enabled(listener_at(listeners, i)->source, mode);
}

/* Accepting fails for a reason that the queue does not end: polling on would spin. */
static void pause_accepting(Listeners *listeners, int errnum)
{
    if (!listeners->told)
        g_warning("Cannot accept a client: %s. It waits, and is tried again every 100 ms",
                  g_strerror(errnum));
    listeners->told = TRUE;
    listeners->paused = TRUE;
    sd_event_source_set_time_relative(listeners->pause, PAUSE_USEC);
    sd_event_source_set_enabled(listeners->pause, SD_EVENT_ONESHOT);
    apply(listeners);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *data)
{
    Listeners *listeners = data;

    listeners->paused = FALSE;
    apply(listeners);
    return 0;
}

/* On a listening socket it counts for all that come after. */
static void tune(int fd)
{
    socket_be_prompt(fd);
    socket_keep_alive(fd);
}

static Accepted accept_at(Listener *listener, int *ret_fd)
{
    *ret_fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (*ret_fd >= 0 && listener->unlike > 0) {
        tune(*ret_fd);
        listener->unlike--;
    }
    if (*ret_fd >= 0)
        return ACCEPTED_CLIENT;
    switch (errno) {
    case EAGAIN:
        return ACCEPTED_NOBODY;
    case EINTR: /* and what else concerns only the one client (see accept(2)) */
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
        return ACCEPTED_GONE;
    default:
        return ACCEPTED_FAILED;
    }
}

/* FALSE: no more for now. */
static gboolean accept_one(Listeners *listeners, Listener *listener)
{
    int fd;
    Accepted accepted = accept_at(listener, &fd);
    int problem = errno;

    listeners->calls.accepted(fd, listeners->data);
    if (accepted == ACCEPTED_CLIENT)
        listeners->told = FALSE;
    else if (accepted == ACCEPTED_FAILED)
        pause_accepting(listeners, problem);
    return accepted == ACCEPTED_CLIENT || accepted == ACCEPTED_GONE;
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *data)
{
    Listeners *listeners = data;
    Listener *listener = listener_of(listeners, fd);
    /* Counted, because to try would mean to make a connection to the backend first. */
    guint waiting = CLAMP(queue_of(fd), 1, BATCH);

    for (guint i = 0; i < waiting; i++)
        if (!listeners->wanted || !listeners->calls.may_accept(listeners->data) ||
            !accept_one(listeners, listener))
            break;
    listeners->calls.accepted(-1, listeners->data);
    return 0;
}

static gboolean make_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && (flags & O_NONBLOCK || fcntl(fd, F_SETFL, flags | O_NONBLOCK) >= 0);
}

static void widen(int fd)
{
    if (listen(fd, G_MAXINT) < 0) /* a short queue is better than none */
        g_warning("Cannot widen the queue of the listening socket: %s", g_strerror(errno));
}

static gboolean add_listener(Listeners *listeners, int fd, gboolean shared, GError **error)
{
    Listener listener = { .fd = fd };
    int r;

    /* Whether it blocks is a property that a server who has it, too, relies on. */
    if (!shared && !make_nonblocking(fd))
        return tu_error_errno(error, errno, "Cannot make the listening socket non-blocking");
    widen(fd);
    r = sd_event_add_io(listeners->event, &listener.source, fd, EPOLLIN, on_client, listeners);
    if (r >= 0)
        r = sd_event_source_set_enabled(listener.source, SD_EVENT_OFF);
    if (r < 0)
        return tu_error_errno(error, -r, "Cannot watch the listening socket");
    g_array_append_val(listeners->all, listener);
    return TRUE;
}

gboolean listeners_share(Listeners *listeners, GArray *sockets, GError **error)
{
    gboolean added = TRUE;

    for (guint i = 0; i < sockets->len && added; i++)
        added = add_listener(listeners, g_array_index(sockets, int, i), TRUE, error);
    g_array_set_size(sockets, 0);
    return added;
}

static void listener_clear(gpointer data)
{
    sd_event_source_disable_unref(((Listener *)data)->source);
}

Listeners *listeners_new(sd_event *event, const int *fds, guint n_fds, gboolean shared,
                         const ListenersCalls *calls, gpointer data, GError **error)
{
    g_autoptr(Listeners) listeners = g_new0(Listeners, 1);
    int r;

    listeners->all = g_array_new(FALSE, FALSE, sizeof(Listener));
    g_array_set_clear_func(listeners->all, listener_clear);
    listeners->event = event;
    listeners->calls = *calls;
    listeners->data = data;
    r = sd_event_add_time_relative(event, &listeners->pause, CLOCK_BOOTTIME, 0, USEC_PER_MSEC,
                                   on_pause_over, listeners);
    if (r >= 0)
        r = sd_event_source_set_enabled(listeners->pause, SD_EVENT_OFF);
    if (r < 0) {
        tu_error_errno(error, -r, "Cannot make a timer");
        return NULL;
    }
    for (guint i = 0; i < n_fds; i++)
        if (!add_listener(listeners, fds[i], shared, error))
            return NULL;
    apply(listeners);
    return g_steal_pointer(&listeners);
}

void listeners_free(Listeners *listeners)
{
    if (!listeners)
        return;
    g_array_unref(listeners->all);
    sd_event_source_disable_unref(listeners->pause);
    g_free(listeners);
}

void listeners_tune(Listeners *listeners)
{
    for (guint i = 0; i < listeners->all->len && !listeners->tuned; i++) {
        tune(listener_at(listeners, i)->fd);
        listener_at(listeners, i)->unlike = queue_of(listener_at(listeners, i)->fd);
    }
    listeners->tuned = TRUE;
}

void listeners_watch(Listeners *listeners, gboolean on)
{
    if (listeners->wanted == on)
        return;
    listeners->wanted = on;
    apply(listeners);
}

void listeners_close_door(Listeners *listeners)
{
    for (guint i = 0; i < listeners->all->len; i++)
        door_close(listener_at(listeners, i)->fd);
}

void listeners_open_door(Listeners *listeners)
{
    for (guint i = 0; i < listeners->all->len; i++)
        door_open(listener_at(listeners, i)->fd);
}

gboolean listeners_door_is_closed(const Listeners *listeners)
{
    return listeners->all->len > 0 && door_is_closed(listener_at(listeners, 0)->fd);
}

GArray *listeners_sockets(const Listeners *listeners)
{
    GArray *sockets = g_array_new(FALSE, FALSE, sizeof(int));

    for (guint i = 0; i < listeners->all->len; i++)
        g_array_append_val(sockets, listener_at(listeners, i)->fd);
    return sockets;
}

void listeners_restore(Listeners *listeners)
{
    for (guint i = 0; i < listeners->all->len; i++) {
        Listener *listener = listener_at(listeners, i);

        make_nonblocking(listener->fd);
        widen(listener->fd); /* and listens again where it was shut down */
        tune(listener->fd);
        listener->unlike = queue_of(listener->fd);
    }
}

guint listeners_count(const Listeners *listeners)
{
    return listeners->all->len;
}

guint listeners_waiting(const Listeners *listeners, guint listener)
{
    return queue_of(listener_at(listeners, listener)->fd);
}

Accepted listeners_accept(Listeners *listeners, guint listener, int *ret_fd)
{
    return accept_at(listener_at(listeners, listener), ret_fd);
}

guint listeners_held(const Listeners *listeners)
{
    guint held = 0;

    for (guint i = 0; i < listeners->all->len; i++)
        held += queue_of(listener_at(listeners, i)->fd);
    return held;
}

guint listeners_limit(const Listeners *listeners)
{
    struct tcp_info info = { 0 };
    guint limit = 0;

    for (guint i = 0; i < listeners->all->len; i++)
        if (ask_queue(listener_at(listeners, i)->fd, &info))
            limit += info.tcpi_sacked;
    return limit;
}

gboolean listeners_are_at(const Listeners *listeners, const Address *address)
{
    for (guint i = 0; i < listeners->all->len; i++) {
        struct sockaddr_storage own = { 0 };
        socklen_t length = sizeof own;

        if (getsockname(listener_at(listeners, i)->fd, (struct sockaddr *)&own, &length) == 0 &&
            address_is_covered(address, &own))
            return TRUE;
    }
    return FALSE;
}
