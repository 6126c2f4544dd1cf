#include "port/relay.h"
#include "port/lane.h"
#include "common/error.h"
#include "common/text.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* More would not help: the kernel's part of the work is done on all processors anyway. */
#define LANES_LIMIT 16

/* Between two calls of RelayEnded that nobody waits for. */
#define ENDED_USEC (100 * USEC_PER_MSEC)

/* By how many sessions a lane may be ahead of another before that one gets what it takes. */
#define AHEAD 2

struct Relay {
    LaneShared shared;
    Turn *turn;
    GPtrArray *lanes;
    Lane *chosen; /* gets the sessions of this batch; NULL: none yet */
    int ended_fd; /* eventfd: the lanes ring */
    sd_event_source *ended_source;
    sd_event_source *pause;
    gint awaited; /* atomic */
    gint told;    /* atomic: somebody has rung, and need not again */
    RelayEnded ended;
    gpointer data;
};

/* In a lane. */
static void ring(gpointer data)
{
    Relay *relay = data;
    const guint64 one = 1;
    gboolean urgent =
        g_atomic_int_get(&relay->awaited) || g_atomic_int_get(&relay->shared.budget.tight);

    if (!g_atomic_int_compare_and_exchange(&relay->told, FALSE, TRUE) && !urgent)
        return;
    if (write(relay->ended_fd, &one, sizeof one) < 0)
        g_warning("Cannot tell that sessions have ended: %s", g_strerror(errno));
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *data)
{
    Relay *relay = data;

    g_atomic_int_set(&relay->told, FALSE);
    relay->ended(relay->data);
    return 0;
}

static int on_ended(sd_event_source *source, int fd, uint32_t events, void *data)
{
    Relay *relay = data;

    /* The source is an edge: the counter need not be read. */
    sd_event_source_set_time_relative(relay->pause, ENDED_USEC);
    sd_event_source_set_enabled(relay->pause, SD_EVENT_ONESHOT);
    relay->ended(relay->data);
    return 0;
}

/* A lane that takes clients. */
typedef struct {
    Relay *relay;
    Lane *lane;
    Lane *chosen; /* gets them */
} Taking;

static gboolean taking_has_room(gpointer data)
{
    const Budget *budget = &((Taking *)data)->relay->shared.budget;

    return g_atomic_int_get(&budget->used) + 2 <= g_atomic_int_get(&budget->limit);
}

static guint taking_sessions(gpointer data)
{
    return relay_sessions(((Taking *)data)->relay);
}

static void begin_in(Relay *relay, Lane *lane, int client, int backend, gboolean client_spoke)
{
    g_atomic_int_add(&relay->shared.budget.used, 2);
    g_atomic_int_add(&relay->shared.sessions, 1);
    lane_begin(lane, client, backend, client_spoke);
}

static void taking_begin(int client, int backend, gboolean spoke, gpointer data)
{
    Taking *taking = data;

    begin_in(taking->relay, taking->chosen, client, backend, spoke);
}

static Lane *choose_lane(Relay *relay)
{
    Lane *best = relay->lanes->pdata[0];

    for (guint i = 1; i < relay->lanes->len; i++)
        if (lane_load(relay->lanes->pdata[i]) < lane_load(best))
            best = relay->lanes->pdata[i];
    return best;
}

/* In a lane. */
static void on_clients(gpointer data, Lane *lane)
{
    static const TurnCalls calls = { taking_has_room, taking_sessions, taking_begin };
    Relay *relay = data;
    Taking taking = { relay, lane, choose_lane(relay) };

    /* The lane has seen them because it had nothing else to do, which says nothing of how many
     * sessions rest there. */
    if (lane_load(lane) <= lane_load(taking.chosen) + AHEAD)
        taking.chosen = lane;
    turn_take(relay->turn, &calls, &taking);
    if (taking.chosen != lane)
        lane_wake(taking.chosen);
    ring(relay);
}

static void watch_clients(gpointer lane, int fd, gboolean on)
{
    lane_listen(lane, fd, on);
}

static gboolean make_lanes(Relay *relay, GError **error)
{
    guint count = CLAMP(g_get_num_processors(), 1, LANES_LIMIT);

    while (relay->lanes->len < count) {
        Lane *lane = lane_new(&relay->shared, error);

        if (!lane)
            return FALSE;
        g_ptr_array_add(relay->lanes, lane);
        turn_add_watcher(relay->turn, watch_clients, lane);
    }
    return TRUE;
}

Relay *relay_new(sd_event *event, guint descriptors, Turn *turn, RelayEnded ended, gpointer data,
                 GError **error)
{
    g_autoptr(Relay) relay = g_new0(Relay, 1);
    int r;

    relay->shared.budget.limit = MIN(descriptors, (guint)G_MAXINT / 2);
    relay->turn = turn;
    relay->shared.ended = ring;
    relay->shared.clients = on_clients;
    relay->shared.data = relay;
    relay->ended = ended;
    relay->data = data;
    relay->lanes = g_ptr_array_new_with_free_func((GDestroyNotify)lane_free);
    relay->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (relay->ended_fd < 0) {
        tu_error_errno(error, errno, "Cannot make an event descriptor");
        return NULL;
    }
    r = sd_event_add_io(event, &relay->ended_source, relay->ended_fd, EPOLLIN | EPOLLET, on_ended,
                        relay);
    if (r >= 0)
        r = sd_event_add_time_relative(event, &relay->pause, CLOCK_BOOTTIME, 0, USEC_PER_MSEC,
                                       on_pause_over, relay);
    if (r >= 0)
        r = sd_event_source_set_enabled(relay->pause, SD_EVENT_OFF);
    if (r < 0) {
        tu_error_errno(error, -r, "Cannot watch the sessions");
        return NULL;
    }
    return make_lanes(relay, error) ? g_steal_pointer(&relay) : NULL;
}

void relay_free(Relay *relay)
{
    if (!relay)
        return;
    g_ptr_array_unref(relay->lanes);
    sd_event_source_disable_unref(relay->pause);
    sd_event_source_disable_unref(relay->ended_source);
    if (relay->ended_fd >= 0)
        close(relay->ended_fd);
    g_free(relay);
}

gboolean relay_has_room(Relay *relay)
{
    Budget *budget = &relay->shared.budget;
    gboolean room = g_atomic_int_get(&budget->used) + 2 <= g_atomic_int_get(&budget->limit);

    if (g_atomic_int_get(&budget->tight) == !room)
        return room;
    g_atomic_int_set(&budget->tight, !room);
    for (guint i = 0; i < relay->lanes->len && !room; i++)
        lane_trim(relay->lanes->pdata[i]);
    return room;
}

void relay_begin(Relay *relay, int client, int backend, gboolean client_spoke)
{
    /* One lane for a batch: to wake it costs more than its sessions' hand-over. */
    if (!relay->chosen)
        relay->chosen = choose_lane(relay);
    begin_in(relay, relay->chosen, client, backend, client_spoke);
}

void relay_flush(Relay *relay)
{
    if (relay->chosen)
        lane_wake(g_steal_pointer(&relay->chosen));
}

guint relay_sessions(const Relay *relay)
{
    return g_atomic_int_get(&relay->shared.sessions);
}

void relay_await_end(Relay *relay, gboolean on)
{
    g_atomic_int_set(&relay->awaited, on);
}

guint relay_cut(Relay *relay)
{
    guint count = 0;

    for (guint i = 0; i < relay->lanes->len; i++)
        lane_cut(relay->lanes->pdata[i]);
    for (guint i = 0; i < relay->lanes->len; i++)
        count += lane_wait_cut(relay->lanes->pdata[i]);
    return count;
}
