#include "ctl/follow.h"
#include "ctl/bus.h"
#include "ctl/progress.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"

#include <signal.h>
#include <systemd/sd-event.h>

#define REDRAW_USEC  (USEC_PER_SEC / 2)
#define RETRY_USEC   USEC_PER_SEC
#define GIVE_UP_USEC (60 * USEC_PER_SEC)
/* Signals tell every change; this is for one that got lost with a service that died while sending
 * it. */
#define REREAD_USEC (10 * USEC_PER_SEC)

typedef struct {
    Session *session;
    sd_event *event;
    sd_event_source *retry;
    sd_bus_slot *reading; /* a GetAll that is under way */
    gboolean again;       /* something changed since it was sent */
    char *path;
    char *server_path; /* NULL until the job named its server */
    Job *job;
    Server *server; /* NULL: not read yet */
    Progress *progress;
    ProgressMode mode;
    gint64 read_at; /* monotonic, of the job's data */
    gint64 lost_at; /* monotonic, of the first failed read; 0: the service answers */
    gboolean ended;
    FollowEnd end;
    GError *problem;
} Follow;

static void follow_clear(Follow *follow)
{
    sd_bus_slot_unref(follow->reading);
    sd_event_source_unref(follow->retry);
    sd_event_unref(follow->event);
    g_clear_pointer(&follow->progress, progress_free);
    g_clear_pointer(&follow->job, job_free);
    g_clear_pointer(&follow->server, server_free);
    g_clear_error(&follow->problem);
    g_free(follow->path);
    g_free(follow->server_path);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Follow, follow_clear)

static void read_job(Follow *follow);

static void end_with(Follow *follow, FollowEnd end)
{
    follow->end = end;
    follow->ended = TRUE;
}

static void show(Follow *follow)
{
    if (follow->read_at > 0)
        progress_update(follow->progress, follow->job, follow->server,
                        (guint64)(g_get_monotonic_time() - follow->read_at));
}

static int on_server_changed(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    Follow *follow = data;
    const char *interface;

    if (!follow->server || sd_bus_message_read(message, "s", &interface) < 0 ||
        !g_str_equal(interface, TU_SERVER_INTERFACE))
        return 0;
    /* Numbers beside the progress: what cannot be read of them is not shown. */
    if (server_read(follow->server, message, NULL))
        show(follow);
    return 0;
}

static int on_server_read(sd_bus_message *answer, void *data, sd_bus_error *ret_error)
{
    Follow *follow = data;
    g_autoptr(Server) server = server_new();

    if (sd_bus_message_is_method_error(answer, NULL) || !server_read(server, answer, NULL))
        return 0;
    g_clear_pointer(&follow->server, server_free);
    follow->server = g_steal_pointer(&server);
    show(follow);
    return 0;
}

static void read_server(Follow *follow)
{
    if (follow->server_path)
        sd_bus_call_method_async(follow->session->bus, NULL, TU_BUS_NAME, follow->server_path,
                                 "org.freedesktop.DBus.Properties", "GetAll", on_server_read,
                                 follow, "s", TU_SERVER_INTERFACE);
}

/* The server's path needs no question: the contract says how it is made of the name. */
static void watch_server(Follow *follow)
{
    if (follow->server_path || !*follow->job->server ||
        sd_bus_path_encode(TU_SERVER_PATH, follow->job->server, &follow->server_path) < 0)
        return;
    sd_bus_match_signal_async(follow->session->bus, NULL, TU_BUS_NAME, follow->server_path,
                              "org.freedesktop.DBus.Properties", "PropertiesChanged",
                              on_server_changed, NULL, follow);
    read_server(follow);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *data)
{
    read_job(data);
    read_server(data);
    return 0;
}

static void retry_later(Follow *follow)
{
    g_clear_pointer(&follow->retry, sd_event_source_unref);
    sd_event_add_time_relative(follow->event, &follow->retry, CLOCK_MONOTONIC, RETRY_USEC, 0,
                               on_retry, follow);
}

/* A service that is just being started again is no failure; one that stays away is, and so is a job
 * that it does not know. */
static void take_failure(Follow *follow, const sd_bus_error *problem)
{
    g_autoptr(GError) error = NULL;
    gint64 now = g_get_monotonic_time();

    bus_take_error(problem, &error);
    if (follow->lost_at == 0)
        follow->lost_at = now;
    if (error->code == TU_ERROR_NO_SUCH_JOB || sd_bus_is_open(follow->session->bus) <= 0 ||
        now - follow->lost_at > (gint64)GIVE_UP_USEC) {
        follow->problem = g_steal_pointer(&error);
        end_with(follow, FOLLOW_FAILED);
        return;
    }
    retry_later(follow);
}

static int on_job_read(sd_bus_message *answer, void *data, sd_bus_error *ret_error)
{
    Follow *follow = data;
    g_autoptr(Job) job = job_new();

    g_clear_pointer(&follow->reading, sd_bus_slot_unref);
    if (sd_bus_message_is_method_error(answer, NULL)) {
        take_failure(follow, sd_bus_message_get_error(answer));
        return 0;
    }
    if (!job_read(job, answer, &follow->problem)) {
        end_with(follow, FOLLOW_FAILED);
        return 0;
    }
    g_clear_pointer(&follow->job, job_free);
    follow->job = g_steal_pointer(&job);
    follow->lost_at = 0;
    follow->read_at = g_get_monotonic_time();
    show(follow);
    if (job_is_finished(follow->job))
        end_with(follow, FOLLOW_FINISHED);
    else if (follow->again)
        read_job(follow);
    watch_server(follow);
    return 0;
}

/* One read at a time: a change that is told meanwhile makes one more read, not one for each. */
static void read_job(Follow *follow)
{
    sd_bus_error problem = SD_BUS_ERROR_NULL;
    int r;

    follow->again = follow->reading != NULL;
    if (follow->reading)
        return;
    r = sd_bus_call_method_async(follow->session->bus, &follow->reading, TU_BUS_NAME, follow->path,
                                 "org.freedesktop.DBus.Properties", "GetAll", on_job_read, follow,
                                 "s", TU_JOB_INTERFACE);
    if (r >= 0)
        return;
    sd_bus_error_set_errno(&problem, r);
    take_failure(follow, &problem);
    sd_bus_error_free(&problem);
}

static int on_job_changed(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    Follow *follow = data;
    const char *interface;

    if (sd_bus_message_read(message, "s", &interface) < 0 ||
        !g_str_equal(interface, TU_JOB_INTERFACE))
        return 0;
    /* Only one process in the world is interested in one job: reading it whole costs nothing, and
     * there is no state that is half old and half new. */
    read_job(follow);
    return 0;
}

static int on_job_removed(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    Follow *follow = data;
    const char *path;

    if (sd_bus_message_read(message, "to", NULL, &path) >= 0 && g_str_equal(path, follow->path))
        read_job(follow);
    return 0;
}

/* The service went, or came. Either way it is asked: that starts one that went. */
static int on_owner_changed(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    Follow *follow = data;
    const char *new_owner;

    if (sd_bus_message_read(message, "sss", NULL, NULL, &new_owner) < 0)
        return 0;
    if (*new_owner) {
        read_job(follow);
        read_server(follow);
    } else {
        retry_later(follow);
    }
    return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
    end_with(data, FOLLOW_DETACHED);
    return 0;
}

static int on_resize(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
    show(data);
    return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *data)
{
    Follow *follow = data;
    gboolean live = follow->mode == PROGRESS_LIVE;

    if (live)
        show(follow);
    if (follow->lost_at == 0 && g_get_monotonic_time() - follow->read_at > (gint64)REREAD_USEC)
        read_job(follow);
    sd_event_source_set_time_relative(source, live ? REDRAW_USEC : REREAD_USEC);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Everything is listened to before the first read, so nothing can change unseen between the two. */
static int listen(Follow *follow)
{
    static const int stopping[] = { SIGINT, SIGTERM };
    sd_bus *bus = follow->session->bus;
    int r = sd_bus_attach_event(bus, follow->event, SD_EVENT_PRIORITY_NORMAL);

    for (guint i = 0; r >= 0 && i < G_N_ELEMENTS(stopping); i++)
        r = sd_event_add_signal(follow->event, NULL, stopping[i] | SD_EVENT_SIGNAL_PROCMASK,
                                on_stop, follow);
    if (r >= 0)
        r = sd_event_add_signal(follow->event, NULL, SIGWINCH | SD_EVENT_SIGNAL_PROCMASK, on_resize,
                                follow);
    if (r >= 0)
        r = sd_event_add_time_relative(follow->event, NULL, CLOCK_MONOTONIC, REDRAW_USEC, 0,
                                       on_tick, follow);
    if (r >= 0)
        r = sd_bus_match_signal(bus, NULL, TU_BUS_NAME, follow->path,
                                "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                on_job_changed, follow);
    if (r >= 0)
        r = sd_bus_match_signal(bus, NULL, TU_BUS_NAME, TU_ROOT_PATH, TU_MANAGER_INTERFACE,
                                "JobRemoved", on_job_removed, follow);
    if (r >= 0)
        r = sd_bus_add_match(bus, NULL,
                             "type='signal',sender='org.freedesktop.DBus',"
                             "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                             "arg0='" TU_BUS_NAME "'",
                             on_owner_changed, follow);
    return r;
}

FollowEnd follow_job(Session *session, const char *path, Job **ret_job, GError **error)
{
    g_auto(Follow) follow = { .session = session, .path = g_strdup(path), .end = FOLLOW_FAILED };
    int r = sd_event_new(&follow.event);

    follow.mode = progress_mode(session->options);
    follow.progress = progress_new(follow.mode);
    if (r >= 0)
        r = listen(&follow);
    if (r >= 0) {
        read_job(&follow);
        /* No sd_event_exit(): the end of a loop closes the buses that are attached to it. */
        while (r >= 0 && !follow.ended)
            r = sd_event_run(follow.event, UINT64_MAX);
    }
    sd_bus_detach_event(session->bus);
    if (r < 0 && !follow.problem)
        bus_fail(&follow.problem, r, "Cannot follow the job");
    if (follow.problem)
        g_propagate_error(error, g_steal_pointer(&follow.problem));
    if (follow.end == FOLLOW_FINISHED)
        *ret_job = g_steal_pointer(&follow.job);
    return follow.end;
}
