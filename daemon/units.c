#include "daemon/units.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "common/text.h"
#include "systemd/unit.h"

/* PID 1 is away for a moment when it re-executes itself; a host without systemd stays so. */
#define TRIES      3
#define RETRY_USEC USEC_PER_SEC

/* Each question is two, with the match before it. A bus closes the connection of whose match it
 * could not take, and has 128 open for one. */
#define TURNS_LIMIT 16

struct UnitTurns {
    GQueue waiting; /* UnitWatch */
    guint open;     /* questions under way */
};

struct UnitWatch {
    sd_bus *bus;
    UnitTurns *turns;
    gboolean waits; /* for its turn */
    char *unit;
    char *state; /* NULL: no answer yet */
    guint failures;
    gboolean again; /* it changed while the question was under way */
    UnitCall *call;
    sd_bus_slot *match;
    sd_event_source *retry;
    UnitChanged changed;
    gpointer data;
};

UnitTurns *unit_turns_new(void)
{
    return g_new0(UnitTurns, 1);
}

void unit_turns_free(UnitTurns *turns)
{
    if (!turns)
        return;
    g_queue_clear(&turns->waiting);
    g_free(turns);
}

static void start_waiting(UnitTurns *turns);

void unit_watch_free(UnitWatch *watch)
{
    if (!watch)
        return;
    if (watch->waits)
        g_queue_remove(&watch->turns->waiting, watch);
    if (watch->call) {
        unit_call_free(watch->call);
        watch->turns->open--;
        start_waiting(watch->turns);
    }
    sd_bus_slot_unref(watch->match);
    sd_event_source_disable_unref(watch->retry);
    sd_bus_unref(watch->bus);
    g_free(watch->unit);
    g_free(watch->state);
    g_free(watch);
}

const char *unit_watch_state(const UnitWatch *watch)
{
    return watch && watch->state ? watch->state : "unknown";
}

gboolean unit_watch_answered(const UnitWatch *watch)
{
    return watch && watch->state;
}

gboolean unit_watch_runs(const UnitWatch *watch)
{
    static const char *const running[] = { "active", "activating", "reloading", "deactivating",
                                           NULL };

    return g_strv_contains(running, unit_watch_state(watch));
}

static void ask(UnitWatch *watch);

static int on_retry(sd_event_source *source, guint64 usec, void *data)
{
    ask(data);
    return 0;
}

static void take(UnitWatch *watch, const char *state)
{
    if (g_strcmp0(watch->state, state) == 0)
        return;
    g_free(watch->state);
    watch->state = g_strdup(state);
    watch->changed(watch->data);
}

/* FALSE where it was tried often enough. */
static gboolean try_later(UnitWatch *watch, const char *why)
{
    static gboolean told;

    if (++watch->failures < TRIES) {
        watch->retry = sd_event_source_disable_unref(watch->retry);
        sd_event_add_time_relative(sd_bus_get_event(watch->bus), &watch->retry, CLOCK_MONOTONIC,
                                   RETRY_USEC, 0, on_retry, watch);
        return TRUE;
    }
    /* Once: where one unit cannot be read, no other can. */
    if (!told)
        log_line(LOG_WARNING, &(LogFields){ 0 }, "%s. States of units are unknown", why);
    told = TRUE;
    return FALSE;
}

static void judge(UnitWatch *watch, const UnitState *state, const GError *error)
{
    if (error) {
        /* What was known holds until it is clear that systemd does not come back. */
        if (!try_later(watch, error->message) || !watch->state)
            take(watch, "unknown");
        return;
    }
    watch->failures = 0;
    if (watch->again)
        ask(watch);
    take(watch, state->active_state);
}

static void on_read(const UnitState *state, const GError *error, gpointer data)
{
    UnitWatch *watch = data;
    UnitTurns *turns = watch->turns;

    g_clear_pointer(&watch->call, unit_call_free);
    turns->open--;
    judge(watch, state, error); /* whoever hears of it may free the watch */
    start_waiting(turns);
}

static int on_changed(sd_bus_message *message, void *data, sd_bus_error *error)
{
    ask(data);
    return 0;
}

/* Without a handler of ours sd-bus would end the connection where the bus takes no match. */
static int on_followed(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    const UnitWatch *watch = data;
    const sd_bus_error *e = sd_bus_message_get_error(message);

    if (e)
        log_line(LOG_WARNING, &(LogFields){ 0 }, "Cannot follow %s: %s, ignoring", watch->unit,
                 e->message ? e->message : e->name);
    return 0;
}

static void follow(UnitWatch *watch)
{
    char *path = NULL;
    int r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", watch->unit, &path);

    if (r >= 0)
        r = sd_bus_match_signal_async(watch->bus, &watch->match, "org.freedesktop.systemd1", path,
                                      "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                      on_changed, on_followed, watch);
    free(path);
    if (r < 0)
        log_line(LOG_WARNING, &(LogFields){ 0 }, "Cannot follow %s: %s, ignoring", watch->unit,
                 g_strerror(-r));
}

static void ask_now(UnitWatch *watch)
{
    watch->again = FALSE;
    /* Before the first question, so that no change falls between the two. */
    if (!watch->match)
        follow(watch);
    watch->call = unit_read(watch->bus, watch->unit, on_read, watch);
    if (watch->call)
        watch->turns->open++;
    else
        take(watch, "unknown");
}

static void start_waiting(UnitTurns *turns)
{
    UnitWatch *watch;

    while (turns->open < TURNS_LIMIT && (watch = g_queue_pop_head(&turns->waiting))) {
        watch->waits = FALSE;
        ask_now(watch);
    }
}

static void ask(UnitWatch *watch)
{
    if (watch->call) {
        watch->again = TRUE;
    } else if (watch->turns->open < TURNS_LIMIT) {
        ask_now(watch);
    } else if (!watch->waits) {
        watch->waits = TRUE;
        g_queue_push_tail(&watch->turns->waiting, watch);
    }
}

UnitWatch *unit_watch_new(Daemon *daemon, const char *unit, UnitChanged changed, gpointer data)
{
    UnitWatch *watch = g_new0(UnitWatch, 1);

    *watch = (UnitWatch){ .bus = sd_bus_ref(daemon->bus),
                          .turns = daemon->turns,
                          .unit = g_strdup(unit),
                          .changed = changed,
                          .data = data };
    ask(watch);
    return watch;
}
