#include "port/lane.h"
#include "port/socket.h"
#include "common/error.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* At once: few, because long batches have clients, lanes and server wait for each other in step. */
#define EVENTS 16

/* What a cut reads away of a client's unread bytes, because unread bytes would turn the end into a
 * reset. */
#define DISCARD_LIMIT (1024 * 1024)

enum { ORDER_CUT = 1, ORDER_TRIM = 2, ORDER_STOP = 4 };

struct Lane {
    LaneShared *shared;
    GThread *thread;
    int epoll;
    int bell; /* eventfd; its edge wakes the thread, nobody reads it */
    gint load;

    /* The letter box. Plain pthreads, because the thread sanitizer understands them. */
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    GQueue inbox;
    guint orders;
    gboolean awake; /* the thread will look into the box before it sleeps: no need to ring */
    guint n_cut;
    gint hurry; /* atomic: a cut is wanted, leave the batch */

    /* The thread's own */
    GQueue sessions;
    GQueue runnable; /* had more than their turn's share to do */
    GSList *dead;
    Pipes pipes;
    gboolean ended;
    gboolean clients; /* the batch at hand told of some */
};

typedef enum { END_CLOSE, END_RESET, END_CUT } End;

/* Makes the coming close() of a client's socket an end of stream. */
static void finish_politely(int fd)
{
    char discarded[16 * 1024];
    gsize total = 0;
    ssize_t count;

    shutdown(fd, SHUT_WR);
    while (total < DISCARD_LIMIT &&
           (count = recv(fd, discarded, sizeof discarded, MSG_DONTWAIT | MSG_TRUNC)) > 0)
        total += count;
}

static void session_end(Lane *lane, Session *session, End end)
{
    if (end == END_CUT) {
        session_last_words(session, &lane->pipes);
        finish_politely(session->side[CLIENT].fd);
    }
    for (guint i = 0; i < 2; i++) {
        if (session->flow[i].pipe)
            pipes_give(&lane->pipes, g_steal_pointer(&session->flow[i].pipe));
        if (end == END_RESET)
            socket_reset(session->side[i].fd);
        else
            close(session->side[i].fd);
    }
    g_queue_unlink(&lane->sessions, &session->link);
    if (session->queued)
        g_queue_unlink(&lane->runnable, &session->runnable);
    /* The batch at hand may still name it. */
    session->dead = TRUE;
    lane->dead = g_slist_prepend(lane->dead, session);
    lane->ended = TRUE;
    g_atomic_int_add(&lane->shared->budget.used, -2);
    g_atomic_int_add(&lane->load, -1);
    g_atomic_int_add(&lane->shared->sessions, -1);
}

static gboolean watch(Lane *lane, Side *side, int operation)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLRDHUP | EPOLLET | (side->writable ? 0 : EPOLLOUT),
        .data.ptr = side,
    };

    side->waits_out = !side->writable;
    return epoll_ctl(lane->epoll, operation, side->fd, &event) == 0;
}

/* Most sessions never meet a full socket, and so are not told that theirs is not: a round of events
 * less for each. */
static void watch_full_sockets(Lane *lane, Session *session)
{
    for (guint i = 0; i < 2 && session->watched; i++) {
        Side *side = &session->side[i];

        if (side->writable || side->waits_out || watch(lane, side, EPOLL_CTL_MOD))
            continue;
        g_warning("Cannot watch a full socket: %s. Its session was reset", g_strerror(errno));
        session_end(lane, session, END_RESET);
        return;
    }
}

static void session_run(Lane *lane, Session *session)
{
    switch (session_pump(session, &lane->pipes)) {
    case PUMP_MORE:
        if (!session->queued)
            g_queue_push_tail_link(&lane->runnable, &session->runnable);
        session->queued = TRUE;
        break;
    case PUMP_FINISHED:
        session_end(lane, session, END_CLOSE);
        break;
    case PUMP_RESET:
        session_end(lane, session, END_RESET);
        break;
    case PUMP_WAIT:
        watch_full_sockets(lane, session);
        break;
    }
}

static void take_event(Lane *lane, const struct epoll_event *event)
{
    Side *side = event->data.ptr;

    if (event->data.ptr == lane) {
        lane->clients = TRUE;
        return;
    }
    if (!side || side->session->dead) /* the bell has no side */
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
        session_run(lane, side->session);
}

static void start_session(Lane *lane, Session *session)
{
    g_queue_push_tail_link(&lane->sessions, &session->link);
    /* What the client has asked while it waited goes out before anything else is done. */
    if (session->side[CLIENT].readable)
        session_run(lane, session);
    if (session->dead)
        return;
    session->watched = TRUE;
    if (!watch(lane, &session->side[BACKEND], EPOLL_CTL_ADD) ||
        !watch(lane, &session->side[CLIENT], EPOLL_CTL_ADD)) {
        g_warning("Cannot watch a new session: %s. Its client was reset", g_strerror(errno));
        session_end(lane, session, END_RESET);
    }
}

static guint cut_all(Lane *lane)
{
    guint count = lane->sessions.length;

    while (lane->sessions.head)
        session_end(lane, lane->sessions.head->data, END_CUT);
    return count;
}

static void answer_cut(Lane *lane)
{
    guint count = cut_all(lane);

    pthread_mutex_lock(&lane->mutex);
    lane->n_cut += count;
    lane->orders &= ~ORDER_CUT;
    g_atomic_int_set(&lane->hurry, FALSE);
    pthread_cond_signal(&lane->answered);
    pthread_mutex_unlock(&lane->mutex);
}

/* Empties the letter box. FALSE: nothing was in it and the thread may sleep. */
static gboolean look_into_box(Lane *lane, guint *ret_orders)
{
    GQueue fresh;
    gboolean any;

    pthread_mutex_lock(&lane->mutex);
    fresh = lane->inbox;
    g_queue_init(&lane->inbox);
    *ret_orders = lane->orders;
    lane->orders &= ORDER_CUT | ORDER_STOP;
    any = fresh.length > 0 || *ret_orders || lane->runnable.length > 0;
    g_atomic_int_set(&lane->awake, any);
    pthread_mutex_unlock(&lane->mutex);

    for (GList *link; (link = g_queue_pop_head_link(&fresh));)
        start_session(lane, link->data);
    if (*ret_orders & ORDER_TRIM) {
        pipes_clear(&lane->pipes);
        lane->ended = TRUE;
    }
    if (*ret_orders & ORDER_CUT)
        answer_cut(lane);
    return any;
}

static void run_batch(Lane *lane, const struct epoll_event *events, int count)
{
    guint waiting = lane->runnable.length;

    for (int i = 0; i < count && !g_atomic_int_get(&lane->hurry); i++)
        take_event(lane, &events[i]);
    for (; waiting > 0 && lane->runnable.length > 0 && !g_atomic_int_get(&lane->hurry); waiting--) {
        GList *link = g_queue_pop_head_link(&lane->runnable);
        Session *session = link->data;

        session->queued = FALSE;
        session_run(lane, session);
    }
}

/* Last of a round: who is being served comes before who waits. */
static void take_clients(Lane *lane)
{
    if (lane->clients)
        lane->shared->clients(lane->shared->data, lane);
    lane->clients = FALSE;
}

static void finish_round(Lane *lane)
{
    g_slist_free_full(g_steal_pointer(&lane->dead), g_free);
    if (lane->ended)
        lane->shared->ended(lane->shared->data);
    lane->ended = FALSE;
}

static gpointer lane_run(gpointer data)
{
    Lane *lane = data;
    struct epoll_event events[EVENTS];
    guint orders = 0;

    while (!(orders & ORDER_STOP)) {
        gboolean busy = look_into_box(lane, &orders);
        int count = epoll_wait(lane->epoll, events, EVENTS, busy ? 0 : -1);

        /* Without the mutex: at worst somebody rings once too often. */
        g_atomic_int_set(&lane->awake, TRUE);
        run_batch(lane, events, count);
        take_clients(lane);
        finish_round(lane);
    }
    cut_all(lane);
    finish_round(lane);
    pipes_clear(&lane->pipes);
    return NULL;
}

/* Signals are the main thread's. */
static gboolean start_thread(Lane *lane, GError **error)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    lane->thread = g_thread_try_new("lane", lane_run, lane, error);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return lane->thread != NULL;
}

Lane *lane_new(LaneShared *shared, GError **error)
{
    g_autoptr(Lane) lane = g_new0(Lane, 1);
    struct epoll_event event = { .events = EPOLLIN | EPOLLET };

    lane->shared = shared;
    lane->pipes.budget = &shared->budget;
    pthread_mutex_init(&lane->mutex, NULL);
    pthread_cond_init(&lane->answered, NULL);
    lane->epoll = epoll_create1(EPOLL_CLOEXEC);
    lane->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (lane->epoll < 0 || lane->bell < 0 ||
        epoll_ctl(lane->epoll, EPOLL_CTL_ADD, lane->bell, &event) < 0) {
        tu_error_errno(error, errno, "Cannot make an epoll set");
        return NULL;
    }
    return start_thread(lane, error) ? g_steal_pointer(&lane) : NULL;
}

/* With the mutex; gives it back. */
static void post(Lane *lane, guint order)
{
    const guint64 one = 1;
    gboolean asleep = !g_atomic_int_get(&lane->awake);

    lane->orders |= order;
    g_atomic_int_set(&lane->awake, TRUE);
    pthread_mutex_unlock(&lane->mutex);
    if (asleep && write(lane->bell, &one, sizeof one) < 0)
        g_warning("Cannot wake a thread of the relay: %s", g_strerror(errno));
}

void lane_free(Lane *lane)
{
    if (!lane)
        return;
    if (lane->thread) {
        pthread_mutex_lock(&lane->mutex);
        post(lane, ORDER_STOP);
        g_thread_join(lane->thread);
    }
    if (lane->bell >= 0)
        close(lane->bell);
    if (lane->epoll >= 0)
        close(lane->epoll);
    pthread_cond_destroy(&lane->answered);
    pthread_mutex_destroy(&lane->mutex);
    g_free(lane);
}

void lane_listen(Lane *lane, int fd, gboolean on)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = lane };

    if (epoll_ctl(lane->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event) < 0)
        g_warning("Cannot watch the listening socket: %s", g_strerror(errno));
}

guint lane_load(const Lane *lane)
{
    return g_atomic_int_get(&lane->load);
}

void lane_begin(Lane *lane, int client, int backend, gboolean client_spoke)
{
    Session *session = g_new0(Session, 1);

    session->link.data = session->runnable.data = session;
    /* Nothing has been written to either yet, so both take something. */
    session->side[CLIENT] = (Side){
        .session = session, .fd = client, .readable = client_spoke, .writable = TRUE, .prompt = TRUE
    };
    session->side[BACKEND] = (Side){ .session = session, .fd = backend, .writable = TRUE };
    g_atomic_int_add(&lane->load, 1);
    pthread_mutex_lock(&lane->mutex);
    g_queue_push_tail_link(&lane->inbox, &session->link);
    pthread_mutex_unlock(&lane->mutex);
}

void lane_wake(Lane *lane)
{
    pthread_mutex_lock(&lane->mutex);
    if (lane->inbox.length > 0)
        post(lane, 0);
    else
        pthread_mutex_unlock(&lane->mutex);
}

void lane_trim(Lane *lane)
{
    pthread_mutex_lock(&lane->mutex);
    post(lane, ORDER_TRIM);
}

void lane_cut(Lane *lane)
{
    pthread_mutex_lock(&lane->mutex);
    lane->n_cut = 0;
    g_atomic_int_set(&lane->hurry, TRUE);
    post(lane, ORDER_CUT);
}

guint lane_wait_cut(Lane *lane)
{
    guint count;

    pthread_mutex_lock(&lane->mutex);
    while (lane->orders & ORDER_CUT)
        pthread_cond_wait(&lane->answered, &lane->mutex);
    count = lane->n_cut;
    pthread_mutex_unlock(&lane->mutex);
    return count;
}
