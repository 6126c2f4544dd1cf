#include "daemon/units.h"
#include "daemon/log.h"
#include "common/text.h"
#include "systemd/unit.h"

/* PID 1 is away for a moment when it re-executes itself; a host without systemd stays so. */
#define TRIES      3
#define RETRY_USEC USEC_PER_SEC

struct UnitWatch {
    sd_bus *bus;
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

void unit_watch_free(UnitWatch *watch)
{
    if (!watch)
        return;
    unit_call_free(watch->call);
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

static void on_read(const UnitState *state, const GError *error, gpointer data)
{
    UnitWatch *watch = data;

    g_clear_pointer(&watch->call, unit_call_free);
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

static void ask(UnitWatch *watch)
{
    if (watch->call) {
        watch->again = TRUE;
        return;
    }
    watch->again = FALSE;
    watch->call = unit_read(watch->bus, watch->unit, on_read, watch);
    if (!watch->call)
        take(watch, "unknown");
}

static int on_changed(sd_bus_message *message, void *data, sd_bus_error *error)
{
    ask(data);
    return 0;
}

UnitWatch *unit_watch_new(sd_bus *bus, const char *unit, UnitChanged changed, gpointer data)
{
    UnitWatch *watch = g_new0(UnitWatch, 1);
    char *path = NULL;
    int r;

    *watch = (UnitWatch){
        .bus = sd_bus_ref(bus), .unit = g_strdup(unit), .changed = changed, .data = data
    };
    r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path);
    /* Before the first question, so that no change falls between the two. */
    if (r >= 0)
        r = sd_bus_match_signal_async(bus, &watch->match, "org.freedesktop.systemd1", path,
                                      "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                      on_changed, NULL, watch);
    free(path);
    if (r < 0)
        log_line(LOG_WARNING, &(LogFields){ 0 }, "Cannot follow %s: %s, ignoring", unit,
                 g_strerror(-r));
    ask(watch);
    return watch;
}
