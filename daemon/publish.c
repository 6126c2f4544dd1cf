#include "daemon/publish.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "common/text.h"

#include <errno.h>

#define ROUND_USEC (USEC_PER_SEC / 4)

struct Publisher {
    Daemon *daemon;
    GPtrArray *dirty; /* Object, referenced */
    sd_event_source *timer;
    guint64 last; /* monotonic µs of the last round */
    gboolean open;
};

Publisher *publisher_new(Daemon *daemon)
{
    Publisher *publisher = g_new0(Publisher, 1);

    publisher->daemon = daemon;
    publisher->dirty = g_ptr_array_new_with_free_func(object_unref);
    return publisher;
}

void publisher_free(Publisher *publisher)
{
    if (!publisher)
        return;
    g_ptr_array_unref(publisher->dirty);
    sd_event_source_disable_unref(publisher->timer);
    g_free(publisher);
}

/* That the bus is gone is said once, where it is noticed; each object that cannot be told adds
 * nothing. */
static gboolean bus_is_gone(int r)
{
    return r == -ENOTCONN || r == -ECONNRESET || r == -ESHUTDOWN;
}

static void warn(Object *object, const char *what, int r)
{
    if (r < 0 && !bus_is_gone(r))
        log_line(LOG_WARNING, &(LogFields){ 0 }, "Cannot tell the bus that %s %s: %s, ignoring",
                 object->path, what, g_strerror(-r));
}

static void take_snapshot(Object *object)
{
    guint n = object_count_properties(object->interface);

    object->published = g_new0(GVariant *, n + 1);
    for (guint i = 0; i < n; i++)
        object->published[i] = g_variant_ref_sink(object->interface->properties[i].get(object));
}

void publish_added(Object *object)
{
    take_snapshot(object);
    if (object->daemon->publisher->open)
        warn(object, "is there", sd_bus_emit_object_added(object->daemon->bus, object->path));
}

void publish_removed(Object *object)
{
    warn(object, "goes", sd_bus_emit_object_removed(object->daemon->bus, object->path));
    object->gone = TRUE;
}

/* Puts the new values into the snapshot and returns the names of those that differ. */
static char **find_changes(Object *object)
{
    const PropertyRow *rows = object->interface->properties;
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (guint i = 0; rows[i].name; i++) {
        GVariant *now;

        if (rows[i].constant)
            continue;
        now = g_variant_ref_sink(rows[i].get(object));
        if (!g_variant_equal(now, object->published[i]))
            g_ptr_array_add(names, (char *)rows[i].name);
        g_variant_unref(object->published[i]);
        object->published[i] = now;
    }
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

static void publish(Object *object)
{
    g_autofree char **names = NULL;

    object->dirty = FALSE;
    if (object->gone || !object->published)
        return;
    names = find_changes(object);
    if (names[0] && object->daemon->publisher->open)
        warn(object, "changed",
             sd_bus_emit_properties_changed_strv(object->daemon->bus, object->path,
                                                 object->interface->name, names));
}

void publish_flush(Daemon *daemon)
{
    Publisher *publisher = daemon->publisher;
    g_autoptr(GPtrArray) dirty = g_steal_pointer(&publisher->dirty);

    publisher->dirty = g_ptr_array_new_with_free_func(object_unref);
    for (guint i = 0; i < dirty->len; i++)
        publish(dirty->pdata[i]);
    sd_event_now(daemon->event, CLOCK_MONOTONIC, &publisher->last);
}

void publisher_open(Publisher *publisher)
{
    /* What was learned since the first snapshots is how we are found, and no change. */
    publish_flush(publisher->daemon);
    publisher->open = TRUE;
}

static int on_timer(sd_event_source *source, guint64 usec, void *data)
{
    publish_flush(data);
    return 0;
}

static void schedule(Publisher *publisher)
{
    guint64 when = publisher->last + ROUND_USEC;
    int enabled = SD_EVENT_OFF;

    if (publisher->timer)
        sd_event_source_get_enabled(publisher->timer, &enabled);
    if (enabled != SD_EVENT_OFF)
        return;
    if (!publisher->timer) {
        sd_event_add_time(publisher->daemon->event, &publisher->timer, CLOCK_MONOTONIC, when, 1000,
                          on_timer, publisher->daemon);
        return;
    }
    sd_event_source_set_time(publisher->timer, when);
    sd_event_source_set_enabled(publisher->timer, SD_EVENT_ONESHOT);
}

void publish_mark(Object *object)
{
    Publisher *publisher = object->daemon->publisher;

    if (object->dirty || object->gone)
        return;
    object->dirty = TRUE;
    g_ptr_array_add(publisher->dirty, object_ref(object));
    schedule(publisher);
}
