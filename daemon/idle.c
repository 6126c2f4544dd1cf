#include "daemon/idle.h"
#include "daemon/call.h"
#include "daemon/daemon.h"
#include "daemon/jobs.h"
#include "daemon/log.h"
#include "daemon/publish.h"
#include "daemon/world.h"
#include "common/names.h"
#include "common/text.h"

#include <errno.h>
#include <systemd/sd-daemon.h>

/* A caller is waiting for the name, and would take for empty what a first look at an installation
 * takes a second or two to tell after a boot. */
#define NAME_WAIT_USEC (8 * USEC_PER_SEC)
#define LEAVE_USEC                                                                                 \
    (10 * USEC_PER_SEC) /* for calls that came in the last moment; systemd gives 15 s */

typedef struct {
    Daemon *daemon;
    guint64 limit_usec;
    guint64 last_call; /* monotonic µs */
    guint64 began;
    guint64 left; /* when the name was given back; 0 not yet */
    gboolean name_asked;
    gboolean name_owned;
    gboolean leaving;
    int status;
    gboolean over;
} Idle;

static guint64 now(const Idle *idle)
{
    guint64 usec = 0;

    sd_event_now(idle->daemon->event, CLOCK_MONOTONIC, &usec);
    return usec;
}

static void end(Idle *idle, int status)
{
    idle->status = status;
    idle->over = TRUE;
}

static int on_message(sd_bus_message *message, void *data, sd_bus_error *error)
{
    Idle *idle = data;

    if (sd_bus_message_is_method_call(message, NULL, NULL) > 0)
        idle->last_call = now(idle);
    return 0;
}

static int on_name(sd_bus_message *reply, void *data, sd_bus_error *error)
{
    Idle *idle = data;
    const sd_bus_error *problem = sd_bus_message_get_error(reply);
    guint32 result = 0;

    if (!problem)
        sd_bus_message_read(reply, "u", &result);
    if (result == 1 /* primary owner */) {
        idle->name_owned = TRUE;
        idle->last_call = now(idle);
        sd_notify(FALSE, "READY=1");
        return 0;
    }
    log_line(LOG_ERR, &(LogFields){ 0 }, "Cannot own the bus name %s: %s", TU_BUS_NAME,
             problem ? problem->message : "another daemon has it");
    end(idle, 1);
    return 0;
}

static void take_name(Idle *idle)
{
    int r;

    if (idle->name_asked ||
        (!world_known(idle->daemon) && now(idle) - idle->began < NAME_WAIT_USEC))
        return;
    idle->name_asked = TRUE;
    publisher_open(idle->daemon->publisher);
    /* No flag: with two daemons the second one fails, it neither replaces nor waits. */
    r = sd_bus_request_name_async(idle->daemon->bus, NULL, TU_BUS_NAME, 0, on_name, idle);
    if (r < 0) {
        log_line(LOG_ERR, &(LogFields){ 0 }, "Cannot ask for the bus name %s: %s", TU_BUS_NAME,
                 g_strerror(-r));
        end(idle, 1);
    }
}

/* --- going ------------------------------------------------------------------------------------ */

static int on_name_lost(sd_bus_message *message, void *data, sd_bus_error *error)
{
    Idle *idle = data;

    idle->left = now(idle);
    return 0;
}

/* Every call that reached the bus before the name was free arrives here before the signal that it
 * is free. STOPPING=1 comes first, so that systemd starts a new daemon for calls after that instead
 * of taking this one for alive. */
static void leave(Idle *idle)
{
    const char *own = NULL;
    g_autofree char *match = NULL;
    int r;

    idle->leaving = TRUE;
    sd_notify(FALSE, "STOPPING=1");
    sd_bus_get_unique_name(idle->daemon->bus, &own);
    match = g_strdup_printf("type='signal',sender='org.freedesktop.DBus',"
                            "path='/org/freedesktop/DBus',interface='org.freedesktop.DBus',"
                            "member='NameOwnerChanged',arg0='%s',arg1='%s',arg2=''",
                            TU_BUS_NAME, own);
    r = sd_bus_add_match_async(idle->daemon->bus, NULL, match, on_name_lost, NULL, idle);
    if (r >= 0)
        r = sd_bus_release_name_async(idle->daemon->bus, NULL, TU_BUS_NAME, NULL, NULL);
    if (r < 0)
        end(idle, 0);
}

static gboolean is_idle(const Idle *idle)
{
    return idle->name_owned && call_count_pending(idle->daemon) == 0 &&
           !jobs_any_alive(idle->daemon);
}

/* What to do between two rounds of the loop; returns for how long the next one may sleep. */
static guint64 look(Idle *idle)
{
    guint64 usec = now(idle);
    guint64 end_usec;

    take_name(idle);
    if (!idle->name_asked)
        return idle->began + NAME_WAIT_USEC - usec;
    if (idle->left) {
        if (call_count_pending(idle->daemon) == 0 || usec >= idle->left + LEAVE_USEC)
            end(idle, 0);
        return LEAVE_USEC;
    }
    if (idle->leaving || idle->limit_usec == USEC_NEVER || !is_idle(idle))
        return G_MAXUINT64;
    end_usec = idle->last_call + idle->limit_usec;
    if (usec < end_usec)
        return end_usec - usec;
    leave(idle);
    return G_MAXUINT64;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
    sd_notify(FALSE, "STOPPING=1");
    end(data, 0);
    return 0;
}

static int on_disconnected(sd_bus_message *message, void *data, sd_bus_error *error)
{
    log_line(LOG_ERR, &(LogFields){ 0 }, "The connection to the bus was lost");
    end(data, 1);
    return 0;
}

int idle_run(Daemon *daemon, guint64 limit_usec)
{
    Idle idle = { .daemon = daemon, .limit_usec = limit_usec };
    sd_bus_slot *filter = NULL;
    sd_event_source *term = NULL, *interrupt = NULL;
    int r;

    idle.began = idle.last_call = now(&idle);
    r = sd_bus_add_filter(daemon->bus, &filter, on_message, &idle);
    if (r >= 0)
        r = sd_bus_match_signal_async(daemon->bus, NULL, "org.freedesktop.DBus.Local",
                                      "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                      "Disconnected", on_disconnected, NULL, &idle);
    if (r >= 0)
        r = sd_event_add_signal(daemon->event, &term, SIGTERM, on_signal, &idle);
    if (r >= 0)
        r = sd_event_add_signal(daemon->event, &interrupt, SIGINT, on_signal, &idle);
    while (r >= 0 && !idle.over) {
        guint64 sleep = look(&idle);

        if (!idle.over)
            r = sd_event_run(daemon->event, sleep);
    }
    if (r < 0)
        log_line(LOG_ERR, &(LogFields){ 0 }, "The event loop failed: %s", g_strerror(-r));
    publish_flush(daemon);
    sd_bus_flush(daemon->bus);
    sd_event_source_disable_unref(term);
    sd_event_source_disable_unref(interrupt);
    sd_bus_slot_unref(filter);
    return r < 0 ? 1 : idle.status;
}
