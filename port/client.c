#include "port/keeper.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ERROR_PREFIX "org.timesten.Upgrade1.Error."
#define ANSWER_LIMIT 4096

static const struct {
    int errnum;
    TuError code;
    const char *remedy;
} connect_errors[] = {
    { ENOENT, TU_ERROR_PORT_NOT_HELD, "Start timesten-server@%s.socket" },
    { ECONNREFUSED, TU_ERROR_PORT_NOT_HELD, "Start timesten-server@%s.socket" },
    { EACCES, TU_ERROR_NOT_AUTHORIZED, "Only root may control the port of %s" },
    { EAGAIN, TU_ERROR_BUSY, "Too many callers wait for the keeper of %s. Try again" },
    { 0, TU_ERROR_FAILED, "See systemctl status timesten-server@%s.service" },
};

static void explain_connect(const char *server, const char *path, int errnum, GError **error)
{
    guint row = 0;
    g_autoptr(GString) remedy = NULL;

    while (connect_errors[row].errnum != 0 && connect_errors[row].errnum != errnum)
        row++;
    remedy = g_string_new(connect_errors[row].remedy);
    g_string_replace(remedy, "%s", server, 0);
    g_set_error(error, TU_ERROR, connect_errors[row].code,
                "Cannot reach the port keeper of server %s at %s: %s. %s", server, path,
                g_strerror(errnum), remedy->str);
}

int keeper_connect(const char *server, GError **error)
{
    g_autofree char *path = path_keeper(server, "control");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    if (g_strlcpy(address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path) {
        explain_connect(server, path, ENAMETOOLONG, error);
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        explain_connect(server, path, errno, error);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

gboolean keeper_answer(const char *line, const char **ret_rest, GError **error)
{
    g_auto(GStrv) words = NULL;
    g_autofree char *name = NULL;
    g_autofree char *message = NULL;
    TuError code;

    if (g_str_has_prefix(line, "ok") && (line[2] == '\0' || line[2] == ' ')) {
        if (ret_rest)
            *ret_rest = line[2] ? line + 3 : line + 2;
        return TRUE;
    }
    words = g_strsplit(line, " ", 3);
    if (g_strcmp0(words[0], "error") != 0 || !words[1] || !words[2]) {
        g_autofree char *shown = text_one_line(line, 80);

        g_set_error(error, TU_ERROR, TU_ERROR_FAILED,
                    "The port keeper's answer \"%s\" cannot be understood", shown);
        return FALSE;
    }
    name = g_strconcat(ERROR_PREFIX, words[1], NULL);
    if (!tu_error_from_bus_name(name, &code))
        code = TU_ERROR_FAILED;
    message = text_one_line(words[2], 1024);
    g_set_error_literal(error, TU_ERROR, code, message);
    return FALSE;
}

/* Waits until FD is ready for EVENTS; FALSE with DEADLINE_PASSED when END (monotonic µs) comes
 * first. */
static gboolean wait_for(int fd, short events, const char *server, gint64 end, GError **error)
{
    struct pollfd poll_fd = { .fd = fd, .events = events };

    for (;;) {
        gint64 left = end - g_get_monotonic_time();
        int ready = left <= 0 ? 0 : poll(&poll_fd, 1, (int)MIN(left / 1000 + 1, G_MAXINT));

        if (ready > 0)
            return TRUE;
        if (ready < 0 && errno != EINTR)
            return tu_error_errno(error, errno, "Cannot wait for the port keeper of server %s",
                                  server);
        if (left <= 0) {
            g_set_error(error, TU_ERROR, TU_ERROR_DEADLINE_PASSED,
                        "The port keeper of server %s did not answer in time. See systemctl status "
                        "timesten-server@%s.service",
                        server, server);
            return FALSE;
        }
    }
}

static gboolean send_line(int fd, const char *server, const char *line, gint64 end, GError **error)
{
    gsize length = strlen(line);

    while (length > 0) {
        ssize_t sent = send(fd, line, length, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent >= 0) {
            line += sent;
            length -= sent;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return TRUE; /* it hung up on us, but it may have said why: read on */
        } else if (errno == EAGAIN) {
            if (!wait_for(fd, POLLOUT, server, end, error))
                return FALSE;
        } else if (errno != EINTR) {
            return tu_error_errno(error, errno, "Cannot write to the port keeper of server %s",
                                  server);
        }
    }
    return TRUE;
}

/* The first line that arrives, without its newline. */
static char *receive_line(int fd, const char *server, gint64 end, GError **error)
{
    g_autoptr(GString) line = g_string_new(NULL);
    char block[512];

    while (!strchr(line->str, '\n')) {
        ssize_t count = recv(fd, block, sizeof block, MSG_DONTWAIT);

        if (count > 0 && line->len < ANSWER_LIMIT) {
            g_string_append_len(line, block, count);
        } else if (count < 0 && errno == EAGAIN) {
            if (!wait_for(fd, POLLIN, server, end, error))
                return NULL;
        } else if (count >= 0 || errno != EINTR) {
            g_set_error(
                error, TU_ERROR, TU_ERROR_FAILED,
                "The port keeper of server %s hung up without an answer. See systemctl status "
                "timesten-server@%s.service",
                server, server);
            return NULL;
        }
    }
    g_string_truncate(line, strcspn(line->str, "\n"));
    return g_string_free(g_steal_pointer(&line), FALSE);
}

char *keeper_say(const char *server, const char *command, guint64 timeout_usec, GError **error)
{
    gint64 end = g_get_monotonic_time() + (gint64)MIN(timeout_usec, (guint64)G_MAXINT64 / 2);
    g_autofree char *line = g_strconcat(command, "\n", NULL);
    g_autofree char *answer = NULL;
    const char *rest;
    int fd;

    if (strchr(command, '\n')) {
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                    "A command to the port keeper is one line, but this one has several");
        return NULL;
    }
    if ((fd = keeper_connect(server, error)) < 0)
        return NULL;
    if (send_line(fd, server, line, end, error))
        answer = receive_line(fd, server, end, error);
    close(fd);
    if (!answer || !keeper_answer(answer, &rest, error))
        return NULL;
    return g_strdup(rest);
}
