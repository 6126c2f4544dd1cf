#include "port/gate.h"
#include "port/account.h"
#include "port/beginning.h"
#include "port/census.h"
#include "port/dialer.h"
#include "port/guest.h"
#include "port/heir.h"
#include "port/listener.h"
#include "port/notice.h"
#include "port/patience.h"
#include "port/proxy.h"
#include "port/publisher.h"
#include "port/relay.h"
#include "port/saved.h"
#include "port/silence.h"
#include "port/socket.h"
#include "port/turn.h"
#include "common/error.h"
#include "common/nick.h"
#include "common/text.h"

#include <unistd.h>

/* Nobody tells us of the end of a session that we do not relay. */
#define RECOUNT_USEC (250 * USEC_PER_MSEC)

struct Gate {
    char *server;
    Saved *now;
    gboolean proxy;
    gboolean overdue; /* it refuses because a deadline passed, not by order */
    Account account;
    sd_event *event;
    Guest *guest; /* accepts at adopted sockets; NULL none */
    Listeners *listeners;
    Dialer *dialer;
    Relay *relay;
    Turn *turn;
    gboolean
        apart; /* the lanes met what they cannot serve: it is done here, until one was served */
    Publisher *publisher;
    Silence *silence;
    Patience *patience;
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

/* A change that time brings: it holds even where it cannot be written down. */
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

    gate->account.cut += count;
    return count;
}

/* Events */

static gboolean on_may_accept(gpointer data)
{
    Gate *gate = data;
    DialState state = DIAL_SILENT;

    if (gate->now->state == KEEPER_OPEN)
        state = relay_has_room(gate->relay) ? dialer_ask(gate->dialer, relay_sessions(gate->relay))
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
        gate->account.refused++;
        return;
    }
    relay_begin(gate->relay, client, backend, spoke);
    gate->account.accepted++;
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
        gate->account.gave_up++;
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

    g_message("The drain is over: %u sessions cut", cut_sessions(gate));
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
    /* A drain that runs goes on: to renew the deadline is no mercy on the sessions' time. */
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
    /* Whoever had the sockets is gone: now clients may queue. */
    listeners_open_door(gate->listeners);
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

    g_message("Server %s: from now on the port is relayed to %s", gate->server,
              gate->now->backend ? gate->now->backend : "nobody yet");
    g_clear_pointer(&gate->guest, guest_free);
    listeners_restore(gate->listeners);
    apply(gate);
}

gboolean gate_adopt(Gate *gate, GArray *sockets, int pidfd, GError **error)
{
    gboolean taken = listeners_limit(gate->listeners) > 0, again, added;
    Guest *guest = guest_adopt(gate->event, gate->server, pidfd, sockets, taken, gate->guest,
                               &again, on_guest_gone, gate, error);

    if (!guest)
        return again;
    turn_close(gate->turn);
    gate->guest = guest;
    added = listeners_share(gate->listeners, sockets, error);
    apply(gate);
    return added;
}

gboolean gate_knows_user(const Gate *gate, uid_t user)
{
    return heir_is_user(gate->now->backend, user);
}

/* Status */

KeeperStatus *gate_status(Gate *gate)
{
    const TurnCounts counts = turn_counts(gate->turn);

    account_add(&gate->account, &counts);
    return account_status(&gate->account, gate->now, gate->listeners, count_sessions(gate),
                          guest_pid(gate->guest));
}

/* For how long the backend of an open port has been silent. */
static guint64 find_silence(Gate *gate, guint held)
{
    gboolean inherited = gate->now->state == KEEPER_OPEN && is_inherited(gate);
    guint64 wait = silence_of_queue(gate->silence, inherited ? held : 0);

    gate->account.refused += patience_look(gate->patience, gate->listeners, gate->guest ? 0 : wait);
    return gate->now->state == KEEPER_OPEN && !inherited ? dialer_silence(gate->dialer) : wait;
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

static gboolean add_timer(sd_event *event, sd_event_source **timer, sd_event_time_handler_t handler,
                          Gate *gate, GError **error)
{
    int r = sd_event_add_time(event, timer, CLOCK_BOOTTIME, 0, USEC_PER_MSEC, handler, gate);

    if (r >= 0)
        r = sd_event_source_set_enabled(*timer, SD_EVENT_OFF);
    return r >= 0 || tu_error_errno(error, -r, "Cannot make a timer");
}

static gboolean make_parts(Gate *gate, sd_event *event, const GateOptions *options, GError **error)
{
    static const ListenersCalls calls = { on_may_accept, on_accepted };
    gboolean guest = options->guest >= 0;

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
    if (guest && !(gate->guest = guest_new(event, options->server, options->guest, on_guest_gone,
                                           gate, error)))
        return FALSE;
    gate->publisher = publisher_new(event, options->server, on_publish, gate, error);
    if (!gate->publisher)
        return FALSE;
    return add_timer(event, &gate->deadline, on_deadline, gate, error) &&
           add_timer(event, &gate->drain_end, on_drain_end, gate, error) &&
           add_timer(event, &gate->recount, on_recount, gate, error);
}

Gate *gate_new(sd_event *event, const GateOptions *options, GError **error)
{
    g_autoptr(Gate) gate = g_new0(Gate, 1);
    gboolean recovered;

    gate->server = g_strdup(options->server);
    gate->event = event;
    gate->proxy = options->proxy;
    gate->silence = silence_new(options->server);
    gate->patience = patience_new(options->server, options->wait_usec);
    gate->census = census_new();
    if (!make_parts(gate, event, options, error))
        return NULL;
    gate->now = beginning_state(options, &recovered);
    if (recovered)
        account_recover(&gate->account, gate->server, is_inherited(gate));
    if (!is_inherited(gate))
        beginning_check_backend(gate->now, gate->server, gate->listeners);
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
    g_clear_pointer(&gate->patience, patience_free);
    g_clear_pointer(&gate->census, census_free);
    g_clear_pointer(&gate->now, saved_free);
    g_free(gate->server);
    g_free(gate);
}
