/* A reboot in the window between hold and resume costs an undo, and clients their place in the
 * queue. So logind holds one back: until the commit it refuses (mode block), until the port is open
 * it delays (InhibitDelayMaxSec=). Neither binds whoever insists, and nothing rests on it: what a
 * reboot leaves is undone or finished by the next boot. Called by the engine. */
#include "job/inhibitor.h"
#include "common/text.h"

#include <fcntl.h>
#include <unistd.h>

/* Nobody waits for the job yet when the locks are taken, so this much patience costs nothing. */
#define PATIENCE_USEC (3 * USEC_PER_SEC)

typedef struct {
    const char *mode;
    int fd; /* the lock is held for as long as it is open; -1 not */
    gboolean answered;
    sd_bus_slot *call;
} Lock;

enum { LOCK_BLOCK, LOCK_DELAY, N_LOCKS };

struct Inhibitor {
    sd_bus *bus;
    Lock locks[N_LOCKS];
    gboolean told; /* that there is nobody to ask */
};

static void lock_release(Lock *lock)
{
    lock->call = sd_bus_slot_unref(lock->call);
    if (lock->fd >= 0)
        close(lock->fd);
    lock->fd = -1;
}

void inhibitor_free(Inhibitor *inhibitor)
{
    if (!inhibitor)
        return;
    for (guint i = 0; i < N_LOCKS; i++)
        lock_release(&inhibitor->locks[i]);
    sd_bus_close_unref(inhibitor->bus);
    g_free(inhibitor);
}

static void tell(Inhibitor *inhibitor, const char *why)
{
    if (!inhibitor->told)
        g_message("A shutdown during the job would not be delayed: %s. A job that is cut short is "
                  "undone or finished by the next boot",
                  why);
    inhibitor->told = TRUE;
}

static int on_lock(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    const sd_bus_error *problem = sd_bus_message_get_error(message);
    Lock *lock = data;
    int fd;

    lock->answered = TRUE;
    if (!problem && sd_bus_message_read(message, "h", &fd) >= 0)
        lock->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (problem)
        g_debug("logind: %s", problem->message ? problem->message : problem->name);
    return 0;
}

static int ask(Inhibitor *inhibitor, Lock *lock, const char *why)
{
    lock_release(lock);
    lock->answered = FALSE;
    return sd_bus_call_method_async(inhibitor->bus, &lock->call, "org.freedesktop.login1",
                                    "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                                    "Inhibit", on_lock, lock, "ssss", "shutdown",
                                    "timesten-upgrade", why, lock->mode);
}

static gboolean connect_bus(Job *job, Inhibitor *inhibitor)
{
    int r = 0;

    if (inhibitor->bus && sd_bus_is_open(inhibitor->bus) > 0)
        return TRUE;
    inhibitor->bus = sd_bus_close_unref(inhibitor->bus);
    r = sd_bus_open_system(&inhibitor->bus);
    if (r >= 0)
        r = sd_bus_attach_event(inhibitor->bus, job->event, SD_EVENT_PRIORITY_NORMAL);
    if (r < 0)
        tell(inhibitor, "the system bus is not there");
    return r >= 0;
}

/* The same words for both, because both are listed. */
static char *describe(const Job *job)
{
    return g_strdup_printf("Server %s is being moved from %s to %s and its clients wait; to stop "
                           "that run ttctl cancel %s",
                           job->server->name, job->request->from, job->request->to, job->tag);
}

static gboolean all_answered(const Inhibitor *inhibitor)
{
    for (guint i = 0; i < N_LOCKS; i++)
        if (inhibitor->locks[i].call && !inhibitor->locks[i].answered)
            return FALSE;
    return TRUE;
}

void inhibitor_take(Job *job)
{
    guint64 end = g_get_monotonic_time() + PATIENCE_USEC;
    g_autofree char *why = describe(job);
    Inhibitor *inhibitor = job->inhibitor;

    if (!inhibitor) {
        inhibitor = job->inhibitor = g_new0(Inhibitor, 1);
        inhibitor->locks[LOCK_BLOCK] = (Lock){ .mode = "block", .fd = -1 };
        inhibitor->locks[LOCK_DELAY] = (Lock){ .mode = "delay", .fd = -1 };
    }
    if (inhibitor->told || inhibitor->locks[LOCK_DELAY].fd >= 0 || !connect_bus(job, inhibitor))
        return;
    for (guint i = job->committed ? LOCK_DELAY : LOCK_BLOCK; i < N_LOCKS; i++)
        if (ask(inhibitor, &inhibitor->locks[i], why) < 0)
            inhibitor->locks[i].call = sd_bus_slot_unref(inhibitor->locks[i].call);
    while (!all_answered(inhibitor) && (guint64)g_get_monotonic_time() < end && !job->stopping)
        if (sd_event_run(job->event, 100 * USEC_PER_MSEC) < 0)
            break;
    if (inhibitor->locks[LOCK_DELAY].fd < 0)
        tell(inhibitor, "logind does not answer, or refuses");
}

void inhibitor_release_block(Job *job)
{
    if (job->inhibitor)
        lock_release(&job->inhibitor->locks[LOCK_BLOCK]);
}

void inhibitor_release(Job *job)
{
    for (guint i = 0; job->inhibitor && i < N_LOCKS; i++)
        lock_release(&job->inhibitor->locks[i]);
}
