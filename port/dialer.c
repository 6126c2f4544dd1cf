#include "port/dialer.h"
#include "port/source.h"
#include "common/error.h"
#include "common/text.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Between two tries: short at first, because most silences are short. */
#define RETRY_FIRST_USEC (5 * USEC_PER_MSEC)
#define RETRY_USEC       (100 * USEC_PER_MSEC)

/* How long one try may take. On this host a handshake that is not done at once fell victim to a
 * full queue of the backend; a new try comes sooner than the kernel's own, which takes a second. */
#define TRY_NEAR_USEC (100 * USEC_PER_MSEC)
#define TRY_FAR_USEC  (2 * USEC_PER_SEC)

struct Dialer {
    sd_event *event;
    Source *source;
    guint sessions;         /* there were, when it was last asked */
    sd_event_source *timer; /* the next try, or the end of the one that runs */
    sd_event_source *io;
    int backend; /* -1: no try runs and no connection is at hand */
    gboolean connected;
    gboolean due;     /* the timer will try */
    gboolean verdict; /* a try that took its time failed after all patience: refuse one client */
    Address address;
    char *name;
    guint64 wait_usec;
    guint64 retry_usec;
    guint64 silent_since; /* first try that failed; 0: it answered the last time */
    guint64 silent_last;  /* last try that failed */
    int problem;
    gboolean told;
    DialerChanged changed;
    gpointer data;
};

static void set_timer(Dialer *dialer, guint64 usec)
{
    sd_event_source_set_time_relative(dialer->timer, usec);
    sd_event_source_set_enabled(dialer->timer, SD_EVENT_ONESHOT);
}

static void abandon_try(Dialer *dialer)
{
    sd_event_source_set_enabled(dialer->timer, SD_EVENT_OFF);
    dialer->io = sd_event_source_disable_unref(dialer->io);
    if (dialer->backend >= 0)
        close(dialer->backend);
    dialer->backend = -1;
    dialer->connected = dialer->due = FALSE;
}

static DialState try_succeeded(Dialer *dialer)
{
    sd_event_source_set_enabled(dialer->timer, SD_EVENT_OFF);
    dialer->io = sd_event_source_disable_unref(dialer->io);
    dialer->connected = TRUE;
    if (dialer->told)
        g_message("Backend %s answers again", dialer->name);
    dialer->told = FALSE;
    dialer->silent_since = 0;
    dialer->retry_usec = RETRY_FIRST_USEC;
    return DIAL_READY;
}

static gboolean patience_is_over(const Dialer *dialer)
{
    return dialer->silent_since > 0 &&
           dialer->silent_last - dialer->silent_since >= dialer->wait_usec;
}

static DialState try_failed(Dialer *dialer, int errnum)
{
    guint64 now = boottime_now();

    abandon_try(dialer);
    /* A silence that nobody has looked at for so long is not known to be the same one. */
    if (dialer->silent_since == 0 ||
        now - dialer->silent_last > MAX(dialer->wait_usec, RETRY_USEC * 2)) {
        dialer->silent_since = now;
        dialer->told = FALSE;
    }
    dialer->silent_last = now;
    dialer->problem = errnum;
    if (!patience_is_over(dialer)) {
        dialer->due = TRUE;
        set_timer(dialer, dialer->retry_usec);
        dialer->retry_usec = MIN(dialer->retry_usec * 2, RETRY_USEC);
        return DIAL_WAIT;
    }
    if (!dialer->told) {
        g_autofree char *span = text_timespan(dialer->wait_usec);

        g_warning("Backend %s has not answered for %s (%s). Clients are reset until it does",
                  dialer->name, span, g_strerror(errnum));
    }
    dialer->told = TRUE;
    return DIAL_SILENT;
}

/* What comes out of a try while nobody asks is kept for who asks next. */
static void tell(Dialer *dialer, DialState state)
{
    dialer->verdict = state == DIAL_SILENT;
    if (state != DIAL_WAIT)
        dialer->changed(dialer->data);
}

static int on_connected(sd_event_source *source, int fd, uint32_t events, void *data)
{
    Dialer *dialer = data;
    int result = source_result(&dialer->backend, &dialer->address);

    if (result == 0)
        tell(dialer, try_succeeded(dialer));
    else if (result != EINPROGRESS)
        tell(dialer, try_failed(dialer, result));
    return 0;
}

static guint64 try_limit(const Dialer *dialer)
{
    if (!address_is_loopback(&dialer->address))
        return TRY_FAR_USEC;
    return patience_is_over(dialer) ? USEC_PER_MSEC : TRY_NEAR_USEC;
}

static DialState dial(Dialer *dialer)
{
    int result =
        source_connect(dialer->source, &dialer->address, dialer->sessions, &dialer->backend);

    if (result == 0)
        return try_succeeded(dialer);
    if (result != EINPROGRESS)
        return try_failed(dialer, result);
    result = sd_event_add_io(dialer->event, &dialer->io, dialer->backend, EPOLLOUT, on_connected,
                             dialer);
    if (result < 0)
        return try_failed(dialer, -result);
    set_timer(dialer, try_limit(dialer));
    return DIAL_WAIT;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
    Dialer *dialer = data;

    if (dialer->backend >= 0) {
        tell(dialer, try_failed(dialer, ETIMEDOUT));
    } else {
        dialer->due = FALSE;
        tell(dialer, dial(dialer));
    }
    return 0;
}

Dialer *dialer_new(sd_event *event, guint64 wait_usec, DialerChanged changed, gpointer data,
                   GError **error)
{
    g_autoptr(Dialer) dialer = g_new0(Dialer, 1);
    int r;

    dialer->event = event;
    dialer->source = source_new();
    dialer->wait_usec = wait_usec;
    dialer->backend = -1;
    dialer->changed = changed;
    dialer->data = data;
    r = sd_event_add_time_relative(event, &dialer->timer, CLOCK_BOOTTIME, 0, USEC_PER_MSEC,
                                   on_timer, dialer);
    if (r >= 0)
        r = sd_event_source_set_enabled(dialer->timer, SD_EVENT_OFF);
    if (r < 0) {
        tu_error_errno(error, -r, "Cannot make a timer");
        return NULL;
    }
    return g_steal_pointer(&dialer);
}

void dialer_free(Dialer *dialer)
{
    if (!dialer)
        return;
    abandon_try(dialer);
    sd_event_source_disable_unref(dialer->timer);
    g_clear_pointer(&dialer->source, source_free);
    g_free(dialer->name);
    g_free(dialer);
}

void dialer_open(Dialer *dialer, const Address *address, const char *name)
{
    dialer_hang_up(dialer);
    dialer->address = *address;
    g_free(dialer->name);
    dialer->name = g_strdup(name);
    dialer->retry_usec = RETRY_FIRST_USEC;
}

void dialer_hang_up(Dialer *dialer)
{
    abandon_try(dialer);
    dialer->verdict = FALSE;
    dialer->silent_since = 0;
    dialer->told = FALSE;
}

DialState dialer_ask(Dialer *dialer, guint sessions)
{
    dialer->sessions = sessions;
    if (dialer->connected)
        return DIAL_READY;
    if (dialer_is_busy(dialer))
        return DIAL_WAIT;
    if (!dialer->verdict)
        return dial(dialer);
    dialer->verdict = FALSE;
    return DIAL_SILENT;
}

int dialer_take(Dialer *dialer)
{
    if (!dialer->connected)
        return -1;
    dialer->connected = FALSE;
    return g_steal_fd(&dialer->backend);
}

void dialer_drop(Dialer *dialer)
{
    int backend = dialer_take(dialer);

    if (backend >= 0)
        close(backend);
}

gboolean dialer_is_busy(const Dialer *dialer)
{
    return dialer->due || (dialer->backend >= 0 && !dialer->connected);
}

const char *dialer_problem(const Dialer *dialer)
{
    return dialer->silent_since > 0 ? g_strerror(dialer->problem) : NULL;
}

guint64 dialer_silence(const Dialer *dialer)
{
    if (dialer->silent_since == 0 || boottime_now() - dialer->silent_last > USEC_PER_SEC)
        return 0;
    return dialer->silent_last - dialer->silent_since;
}
