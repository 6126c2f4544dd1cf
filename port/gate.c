#include "port/gate.h"
#include "port/beginning.h"
#include "port/census.h"
#include "port/dialer.h"
#include "port/guest.h"
#include "port/heir.h"
#include "port/listener.h"
#include "port/notice.h"
#include "port/parcel.h"
#include "port/proxy.h"
#include "port/publisher.h"
#include "port/relay.h"
#include "port/saved.h"
#include "port/silence.h"
#include "port/socket.h"
#include "port/store.h"
#include "port/turn.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"
#include "common/nick.h"
#include "common/text.h"

#include <unistd.h>

/* A published time moves only when the clock was really set. */
#define CLOCK_JUMP_USEC (200 * USEC_PER_MSEC)

#define STATUS_LIMIT 4096

/* Nobody tells us of the end of a session that we do not relay. */
#define RECOUNT_USEC (250 * USEC_PER_MSEC)

struct Gate {
    char *server;
    Saved *now;
    gboolean proxy;
    gboolean overdue;     /* it refuses because a deadline passed, not by order */
    guint64 clock_offset; /* CLOCK_REALTIME - CLOCK_BOOTTIME */
    guint64 accepted, refused, cut, gave_up;
    guint64 waiting_since; /* in inherit mode, clients at the open port; 0: none */
    sd_event *event;
    Guest *guest; /* accepts at adopted sockets; NULL none */
    Listeners *listeners;
    Dialer *dialer;
    Relay *relay;
    Turn *turn;
    gboolean apart; /* the lanes met what they cannot serve: it is done here, until one was served */
    Publisher *publisher;
    Silence *silence;
    Census *census;
    sd_event_source *deadline;
    sd_event_source *drain_end;
    sd_event_source *recount; /* while sessions drain that are not ours */
};

/* Whether the backend accepts by itself, at the public sockets. */
static gboolean is_inherited(const Gate *gate)
{
    return heir_is(gate->now->backend) || gate->guest;
}

static guint count_sessions(const Gate *gate)
{
    g_autoptr(GArray) sockets = NULL;

    if (!is_inherited(gate))
        return relay_sessions(gate->relay);
    sockets = listeners_sockets(gate->listeners);
    return census_count(gate->census, sockets);
}

/* Whether clients are taken out of the queue now, and by whom. */
static void settle_listeners(Gate *gate)
{
    Address address;
    gboolean open = gate->now->state == KEEPER_OPEN && !is_inherited(gate) &&
                    !dialer_is_busy(gate->dialer) && relay_has_room(gate->relay);
    /* Behind a closed door a server may still accept, and must not be competed with. */
    gboolean refuse = gate->now->state == KEEPER_REFUSE &&
                      !(is_inherited(gate) && listeners_door_is_closed(gate->listeners));

    /* Only on this host a connect is done at once or not at all. */
    gboolean lanes = open && !gate->apart && address_parse(gate->now->backend, &address, NULL) &&
                     address_is_loopback(&address);

    if (!lanes)
        turn_close(gate->turn);
    listeners_watch(gate->listeners, (open && !lanes) || refuse);
    if (lanes)
        turn_open(gate->turn, gate->listeners, &address, gate->proxy);
    publisher_watch(gate->publisher,
                    gate->now->state == KEEPER_OPEN ? !open : saved_is_held(gate->now));
}

static void set_timer(sd_event_source *timer, guint64 when)
{
    sd_event_source_set_time(timer, when);
    sd_event_source_set_enabled(timer, when > 0 ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* Makes the parts do what the state says. */
static void apply(Gate *gate)
{
    const Saved *now = gate->now;
    Address address;

    turn_close(gate->turn);
    gate->apart = FALSE;
    relay_await_end(gate->relay, now->state == KEEPER_DRAIN);
    set_timer(gate->deadline, now->deadline);
    set_timer(gate->drain_end, now->drain_end);
    set_timer(gate->recount,
              now->state == KEEPER_DRAIN && is_inherited(gate) ? boottime_now() + RECOUNT_USEC : 0);
    if (now->state == KEEPER_OPEN || !is_inherited(gate))
        listeners_open_door(gate->listeners);
    if (now->state == KEEPER_OPEN && !is_inherited(gate) &&
        address_parse(now->backend, &address, NULL)) {
        listeners_tune(gate->listeners);
        dialer_open(gate->dialer, &address, now->backend);
    } else {
        dialer_hang_up(gate->dialer);
    }
    settle_listeners(gate);
    publisher_now(gate->publisher);
}

static void adopt(Gate *gate, Saved *next)
{
    saved_free(gate->now);
    gate->now = next;
    gate->overdue = FALSE;
    apply(gate);
}

/* Writes the next state down and takes it. NEXT is the gate's from then on. */
static gboolean change(Gate *gate, Saved *next, GError **error)
{
    if (!saved_store(gate->server, next, error)) {
        saved_free(next);
        return FALSE;
    }
    if (next->state != gate->now->state || g_strcmp0(next->backend, gate->now->backend) != 0)
        g_message("Server %s: %s after %s, backend %s, %u sessions, %u connects wait", gate->server,
                  nick_of(keeper_state_nicks, next->state),
                  nick_of(keeper_state_nicks, gate->now->state),
                  next->backend ? next->backend : "none", count_sessions(gate),
                  listeners_held(gate->listeners));
    adopt(gate, next);
    return TRUE;
}

/* A change that time brings and that cannot be refused: it holds even where it cannot be written
 * down. */
static void change_anyway(Gate *gate, Saved *next)
{
    g_autoptr(GError) error = NULL;

    if (change(gate, saved_copy(next), &error)) {
        saved_free(next);
        return;
    }
    g_warning("%s. The change is made nevertheless", error->message);
    adopt(gate, next);
}

/* A change from an open port: the server that has the sockets is to get no more clients, until it
 * is gone, which "cut" tells. */
static gboolean change_and_close(Gate *gate, Saved *next, GError **error)
{
    gboolean was_open = gate->now->state == KEEPER_OPEN && is_inherited(gate);

    if (!change(gate, next, error))
        return FALSE;
    if (was_open) {
        listeners_close_door(gate->listeners);
        settle_listeners(gate);
        publisher_now(gate->publisher);
    }
    return TRUE;
}

static Saved *next_state(const Gate *gate, KeeperState state)
{
    Saved *next = saved_copy(gate->now);

    next->state = state;
    next->drain_end = 0;
    if (!saved_is_held(next))
        next->since = next->deadline = 0;
    else if (!saved_is_held(gate->now))
        next->since = boottime_now();
    return next;
}

static void finish_drain(Gate *gate)
{
    change_anyway(gate, next_state(gate, KEEPER_HOLD));
}

static guint cut_sessions(Gate *gate)
{
    guint count = relay_cut(gate->relay);

    gate->cut += count;
    return count;
}

/* Events */

static gboolean on_may_accept(gpointer data)
{
    Gate *gate = data;
    DialState state = DIAL_SILENT;

    if (gate->now->state == KEEPER_OPEN)
        state = relay_has_room(gate->relay)
                    ? dialer_ask(gate->dialer, relay_sessions(gate->relay))
                    : DIAL_WAIT;
    if (state != DIAL_READY)
        gate->apart = TRUE;
    if (state == DIAL_WAIT)
        settle_listeners(gate);
    return state != DIAL_WAIT;
}

static void serve_or_refuse(Gate *gate, int client, gboolean spoke)
{
    int backend = dialer_take(gate->dialer);

    /* A client that has gone meanwhile has no name any more. */
    if (backend < 0 || (gate->proxy && !proxy_announce(backend, client))) {
        if (backend >= 0)
            socket_reset(backend);
        socket_reset(client);
        gate->refused++;
        return;
    }
    relay_begin(gate->relay, client, backend, spoke);
    gate->accepted++;
    gate->apart = FALSE;
}

static void on_accepted(int client, gpointer data)
{
    Gate *gate = data;
    FirstWord word;

    if (client < 0) {
        /* The connection at hand is not kept for a later client: the backend might have lost
         * patience with it by then. */
        dialer_drop(gate->dialer);
        relay_flush(gate->relay);
        settle_listeners(gate);
        return;
    }
    word = gate->now->state == KEEPER_OPEN ? socket_first_word(client) : WORD_NONE;
    if (word == WORD_GAVE_UP) {
        close(client);
        gate->gave_up++;
    } else {
        serve_or_refuse(gate, client, word == WORD_SPOKE);
    }
    publisher_soon(gate->publisher);
}

static void on_turn_ended(gpointer data)
{
    Gate *gate = data;

    gate->apart = TRUE;
    settle_listeners(gate);
}

static void on_dialed(gpointer data)
{
    settle_listeners(data);
}

static void on_sessions_ended(gpointer data)
{
    Gate *gate = data;

    publisher_soon(gate->publisher);
    if (gate->now->state == KEEPER_DRAIN && relay_sessions(gate->relay) == 0)
        finish_drain(gate);
    settle_listeners(gate);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *data)
{
    Gate *gate = data;

    g_warning("The deadline of the hold has passed: clients of server %s are refused until an "
              "order to open",
              gate->server);
    change_anyway(gate, next_state(gate, KEEPER_REFUSE));
    gate->overdue = TRUE;
    publisher_now(gate->publisher);
    return 0;
}

static int on_recount(sd_event_source *source, uint64_t usec, void *data)
{
    Gate *gate = data;

    if (count_sessions(gate) == 0)
        finish_drain(gate);
    else
        set_timer(gate->recount, boottime_now() + RECOUNT_USEC);
    return 0;
}

static int on_drain_end(sd_event_source *source, uint64_t usec, void *data)
{
    Gate *gate = data;
    guint cut;

    cut = cut_sessions(gate);
    g_message("The drain is over: %u sessions cut", cut);
    finish_drain(gate);
    return 0;
}

/* Orders */

gboolean gate_open(Gate *gate, const char *backend, GError **error)
{
    Saved *next;
    Address address;

    backend = backend ? backend : gate->now->backend;
    if (!backend) {
        g_set_error(error, TU_ERROR, TU_ERROR_NOT_POSSIBLE,
                    "Server %s has no backend yet. Say open ADDRESS:PORT", gate->server);
        return FALSE;
    }
    if (heir_is(backend) ? !heir_check(backend, error) : !address_parse(backend, &address, error))
        return FALSE;
    if (!heir_is(backend) && listeners_are_at(gate->listeners, &address)) {
        g_set_error(
            error, TU_ERROR, TU_ERROR_INVALID_OPTION,
            "%s is the public port of server %s itself. Name the private port of its instance",
            backend, gate->server);
        return FALSE;
    }
    next = next_state(gate, KEEPER_OPEN);
    if (backend != gate->now->backend) {
        g_free(next->backend);
        next->backend = g_strdup(backend);
    }
    if (heir_is(gate->now->backend) && !heir_is(next->backend) && !gate->guest)
        listeners_restore(gate->listeners);
    return change(gate, next, error);
}

static gboolean check_deadline(guint64 usec, GError **error)
{
    if (usec > 0 && usec <= HOLD_LIMIT_USEC)
        return TRUE;
    g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                "A hold needs a deadline of 1 to %" G_GUINT64_FORMAT " µs from now",
                HOLD_LIMIT_USEC);
    return FALSE;
}

gboolean gate_hold(Gate *gate, guint64 deadline_usec, GError **error)
{
    /* A drain that runs goes on: who renews the deadline does not ask for mercy on the sessions'
     * time. */
    gboolean draining = gate->now->state == KEEPER_DRAIN;
    Saved *next;

    if (!check_deadline(deadline_usec, error))
        return FALSE;
    next = next_state(gate, draining ? KEEPER_DRAIN : KEEPER_HOLD);
    next->deadline = boottime_now() + deadline_usec;
    next->drain_end = gate->now->drain_end;
    return change_and_close(gate, next, error);
}

gboolean gate_drain(Gate *gate, guint64 drain_usec, guint64 deadline_usec, GError **error)
{
    guint64 now = boottime_now();
    Saved *next;

    if (!check_deadline(deadline_usec, error))
        return FALSE;
    if (drain_usec > HOLD_LIMIT_USEC) {
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                    "A drain may take 0 to %" G_GUINT64_FORMAT " µs", HOLD_LIMIT_USEC);
        return FALSE;
    }
    next = next_state(gate, KEEPER_DRAIN);
    next->deadline = now + deadline_usec;
    next->drain_end = now + drain_usec;
    /* Before it is asked how many there are: neither the begin of one nor the end of the last must
     * slip through. */
    turn_close(gate->turn);
    relay_await_end(gate->relay, TRUE);
    if (count_sessions(gate) == 0) {
        next->state = KEEPER_HOLD;
        next->drain_end = 0;
    }
    return change_and_close(gate, next, error);
}

gboolean gate_refuse(Gate *gate, GError **error)
{
    return change_and_close(gate, next_state(gate, KEEPER_REFUSE), error);
}

void gate_cut(Gate *gate)
{
    guint count = cut_sessions(gate);

    g_message("%u sessions cut by order", count);
    listeners_open_door(
        gate->listeners); /* whoever had the sockets is gone: now clients may queue */
    if (gate->now->state == KEEPER_DRAIN) {
        finish_drain(gate);
        return;
    }
    settle_listeners(gate);
    publisher_now(gate->publisher);
}

GArray *gate_give(Gate *gate, uid_t user, const char *name, GError **error)
{
    if (!heir_may_take(gate->now->backend, user, name, error))
        return NULL;
    if (gate->now->state != KEEPER_OPEN && !listeners_door_is_closed(gate->listeners)) {
        g_set_error(error, TU_ERROR, TU_ERROR_NOT_POSSIBLE,
                    "The port of server %s is in state %s, so nobody may accept there at present",
                    gate->server, nick_of(keeper_state_nicks, gate->now->state));
        return NULL;
    }
    g_message("Server %s: the socket is given to %s (user %u)", gate->server, gate->now->backend,
              (guint)user);
    return listeners_sockets(gate->listeners);
}

static void on_guest_gone(gpointer data)
{
    Gate *gate = data;

    g_message("Server %s: the adopted server has ended; from now on the port is relayed to %s",
              gate->server, gate->now->backend ? gate->now->backend : "nobody yet");
    g_clear_pointer(&gate->guest, guest_free);
    store_forget_guest();
    listeners_restore(gate->listeners);
    apply(gate);
}

gboolean gate_adopt(Gate *gate, GArray *sockets, int pidfd, GError **error)
{
    g_autoptr(Guest) guest = guest_new(gate->event, pidfd, on_guest_gone, gate, error);
    gboolean added;

    if (guest && gate->guest && guest_pid(guest) == guest_pid(gate->guest)) {
        parcel_drop(sockets); /* asked a second time */
        return TRUE;
    }
    if (guest && listeners_limit(gate->listeners) > 0)
        tu_error_set(error, TU_ERROR_NOT_POSSIBLE, "Server %s has its port already", gate->server);
    else if (guest && store_adopted(pidfd, sockets, error)) {
        g_message("Server %s: adopted from process %u, which serves its clients until it ends",
                  gate->server, guest_pid(guest));
        turn_close(gate->turn);
        gate->guest = g_steal_pointer(&guest);
        added = listeners_share(gate->listeners, sockets, error);
        apply(gate);
        return added;
    }
    parcel_drop(sockets);
    return FALSE;
}

gboolean gate_knows_user(const Gate *gate, uid_t user)
{
    return heir_is_user(gate->now->backend, user);
}

/* Status */

static guint64 published_time(Gate *gate, guint64 boottime)
{
    guint64 offset = (guint64)g_get_real_time() - boottime_now();

    if ((guint64)ABS((gint64)(offset - gate->clock_offset)) > CLOCK_JUMP_USEC)
        gate->clock_offset = offset;
    return boottime > 0 ? boottime + gate->clock_offset : 0;
}

KeeperStatus *gate_status(Gate *gate)
{
    KeeperStatus *status = g_new0(KeeperStatus, 1);
    const TurnCounts counts = turn_counts(gate->turn);

    gate->accepted += counts.accepted;
    gate->refused += counts.refused;
    gate->gave_up += counts.gave_up;
    *status = (KeeperStatus){
        .state = gate->now->state,
        .backend = g_strdup(gate->now->backend),
        .sessions = count_sessions(gate),
        .held = listeners_held(gate->listeners),
        .queue_limit = listeners_limit(gate->listeners),
        .hold_since = published_time(gate, gate->now->since),
        .hold_deadline = published_time(gate, gate->now->deadline),
        .accepted = gate->accepted,
        .refused = gate->refused,
        .cut = gate->cut,
        .gave_up = gate->gave_up,
        .guest = guest_pid(gate->guest),
    };
    return status;
}

/* For how long the backend of an open port has been silent. One that accepts by itself is, while
 * its queue does not get empty. */
static guint64 find_silence(Gate *gate, guint held)
{
    if (gate->now->state != KEEPER_OPEN)
        return 0;
    if (!is_inherited(gate))
        return dialer_silence(gate->dialer);
    if (held == 0)
        gate->waiting_since = 0;
    else if (gate->waiting_since == 0)
        gate->waiting_since = boottime_now();
    return gate->waiting_since ? boottime_now() - gate->waiting_since : 0;
}

static KeeperStatus *on_publish(char **ret_text, gpointer data)
{
    Gate *gate = data;
    KeeperStatus *status = gate_status(gate);

    /* Here, because it is asked often while clients wait. */
    silence_lasts(gate->silence, find_silence(gate, status->held));
    *ret_text = notice_text(&(Notice){
        .status = status,
        .inherited = is_inherited(gate),
        .shut = listeners_door_is_closed(gate->listeners),
        .overdue = gate->overdue,
        .problem = dialer_problem(gate->dialer),
    });
    return status;
}

/* Beginning and end */

/* The counters go on where the last published line of the killed keeper had them; its sessions were
 * cut by its death. */
static void recover_counters(Gate *gate)
{
    g_autofree char *path = path_keeper(gate->server, "status");
    g_autofree char *line = file_read(path, STATUS_LIMIT, NULL, NULL);
    g_autoptr(KeeperStatus) last = line ? keeper_status_parse(line, NULL) : NULL;

    if (!last)
        return;
    gate->accepted = last->accepted;
    gate->refused = last->refused;
    /* Those of a server that accepts by itself noticed nothing. */
    gate->cut = last->cut + (is_inherited(gate) ? 0 : last->sessions);
    gate->gave_up = last->gave_up;
}

static gboolean make_parts(Gate *gate, sd_event *event, const GateOptions *options, GError **error)
{
    static const ListenersCalls calls = { on_may_accept, on_accepted };
    gboolean guest = options->guest >= 0;
    int r;

    gate->turn = turn_new(event, on_turn_ended, gate, error);
    if (!gate->turn)
        return FALSE;
    gate->relay =
        relay_new(event, options->descriptors, gate->turn, on_sessions_ended, gate, error);
    if (!gate->relay)
        return FALSE;
    gate->dialer = dialer_new(event, options->wait_usec, on_dialed, gate, error);
    if (!gate->dialer)
        return FALSE;
    gate->listeners =
        listeners_new(event, options->listeners, options->n_listeners, guest, &calls, gate, error);
    if (!gate->listeners)
        return FALSE;
    if (guest && !(gate->guest = guest_new(event, options->guest, on_guest_gone, gate, error)))
        return FALSE;
    gate->publisher = publisher_new(event, options->server, on_publish, gate, error);
    if (!gate->publisher)
        return FALSE;
    r = sd_event_add_time(event, &gate->deadline, CLOCK_BOOTTIME, 0, USEC_PER_MSEC, on_deadline,
                          gate);
    if (r >= 0)
        r = sd_event_source_set_enabled(gate->deadline, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_add_time(event, &gate->drain_end, CLOCK_BOOTTIME, 0, USEC_PER_MSEC,
                              on_drain_end, gate);
    if (r >= 0)
        r = sd_event_source_set_enabled(gate->drain_end, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_add_time(event, &gate->recount, CLOCK_BOOTTIME, 0, USEC_PER_MSEC, on_recount,
                              gate);
    if (r >= 0)
        r = sd_event_source_set_enabled(gate->recount, SD_EVENT_OFF);
    return r >= 0 || tu_error_errno(error, -r, "Cannot make a timer");
}

Gate *gate_new(sd_event *event, const GateOptions *options, GError **error)
{
    g_autoptr(Gate) gate = g_new0(Gate, 1);
    gboolean recovered;
    Address address;

    gate->server = g_strdup(options->server);
    gate->event = event;
    gate->proxy = options->proxy;
    gate->silence = silence_new(options->server);
    gate->census = census_new();
    if (!make_parts(gate, event, options, error))
        return NULL;
    gate->now = beginning_state(options, &recovered);
    if (recovered)
        recover_counters(gate);
    if (gate->now->backend && !is_inherited(gate) &&
        address_parse(gate->now->backend, &address, NULL) &&
        listeners_are_at(gate->listeners, &address)) {
        g_warning(
            "The backend %s is the public port of server %s itself: clients are refused. Name "
            "another PrivatePort=",
            gate->now->backend, gate->server);
        g_clear_pointer(&gate->now->backend, g_free);
        if (gate->now->state == KEEPER_OPEN)
            gate->now->state = KEEPER_REFUSE;
    }
    if (gate->now->state == KEEPER_DRAIN) { /* the sessions died with the last keeper */
        gate->now->state = KEEPER_HOLD;
        gate->now->drain_end = 0;
    }
    if (!saved_store(gate->server, gate->now, error))
        return NULL;
    apply(gate);
    return g_steal_pointer(&gate);
}

void gate_free(Gate *gate)
{
    if (!gate)
        return;
    if (gate->now && saved_is_held(gate->now)) {
        g_autoptr(GError) error = NULL;

        gate->now->stopped = 1;
        if (!saved_store(gate->server, gate->now, &error))
            g_warning("%s. The hold of server %s goes on as after a crash", error->message,
                      gate->server);
    } else if (gate->now) {
        saved_remove(gate->server);
    }
    if (gate->turn)
        turn_close(gate->turn);
    sd_event_source_disable_unref(gate->deadline);
    sd_event_source_disable_unref(gate->drain_end);
    sd_event_source_disable_unref(gate->recount);
    g_clear_pointer(&gate->guest, guest_free);
    g_clear_pointer(&gate->listeners, listeners_free);
    g_clear_pointer(&gate->dialer, dialer_free);
    g_clear_pointer(&gate->relay, relay_free);
    g_clear_pointer(&gate->turn, turn_free);
    g_clear_pointer(&gate->publisher, publisher_free);
    g_clear_pointer(&gate->silence, silence_free);
    g_clear_pointer(&gate->census, census_free);
    g_clear_pointer(&gate->now, saved_free);
    g_free(gate->server);
    g_free(gate);
}
