#include "daemon/control.h"
#include "common/error.h"
#include "common/text.h"
#include "port/keeper.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT_USEC   (20 * USEC_PER_SEC) /* a stopped keeper has to start first */
#define ANSWER_LIMIT 4096                /* bytes; an answer is one line */

typedef struct {
    char *server;
    GString *out; /* what is still to be sent */
    GString *in;
    int fd;
    sd_event_source *io, *timer;
    ControlDone done;
    gpointer data;
} Control;

static void finish(Control *control, const GError *error)
{
    ControlDone done = control->done;
    gpointer data = control->data;

    sd_event_source_disable_unref(control->io);
    sd_event_source_disable_unref(control->timer);
    close(control->fd);
    g_string_free(control->out, TRUE);
    g_string_free(control->in, TRUE);
    g_free(control->server);
    g_free(control);
    done(error, data);
}

static void fail(Control *control, const char *why)
{
    g_autoptr(GError) error =
        g_error_new(TU_ERROR, TU_ERROR_PORT_NOT_HELD,
                    "The port keeper of server %s %s. Look at timesten-server@%s.service",
                    control->server, why, control->server);

    finish(control, error);
}

/* TRUE where everything is said and the answer may come. */
static gboolean send_rest(Control *control)
{
    ssize_t sent;

    if (control->out->len == 0)
        return TRUE;
    sent = send(control->fd, control->out->str, control->out->len, MSG_NOSIGNAL);
    if (sent > 0)
        g_string_erase(control->out, 0, sent);
    if (control->out->len == 0)
        sd_event_source_set_io_events(control->io, EPOLLIN);
    return control->out->len == 0 || (sent < 0 && errno != EAGAIN && errno != EINTR);
}

static int on_io(sd_event_source *source, int fd, guint32 events, void *data)
{
    Control *control = data;
    g_autoptr(GError) error = NULL;
    char block[512];
    ssize_t count;
    char *newline;

    if (!send_rest(control))
        return 0;
    count = recv(fd, block, sizeof block, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (count <= 0) {
        fail(control, "went away without an answer");
        return 0;
    }
    g_string_append_len(control->in, block, count);
    newline = memchr(control->in->str, '\n', control->in->len);
    if (!newline && control->in->len > ANSWER_LIMIT) {
        fail(control, "answered something that is no answer");
        return 0;
    }
    if (!newline)
        return 0;
    *newline = '\0';
    keeper_answer(control->in->str, NULL, &error);
    finish(control, error);
    return 0;
}

static int on_timer(sd_event_source *source, guint64 usec, void *data)
{
    fail(data, "did not answer within 20 s");
    return 0;
}

void control_say(sd_event *event, const char *server, const char *command, ControlDone done,
                 gpointer data)
{
    g_autoptr(GError) error = NULL;
    int fd = keeper_connect(server, &error);
    Control *control;
    int r;

    if (fd < 0) {
        done(error, data);
        return;
    }
    control = g_new0(Control, 1);
    *control = (Control){ .server = g_strdup(server),
                          .out = g_string_new(command),
                          .in = g_string_new(NULL),
                          .fd = fd,
                          .done = done,
                          .data = data };
    g_string_append_c(control->out, '\n');
    r = sd_event_add_io(event, &control->io, fd, EPOLLIN | EPOLLOUT, on_io, control);
    if (r >= 0)
        r = sd_event_add_time_relative(event, &control->timer, CLOCK_MONOTONIC, LIMIT_USEC, 0,
                                       on_timer, control);
    if (r < 0)
        fail(control, "cannot be talked to, because the event loop refuses");
}
