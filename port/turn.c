#include "port/turn.h"
#include "port/proxy.h"
#include "port/source.h"
#include "common/error.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Clients in one turn: few, because the next lane waits for its own. */
#define CLIENTS 8

typedef struct {
    void (*watch)(gpointer lane, int fd, gboolean on);
    gpointer lane;
} Watcher;

struct Turn {
    GArray *watchers; /* Watcher */
    int ended_fd;     /* eventfd: a lane rings */
    sd_event_source *ended_source;
    TurnEnded ended;
    gpointer data;

    pthread_mutex_t mutex; /* the turn; for all below */
    gboolean open;
    Listeners *listeners;
    Address address;
    gboolean proxy;
    Source *source;
    TurnCounts counts;
};

static int on_ended(sd_event_source *source, int fd, uint32_t events, void *data)
{
    Turn *turn = data;

    /* The source is an edge: the counter need not be read. */
    turn->ended(turn->data);
    return 0;
}

Turn *turn_new(sd_event *event, TurnEnded ended, gpointer data, GError **error)
{
    g_autoptr(Turn) turn = g_new0(Turn, 1);
    int r;

    pthread_mutex_init(&turn->mutex, NULL);
    turn->watchers = g_array_new(FALSE, FALSE, sizeof(Watcher));
    turn->source = source_new();
    turn->ended = ended;
    turn->data = data;
    turn->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (turn->ended_fd < 0) {
        tu_error_errno(error, errno, "Cannot make an event descriptor");
        return NULL;
    }
    r = sd_event_add_io(event, &turn->ended_source, turn->ended_fd, EPOLLIN | EPOLLET, on_ended,
                        turn);
    if (r < 0) {
        tu_error_errno(error, -r, "Cannot watch the lanes");
        return NULL;
    }
    return g_steal_pointer(&turn);
}

void turn_free(Turn *turn)
{
    if (!turn)
        return;
    sd_event_source_disable_unref(turn->ended_source);
    if (turn->ended_fd >= 0)
        close(turn->ended_fd);
    source_free(turn->source);
    g_array_unref(turn->watchers);
    pthread_mutex_destroy(&turn->mutex);
    g_free(turn);
}

void turn_add_watcher(Turn *turn, void (*watch)(gpointer lane, int fd, gboolean on), gpointer lane)
{
    const Watcher watcher = { watch, lane };

    g_array_append_val(turn->watchers, watcher);
}

/* With the mutex. */
static void set_open(Turn *turn, gboolean open)
{
    g_autoptr(GArray) sockets = listeners_sockets(turn->listeners);

    for (guint i = 0; i < turn->watchers->len; i++) {
        const Watcher *watcher = &g_array_index(turn->watchers, Watcher, i);

        for (guint j = 0; j < sockets->len; j++)
            watcher->watch(watcher->lane, g_array_index(sockets, int, j), open);
    }
    turn->open = open;
}

void turn_open(Turn *turn, Listeners *listeners, const Address *address, gboolean proxy)
{
    pthread_mutex_lock(&turn->mutex);
    if (!turn->open) {
        turn->listeners = listeners;
        turn->address = *address;
        turn->proxy = proxy;
        set_open(turn, TRUE);
    }
    pthread_mutex_unlock(&turn->mutex);
}

void turn_close(Turn *turn)
{
    pthread_mutex_lock(&turn->mutex);
    if (turn->open)
        set_open(turn, FALSE);
    pthread_mutex_unlock(&turn->mutex);
}

TurnCounts turn_counts(Turn *turn)
{
    TurnCounts counts;

    pthread_mutex_lock(&turn->mutex);
    counts = turn->counts;
    turn->counts = (TurnCounts){ 0 };
    pthread_mutex_unlock(&turn->mutex);
    return counts;
}

/* In a lane, which has the turn. */
static void leave_it_to_the_event_loop(Turn *turn)
{
    const guint64 one = 1;

    set_open(turn, FALSE);
    if (write(turn->ended_fd, &one, sizeof one) < 0)
        g_warning("Cannot tell that the port waits: %s", g_strerror(errno));
}

/* CLIENT is the turn's to give away or close. TRUE: so is *BACKEND, which is used up. */
static gboolean serve(Turn *turn, int client, int backend, const TurnCalls *calls, gpointer data)
{
    FirstWord word = socket_first_word(client);

    if (word == WORD_GAVE_UP) {
        close(client);
        turn->counts.gave_up++;
        return FALSE;
    }
    /* A client that has gone meanwhile has no name any more. */
    if (turn->proxy && !proxy_announce(backend, client)) {
        socket_reset(backend);
        socket_reset(client);
        turn->counts.refused++;
        return TRUE;
    }
    calls->begin(client, backend, word == WORD_SPOKE, data);
    turn->counts.accepted++;
    return TRUE;
}

static void take_from(Turn *turn, guint listener, const TurnCalls *calls, gpointer data)
{
    guint waiting = MIN(listeners_waiting(turn->listeners, listener), CLIENTS);
    int backend = -1;

    for (; waiting > 0 && turn->open; waiting--) {
        int client = -1;
        Accepted accepted = ACCEPTED_FAILED;

        /* Before the client is taken out: see port/dialer.h. */
        if (calls->has_room(data) &&
            (backend >= 0 ||
             source_connect(turn->source, &turn->address, calls->sessions(data), &backend) == 0))
            accepted = listeners_accept(turn->listeners, listener, &client);
        if (accepted == ACCEPTED_FAILED)
            leave_it_to_the_event_loop(turn);
        else if (accepted == ACCEPTED_NOBODY)
            break;
        else if (accepted == ACCEPTED_CLIENT && serve(turn, client, backend, calls, data))
            backend = -1;
    }
    if (backend >= 0)
        close(backend);
}

void turn_take(Turn *turn, const TurnCalls *calls, gpointer data)
{
    pthread_mutex_lock(&turn->mutex);
    for (guint i = 0; turn->open && i < listeners_count(turn->listeners); i++)
        take_from(turn, i, calls, data);
    pthread_mutex_unlock(&turn->mutex);
}
