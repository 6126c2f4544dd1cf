#include "port/publisher.h"
#include "port/socket.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"
#include "common/text.h"

#include <systemd/sd-daemon.h>
#include <unistd.h>

#define PERIOD_USEC (250 * USEC_PER_MSEC)

struct Publisher {
    char *path;
    char *published; /* what the file says */
    char *text;      /* what systemd was told */
    sd_event_source *timer;
    guint64 last;
    gboolean armed;
    gboolean watching;
    gboolean told; /* that it cannot write */
    PublisherAsk ask;
    gpointer data;
};

static void arm(Publisher *publisher, guint64 when)
{
    if (publisher->armed)
        return;
    sd_event_source_set_time(publisher->timer, when);
    sd_event_source_set_enabled(publisher->timer, SD_EVENT_ONESHOT);
    publisher->armed = TRUE;
}

static void write_status(Publisher *publisher, const KeeperStatus *status)
{
    g_autofree char *line = keeper_status_format(status);
    g_autofree char *content = g_strdup_printf("%s pid=%d\n", line, (int)getpid());
    g_autoptr(GError) error = NULL;

    if (g_strcmp0(content, publisher->published) == 0)
        return;
    if (file_replace(publisher->path, content, -1, 0644, &error)) {
        publisher->told = FALSE;
        g_free(publisher->published);
        publisher->published = g_steal_pointer(&content);
        return;
    }
    if (!publisher->told)
        g_warning("The status is not published: %s", error->message);
    publisher->told = TRUE;
}

void publisher_now(Publisher *publisher)
{
    g_autofree char *text = NULL;
    g_autoptr(KeeperStatus) status = publisher->ask(&text, publisher->data);

    publisher->last = boottime_now();
    write_status(publisher, status);
    if (g_strcmp0(text, publisher->text) != 0) {
        sd_notifyf(FALSE, "STATUS=%s", text);
        g_free(publisher->text);
        publisher->text = g_steal_pointer(&text);
    }
    if (publisher->watching)
        arm(publisher, publisher->last + PERIOD_USEC);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
    Publisher *publisher = data;

    publisher->armed = FALSE;
    publisher_now(publisher);
    return 0;
}

void publisher_soon(Publisher *publisher)
{
    arm(publisher, publisher->last + PERIOD_USEC);
}

void publisher_watch(Publisher *publisher, gboolean on)
{
    publisher->watching = on;
    if (on)
        publisher_soon(publisher);
}

Publisher *publisher_new(sd_event *event, const char *server, PublisherAsk ask, gpointer data,
                         GError **error)
{
    g_autoptr(Publisher) publisher = g_new0(Publisher, 1);
    int r;

    publisher->path = path_keeper(server, "status");
    publisher->ask = ask;
    publisher->data = data;
    r = sd_event_add_time(event, &publisher->timer, CLOCK_BOOTTIME, 0, 10 * USEC_PER_MSEC, on_timer,
                          publisher);
    if (r >= 0)
        r = sd_event_source_set_enabled(publisher->timer, SD_EVENT_OFF);
    if (r < 0) {
        tu_error_errno(error, -r, "Cannot make a timer");
        return NULL;
    }
    return g_steal_pointer(&publisher);
}

void publisher_free(Publisher *publisher)
{
    if (!publisher)
        return;
    unlink(publisher->path);
    sd_event_source_disable_unref(publisher->timer);
    g_free(publisher->path);
    g_free(publisher->published);
    g_free(publisher->text);
    g_free(publisher);
}
