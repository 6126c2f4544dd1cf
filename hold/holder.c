/* socket-holder SERVICE: the program of timesten-hold@SERVICE.service.
 *
 * While this unit is "activating", systemd starts SERVICE for nobody (Before=), and clients wait in
 * the queues of the sockets that it keeps. The holder stops the service, counts who waits, and ends
 * at the deadline; its end, of whatever kind, lets the service start.
 */
#include "hold/pid1.h"
#include "hold/queue.h"
#include "hold/record.h"
#include "common/error.h"
#include "common/text.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define TICK_USEC (250 * USEC_PER_MSEC)
/* systemd ends a holder that has not said for so long that it is there: nobody may be held by a
 * process that hangs. */
#define ALIVE_USEC "15000000"
/* A queue is widened in milliseconds; without it clients wait in a shorter one. */
#define WIDEN_LIMIT_USEC (5 * USEC_PER_SEC)

typedef struct {
    const char *service;
    HoldRequest *request;
    gboolean ordered; /* systemd has taken the order to restart the service */
    gboolean held;
    guint64 since; /* CLOCK_BOOTTIME */
} Holder;

typedef enum { GO_ON, OVER, BROKEN } Next;

static volatile sig_atomic_t resumed;

static void on_signal(int number)
{
    resumed = 1;
}

static guint64 boottime(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (guint64)now.tv_sec * USEC_PER_SEC + (guint64)now.tv_nsec / 1000;
}

static void rest(guint64 usec)
{
    sigset_t none;
    struct timespec time = { .tv_sec = usec / USEC_PER_SEC, .tv_nsec = usec % USEC_PER_SEC * 1000 };

    /* The signals are blocked but here, so that none falls between the look and the sleep. */
    sigemptyset(&none);
    ppoll(NULL, 0, &time, &none);
}

static gboolean is_down(const char *state)
{
    return g_strcmp0(state, "inactive") == 0 || g_strcmp0(state, "failed") == 0;
}

/* Before the service stops, so that the queue is long when it begins to fill. */
static void widen(char *const *sockets)
{
    for (guint i = 0; sockets[i]; i++) {
        g_autofree char *unit = hold_queue_unit(sockets[i]);
        g_autoptr(GError) error = NULL;
        guint64 began = boottime();

        if (!pid1_order("StartUnit", unit, &error)) {
            g_warning("The queue of %s stays as it is: %s", sockets[i],
                      error ? error->message : "systemd does not answer");
            continue;
        }
        while (!resumed && boottime() - began < WIDEN_LIMIT_USEC) {
            g_autofree char *state = pid1_active_state(unit);

            if (is_down(state))
                break;
            rest(10 * USEC_PER_MSEC);
        }
    }
}

static void publish(const Holder *holder)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    guint64 offset = (guint64)g_get_real_time() - boottime();
    HoldStatus status = {
        .service = (char *)holder->service,
        .held = holder->held,
        .since = holder->since + offset,
        .deadline = holder->request->deadline + offset,
        .request = holder->request->deadline,
        .sockets = holder->request->sockets,
    };

    queue_count(status.sockets, &status.waiting, &status.limit);
    text = holder->held ? g_strdup_printf("%u connects wait", status.waiting)
                        : g_strdup_printf("%s is being stopped", holder->service);
    sd_notifyf(0, "EXTEND_TIMEOUT_USEC=" ALIVE_USEC "\nSTATUS=%s", text);
    if (!hold_status_write(&status, &error))
        g_warning("%s, ignoring", error->message);
}

/* A new deadline, where one was asked for. */
static void renew(Holder *holder)
{
    HoldRequest *request = hold_request_read(holder->service, NULL);

    if (!request)
        return;
    hold_request_free(holder->request);
    holder->request = request;
}

static Next stop_service(Holder *holder, GError **error)
{
    g_autoptr(GError) problem = NULL;

    /* The start at the end must not be one too many for the service's start limit, which would
     * close the socket. That there is nothing to reset is no matter. */
    pid1_order("ResetFailedUnit", holder->service, NULL);
    /* A restart, not a stop: its second half waits for our end, so a service that ran runs again,
     * with all that a restart of it takes along. */
    if (pid1_order("TryRestartUnit", holder->service, &problem)) {
        holder->ordered = TRUE;
        return GO_ON;
    }
    if (!problem)
        return GO_ON;
    tu_error_set(error, TU_ERROR_FAILED, "%s cannot be stopped: %s", holder->service,
                 problem->message);
    return BROKEN;
}

static Next look_at_sockets(const Holder *holder)
{
    for (guint i = 0; holder->request->sockets[i]; i++) {
        g_autofree char *state = pid1_active_state(holder->request->sockets[i]);

        if (state && !g_str_equal(state, "active")) {
            g_warning("%s is %s: who waited there was reset. The hold of %s is over",
                      holder->request->sockets[i], state, holder->service);
            return OVER;
        }
    }
    return GO_ON;
}

static Next look_at_service(Holder *holder)
{
    g_autofree char *state = pid1_active_state(holder->service);

    if (!state)
        return GO_ON;
    if (!holder->held && is_down(state)) {
        holder->held = TRUE;
        g_message("%s is held", holder->service);
    } else if (holder->held && !is_down(state)) {
        g_warning("%s was started in spite of the hold, which is over", holder->service);
        return OVER;
    }
    return GO_ON;
}

static Next tick(Holder *holder, GError **error)
{
    Next next = GO_ON;

    renew(holder);
    if (resumed)
        return OVER;
    if (boottime() >= holder->request->deadline) {
        g_warning("The limit of the hold has passed: %s is started for who waits", holder->service);
        return OVER;
    }
    if (!holder->ordered)
        next = stop_service(holder, error);
    if (next == GO_ON && holder->ordered)
        next = look_at_service(holder);
    if (next == GO_ON)
        next = look_at_sockets(holder);
    if (next == GO_ON)
        publish(holder);
    return next;
}

static int hold(const char *service)
{
    Holder holder = { .service = service };
    g_autoptr(GError) error = NULL;
    sigset_t blocked;
    Next next;

    signal(SIGTERM, on_signal);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    holder.since = boottime();
    holder.request = hold_request_read(service, &error);
    if (!holder.request) {
        g_warning("Nobody has asked for a hold of %s: %s. Say: ttctl hold UNIT.socket", service,
                  error->message);
        return 1;
    }
    publish(&holder);
    widen(holder.request->sockets);
    while ((next = tick(&holder, &error)) == GO_ON) {
        guint64 now = boottime();

        /* Whoever asked waits for the service's stop. */
        rest(holder.held ? MIN(TICK_USEC, MAX(holder.request->deadline, now + 1) - now)
                         : 20 * USEC_PER_MSEC);
    }
    if (next == BROKEN)
        g_warning("%s", error->message);
    hold_request_free(holder.request);
    return next == BROKEN;
}

/* Through stderr and not by GLib to the journal: that looks up the sender of a message, who has
 * often ended by then, and its unit would not be known. */
static GLogWriterOutput write_log(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
                                  gpointer data)
{
    const char *message = "";

    for (gsize i = 0; i < n_fields; i++)
        if (g_str_equal(fields[i].key, "MESSAGE"))
            message = fields[i].value;
    if (level & (G_LOG_LEVEL_WARNING | G_LOG_LEVEL_MESSAGE))
        fprintf(stderr, "%s%s\n", level & G_LOG_LEVEL_WARNING ? SD_WARNING : SD_INFO, message);
    return G_LOG_WRITER_HANDLED;
}

int main(int argc, char **argv)
{
    g_log_set_writer_func(write_log, NULL, NULL);
    if (argc == 2 && argv[1][0] != '-')
        return hold(argv[1]);
    if (argc == 3 && g_str_equal(argv[1], "--widen"))
        return queue_widen(argv[2]);
    fputs(
        "socket-holder SERVICE | --widen SOCKET\n"
        "Started by systemd, as timesten-hold@SERVICE.service and timesten-queue@SOCKET.service.\n",
        stderr);
    return 2;
}
