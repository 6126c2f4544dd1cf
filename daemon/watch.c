#include "daemon/watch.h"
#include "daemon/log.h"

#include <sys/inotify.h>

#define IN_THE_DIRECTORY                                                                           \
    (IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_MODIFY | IN_CLOSE_WRITE |            \
     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
/* Above it only the coming of the next part of the path matters. */
#define ABOVE_IT (IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define LOST     (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_Q_OVERFLOW)

struct Watch {
    sd_event *event;
    char *wanted;
    char *watched; /* WANTED, or the nearest directory above it that is there */
    sd_event_source *inotify;
    sd_event_source *pending;
    WatchChanged changed;
    gpointer data;
};

void watch_free(Watch *watch)
{
    if (!watch)
        return;
    sd_event_source_disable_unref(watch->inotify);
    sd_event_source_disable_unref(watch->pending);
    sd_event_unref(watch->event);
    g_free(watch->wanted);
    g_free(watch->watched);
    g_free(watch);
}

static int on_pending(sd_event_source *source, void *data)
{
    Watch *watch = data;

    watch->changed(watch->data);
    return 0;
}

/* Later, so that a burst of events becomes one call; at normal priority, so that a flood of calls
 * from the bus cannot starve it. */
static void tell(Watch *watch)
{
    if (!watch->pending && sd_event_add_defer(watch->event, &watch->pending, on_pending, watch) < 0)
        return;
    sd_event_source_set_enabled(watch->pending, SD_EVENT_ONESHOT);
}

static char *nearest(const char *path)
{
    char *found = g_strdup(path);

    while (!g_file_test(found, G_FILE_TEST_IS_DIR) && !g_str_equal(found, "/") &&
           !g_str_equal(found, ".")) {
        char *above = g_path_get_dirname(found);

        g_free(found);
        found = above;
    }
    return found;
}

static int on_inotify(sd_event_source *source, const struct inotify_event *event, void *data);

/* Watches the nearest directory that is there. Tries again where it changed under its hands. */
static void arm(Watch *watch)
{
    for (int tries = 0; tries < 10; tries++) {
        g_autofree char *found = nearest(watch->wanted);
        int r;

        if (watch->inotify && g_strcmp0(found, watch->watched) == 0)
            return;
        watch->inotify = sd_event_source_disable_unref(watch->inotify);
        r = sd_event_add_inotify(watch->event, &watch->inotify, found,
                                 g_str_equal(found, watch->wanted) ? IN_THE_DIRECTORY : ABOVE_IT,
                                 on_inotify, watch);
        if (r < 0 && tries == 9)
            log_line(LOG_WARNING, &(LogFields){ 0 },
                     "Cannot watch %s: %s. Changes there are seen after Reload only", watch->wanted,
                     g_strerror(-r));
        g_free(watch->watched);
        watch->watched = g_steal_pointer(&found);
    }
}

static int on_inotify(sd_event_source *source, const struct inotify_event *event, void *data)
{
    Watch *watch = data;
    gboolean inside = g_str_equal(watch->watched, watch->wanted);

    if (event->mask & LOST)
        watch->inotify = sd_event_source_disable_unref(watch->inotify);
    if (!inside || event->mask & LOST)
        arm(watch);
    if (event->mask & LOST || (inside ? event->len == 0 || event->name[0] != '.'
                                      : g_str_equal(watch->watched, watch->wanted)))
        tell(watch);
    return 0;
}

Watch *watch_new(sd_event *event, const char *directory, WatchChanged changed, gpointer data)
{
    Watch *watch = g_new0(Watch, 1);

    watch->event = sd_event_ref(event);
    watch->wanted = g_strdup(directory);
    watch->changed = changed;
    watch->data = data;
    arm(watch);
    return watch;
}
