#include "port/control.h"
#include "port/command.h"
#include "port/parcel.h"
#include "port/socket.h"
#include "common/error.h"
#include "common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_LIMIT    256
#define CALLERS_LIMIT 8
#define IDLE_USEC     (10 * USEC_PER_SEC)
#define BATCH         16

/* Orders before the data of sessions: a hold must not wait for a busy relay. */
#define PRIORITY (SD_EVENT_PRIORITY_NORMAL - 10)

typedef struct {
    Control *control;
    int fd;
    uid_t user;
    gboolean may_order;
    GArray *descriptors; /* that came along and no line has taken yet */
    sd_event_source *io;
    sd_event_source *idle;
    char line[LINE_LIMIT];
    gsize length;
} Caller;

struct Control {
    sd_event *event;
    sd_event_source *source;
    sd_event_source *pause; /* after the system was out of descriptors */
    Gate *gate;
    gboolean own_user;
    GQueue callers; /* the one that came first at the head */
};

static void caller_free(Caller *caller)
{
    sd_event_source_disable_unref(caller->io);
    sd_event_source_disable_unref(caller->idle);
    parcel_drop(caller->descriptors);
    g_array_unref(caller->descriptors);
    close(caller->fd);
    g_free(caller);
}

static void hang_up(Caller *caller)
{
    g_queue_remove(&caller->control->callers, caller);
    caller_free(caller);
}

/* An answer fits a socket's buffer many times over: where it does not, the caller has not read any
 * of the ones before and gets no more. */
static gboolean say(int fd, const char *answer)
{
    g_autofree char *line = g_strconcat(answer, "\n", NULL);
    gsize length = strlen(line);

    return send(fd, line, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (gssize)length;
}

static gboolean say_error(int fd, TuError code, const char *message)
{
    g_autoptr(GError) error = g_error_new_literal(TU_ERROR, code, message);
    g_autofree char *answer = command_error(error);

    return say(fd, answer);
}

static gboolean is_socket_order(const char *line)
{
    return g_str_equal(line, "socket") ||
           (g_str_has_prefix(line, "socket ") && !strchr(line + strlen("socket "), ' '));
}

static gboolean give_sockets(const Caller *caller, const char *line)
{
    const char *name = strchr(line, ' ');
    g_autoptr(GError) error = NULL;
    g_autofree char *answer = NULL;
    g_autoptr(GArray) sockets =
        gate_give(caller->control->gate, caller->user, name ? name + 1 : NULL, &error);

    if (sockets)
        return parcel_send(caller->fd, "ok\n", sockets);
    answer = command_error(error);
    return say(caller->fd, answer);
}

/* The pidfd comes first, then the sockets. */
static gboolean adopt_sockets(const Caller *caller)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *answer = NULL;
    GArray *sockets = caller->descriptors;
    int pidfd;

    if (sockets->len < 2)
        return say_error(caller->fd, TU_ERROR_INVALID_OPTION,
                         "\"adopt\" comes with a process and with sockets");
    pidfd = g_array_index(sockets, int, 0);
    g_array_remove_index(sockets, 0);
    if (gate_adopt(caller->control->gate, sockets, pidfd, &error))
        return say(caller->fd, "ok");
    answer = command_error(error);
    return say(caller->fd, answer);
}

/* Answers the first whole line, if there is one. FALSE: the caller is to be hung up on. */
static gboolean take_line(Caller *caller, gboolean *ret_taken)
{
    char *end = memchr(caller->line, '\n', caller->length);
    g_autofree char *line = NULL;
    g_autofree char *answer = NULL;
    gsize used;

    *ret_taken = end != NULL;
    if (!end && caller->length < LINE_LIMIT)
        return TRUE;
    if (!end || memchr(caller->line, '\0', end - caller->line)) {
        say_error(caller->fd, TU_ERROR_INVALID_OPTION,
                  "A command is one line of text of at most 255 bytes");
        return FALSE;
    }
    used = end - caller->line + 1;
    line = g_strndup(caller->line, used - 1);
    caller->length -= used;
    memmove(caller->line, end + 1, caller->length);
    if (is_socket_order(line))
        return give_sockets(caller, line);
    if (!caller->may_order) {
        say_error(caller->fd, TU_ERROR_NOT_AUTHORIZED,
                  "Only root may control a port; its backing instance may ask for its socket only");
        return FALSE;
    }
    if (g_str_equal(line, "adopt"))
        return adopt_sockets(caller);
    answer = command_answer(caller->control->gate, line);
    return say(caller->fd, answer);
}

static int on_words(sd_event_source *source, int fd, uint32_t events, void *data)
{
    Caller *caller = data;
    ssize_t count = parcel_receive(fd, caller->line + caller->length,
                                   LINE_LIMIT - caller->length, caller->descriptors);
    gboolean taken = TRUE;

    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (count <= 0) {
        hang_up(caller);
        return 0;
    }
    if (!caller->may_order || caller->descriptors->len > PARCEL_LIMIT)
        parcel_drop(caller->descriptors);
    caller->length += count;
    sd_event_source_set_time_relative(caller->idle, IDLE_USEC);
    while (taken)
        if (!take_line(caller, &taken)) {
            hang_up(caller);
            return 0;
        }
    return 0;
}

static int on_idle(sd_event_source *source, uint64_t usec, void *data)
{
    hang_up(data);
    return 0;
}

/* The first that came, but nobody pushes root out as long as somebody else is there. */
static Caller *least_wanted(const Control *control)
{
    for (GList *link = control->callers.head; link; link = link->next)
        if (!((Caller *)link->data)->may_order)
            return link->data;
    return control->callers.head->data;
}

static void take_caller(Control *control, int fd)
{
    struct ucred who = { .uid = (uid_t)-1 };
    socklen_t length = sizeof who;
    gboolean known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0;
    gboolean may_order = known && (who.uid == 0 || (control->own_user && who.uid == geteuid()));
    Caller *caller;
    int r;

    if (!may_order && !(known && gate_knows_user(control->gate, who.uid))) {
        say_error(fd, TU_ERROR_NOT_AUTHORIZED,
                  "Only root may control a port. Its state can be read with ttctl status");
        close(fd);
        return;
    }
    if (control->callers.length >= CALLERS_LIMIT)
        hang_up(least_wanted(control));
    caller = g_new0(Caller, 1);
    caller->control = control;
    caller->fd = fd;
    caller->user = who.uid;
    caller->may_order = may_order;
    caller->descriptors = g_array_new(FALSE, FALSE, sizeof(int));
    r = sd_event_add_io(control->event, &caller->io, fd, EPOLLIN, on_words, caller);
    if (r >= 0)
        r = sd_event_source_set_priority(caller->io, PRIORITY);
    if (r >= 0)
        r = sd_event_add_time_relative(control->event, &caller->idle, CLOCK_BOOTTIME, IDLE_USEC, 0,
                                       on_idle, caller);
    if (r < 0)
        caller_free(caller);
    else
        g_queue_push_tail(&control->callers, caller);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *data)
{
    Control *control = data;

    sd_event_source_set_enabled(control->source, SD_EVENT_ON);
    return 0;
}

static int on_caller(sd_event_source *source, int listener, uint32_t events, void *data)
{
    Control *control = data;

    for (guint i = 0; i < BATCH; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            take_caller(control, fd);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno != EAGAIN) { /* polling on would spin */
            sd_event_source_set_enabled(control->source, SD_EVENT_OFF);
            sd_event_source_set_time_relative(control->pause, 100 * USEC_PER_MSEC);
            sd_event_source_set_enabled(control->pause, SD_EVENT_ONESHOT);
        }
        break;
    }
    return 0;
}

Control *control_new(sd_event *event, int fd, Gate *gate, gboolean own_user, GError **error)
{
    g_autoptr(Control) control = g_new0(Control, 1);
    int flags = fcntl(fd, F_GETFL);
    int r;

    control->event = event;
    control->gate = gate;
    control->own_user = own_user;
    g_queue_init(&control->callers);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        tu_error_errno(error, errno, "Cannot make the control socket non-blocking");
        return NULL;
    }
    r = sd_event_add_io(event, &control->source, fd, EPOLLIN, on_caller, control);
    if (r >= 0)
        r = sd_event_source_set_priority(control->source, PRIORITY);
    if (r >= 0)
        r = sd_event_add_time_relative(event, &control->pause, CLOCK_BOOTTIME, 0, USEC_PER_MSEC,
                                       on_pause_over, control);
    if (r >= 0)
        r = sd_event_source_set_enabled(control->pause, SD_EVENT_OFF);
    if (r < 0) {
        tu_error_errno(error, -r, "Cannot watch the control socket");
        return NULL;
    }
    return g_steal_pointer(&control);
}

void control_free(Control *control)
{
    if (!control)
        return;
    while (control->callers.head)
        hang_up(control->callers.head->data);
    sd_event_source_disable_unref(control->source);
    sd_event_source_disable_unref(control->pause);
    g_free(control);
}
