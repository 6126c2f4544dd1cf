#include "port/dialer.h"
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
    Relay *relay;
    sd_event *event;
    sd_event_source *timer; /* the next try, or the end of the one that runs */
    sd_event_source *io;
    int client;  /* -1: none waits */
    int backend; /* -1: no try runs */
    gboolean dialing;
    Address address;
    char *name;
    guint64 wait_usec;
    guint64 retry_usec;
    guint64 silent_since; /* first try that failed; 0: it answered the last time */
    guint64 silent_last;  /* last try that failed */
    int problem;
    gboolean told;
    DialerDone done;
    gpointer data;
};

static void dial(Dialer *dialer);

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
}

static void answer_client(Dialer *dialer, DialResult result)
{
    dialer->done(result, dialer->data);
}

/* Connecting to a free port of one's own host, one may be given that very port as one's own and
 * then talks to oneself. */
static gboolean is_own_echo(int fd)
{
    struct sockaddr_storage here = { 0 }, there = { 0 };
    socklen_t here_length = sizeof here, there_length = sizeof there;

    return getsockname(fd, (struct sockaddr *)&here, &here_length) == 0 &&
           getpeername(fd, (struct sockaddr *)&there, &there_length) == 0 &&
           here_length == there_length && memcmp(&here, &there, here_length) == 0;
}

static void try_succeeded(Dialer *dialer)
{
    int client = dialer->client;
    int backend = dialer->backend;

    dialer->client = dialer->backend = -1;
    abandon_try(dialer);
    if (dialer->told)
        g_message("Backend %s answers again", dialer->name);
    dialer->told = FALSE;
    dialer->silent_since = 0;
    answer_client(dialer, relay_begin(dialer->relay, client, backend) ? DIAL_SERVED : DIAL_REFUSED);
}

static void refuse_client(Dialer *dialer)
{
    socket_reset(dialer->client);
    dialer->client = -1;
    answer_client(dialer, DIAL_REFUSED);
}

static gboolean patience_is_over(const Dialer *dialer)
{
    return dialer->silent_since > 0 &&
           dialer->silent_last - dialer->silent_since >= dialer->wait_usec;
}

static void try_failed(Dialer *dialer, int errnum)
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
        set_timer(dialer, dialer->retry_usec);
        dialer->retry_usec = MIN(dialer->retry_usec * 2, RETRY_USEC);
        return;
    }
    if (!dialer->told) {
        g_autofree char *span = text_timespan(dialer->wait_usec);

        g_warning("Backend %s has not answered for %s (%s). Clients are reset until it does",
                  dialer->name, span, g_strerror(errnum));
    }
    dialer->told = TRUE;
    refuse_client(dialer);
}

/* Where a try that was begun stands: 0 connected, EINPROGRESS not yet, else why it failed. */
static int try_result(Dialer *dialer)
{
    if (connect(dialer->backend, (struct sockaddr *)&dialer->address.socket,
                dialer->address.length) == 0 ||
        errno == EISCONN) {
        if (!is_own_echo(dialer->backend))
            return 0;
        socket_reset(
            dialer->backend); /* a plain close would keep the port from the backend for a minute */
        dialer->backend = -1;
        return ECONNREFUSED;
    }
    return errno == EALREADY || errno == EINPROGRESS || errno == EINTR ? EINPROGRESS : errno;
}

static void look_at_try(Dialer *dialer)
{
    int result = try_result(dialer);

    if (result == 0)
        try_succeeded(dialer);
    else if (result != EINPROGRESS)
        try_failed(dialer, result);
}

static int on_connected(sd_event_source *source, int fd, uint32_t events, void *data)
{
    look_at_try(data);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
    Dialer *dialer = data;

    if (dialer->backend >= 0)
        try_failed(dialer, ETIMEDOUT);
    else
        dial(dialer);
    return 0;
}

static guint64 try_limit(const Dialer *dialer)
{
    if (!address_is_loopback(&dialer->address))
        return TRY_FAR_USEC;
    return patience_is_over(dialer) ? USEC_PER_MSEC : TRY_NEAR_USEC;
}

static void dial(Dialer *dialer)
{
    int result;

    if (socket_gave_up(dialer->client)) {
        close(dialer->client);
        dialer->client = -1;
        answer_client(dialer, DIAL_GAVE_UP);
        return;
    }
    dialer->backend =
        socket(dialer->address.socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (dialer->backend < 0) {
        try_failed(dialer, errno);
        return;
    }
    /* The first call begins. On this host the handshake is then over already, one way or the other,
     * and the second call tells which without a round through the event loop. */
    result = try_result(dialer);
    if (result == EINPROGRESS)
        result = try_result(dialer);
    if (result == 0) {
        try_succeeded(dialer);
    } else if (result != EINPROGRESS) {
        try_failed(dialer, result);
    } else {
        int r = sd_event_add_io(dialer->event, &dialer->io, dialer->backend, EPOLLOUT, on_connected,
                                dialer);

        if (r < 0)
            try_failed(dialer, -r);
        else
            set_timer(dialer, try_limit(dialer));
    }
}

Dialer *dialer_new(sd_event *event, Relay *relay, guint64 wait_usec, DialerDone done, gpointer data,
                   GError **error)
{
    g_autoptr(Dialer) dialer = g_new0(Dialer, 1);
    int r;

    dialer->event = event;
    dialer->relay = relay;
    dialer->wait_usec = wait_usec;
    dialer->client = dialer->backend = -1;
    dialer->done = done;
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
    if (dialer->client >= 0)
        socket_reset(dialer->client);
    sd_event_source_disable_unref(dialer->timer);
    g_free(dialer->name);
    g_free(dialer);
}

void dialer_open(Dialer *dialer, const Address *address, const char *name)
{
    abandon_try(dialer);
    dialer->address = *address;
    g_free(dialer->name);
    dialer->name = g_strdup(name);
    dialer->dialing = TRUE;
    dialer->silent_since = 0;
    dialer->told = FALSE;
    dialer->retry_usec = RETRY_FIRST_USEC;
    if (dialer->client >= 0)
        dial(dialer);
}

void dialer_hold(Dialer *dialer)
{
    abandon_try(dialer);
    dialer->dialing = FALSE;
    dialer->silent_since = 0;
}

void dialer_refuse(Dialer *dialer)
{
    dialer_hold(dialer);
    if (dialer->client >= 0)
        refuse_client(dialer);
}

gboolean dialer_is_busy(const Dialer *dialer)
{
    return dialer->client >= 0;
}

const char *dialer_problem(const Dialer *dialer)
{
    return dialer->dialing && dialer->silent_since > 0 ? g_strerror(dialer->problem) : NULL;
}

void dialer_take(Dialer *dialer, int client)
{
    dialer->client = client;
    dialer->retry_usec = RETRY_FIRST_USEC;
    if (dialer->dialing)
        dial(dialer);
}
