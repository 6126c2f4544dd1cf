#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

Wire *wire_new(int fd)
{
    Wire *wire = g_new0(Wire, 1);

    wire->fd = fd;
    wire->input = g_string_new(NULL);
    return wire;
}

void wire_free(Wire *wire)
{
    if (!wire)
        return;
    close(wire->fd);
    g_string_free(wire->input, TRUE);
    g_free(wire);
}

static int wait_for(int fd, short events, gint64 deadline)
{
    while (TRUE) {
        struct pollfd item = { .fd = fd, .events = events };
        gint64 left = deadline < 0 ? -1 : (deadline - g_get_monotonic_time() + 999) / 1000;
        int n = poll(&item, 1, deadline < 0 ? -1 : (int)CLAMP(left, 0, G_MAXINT));

        if (n > 0)
            return 0;
        if (n == 0)
            return ETIMEDOUT;
        if (errno != EINTR)
            return errno;
    }
}

static gint64 deadline_of(gint64 timeout_ms)
{
    return timeout_ms < 0 ? -1 : g_get_monotonic_time() + timeout_ms * 1000;
}

static int connect_address(const struct addrinfo *address, gint64 deadline, int *ret_fd)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;
    int error = 0;
    socklen_t size = sizeof error;

    if (fd < 0)
        return errno;
    if (connect(fd, address->ai_addr, address->ai_addrlen) < 0)
        error = errno;
    if (error == EINPROGRESS) {
        error = wait_for(fd, POLLOUT, deadline);
        if (error == 0)
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error != 0) {
        close(fd);
        return error;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    *ret_fd = fd;
    return 0;
}

Wire *wire_connect(const char *host, guint16 port, gint64 timeout_ms, int *ret_error)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    g_autofree char *service = g_strdup_printf("%u", port);
    struct addrinfo *found = NULL;
    gint64 deadline = deadline_of(timeout_ms);
    int error = EHOSTUNREACH;
    int fd = -1;

    if (getaddrinfo(host, service, &hints, &found) == 0) {
        for (struct addrinfo *item = found; item && fd < 0; item = item->ai_next)
            error = connect_address(item, deadline, &fd);
        freeaddrinfo(found);
    }
    if (fd < 0) {
        if (ret_error)
            *ret_error = error;
        return NULL;
    }
    return wire_new(fd);
}

gboolean wire_send_bytes(Wire *wire, const void *bytes, gsize size)
{
    const char *next = bytes;

    while (size > 0) {
        ssize_t n = send(wire->fd, next, size, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            wire->error = errno;
            return FALSE;
        }
        next += n;
        size -= (gsize)n;
    }
    return TRUE;
}

gboolean wire_send(Wire *wire, const char *line)
{
    g_autofree char *text = g_strconcat(line, "\n", NULL);

    return wire_send_bytes(wire, text, strlen(text));
}

gboolean wire_pending(Wire *wire, gint64 timeout_ms)
{
    return wire->input->len > 0 || wait_for(wire->fd, POLLIN, deadline_of(timeout_ms)) == 0;
}

gboolean wire_receive_bytes(Wire *wire, void *bytes, gsize size, gint64 timeout_ms)
{
    gint64 deadline = deadline_of(timeout_ms);
    gsize done = MIN(size, wire->input->len);

    memcpy(bytes, wire->input->str, done);
    g_string_erase(wire->input, 0, (gssize)done);
    while (done < size) {
        int error = wait_for(wire->fd, POLLIN, deadline);
        ssize_t n = error ? -1 : recv(wire->fd, (char *)bytes + done, size - done, 0);

        if (n < 0 && !error && errno == EINTR)
            continue;
        if (n <= 0) {
            wire->error = error ? error : n < 0 ? errno : 0;
            return FALSE;
        }
        done += (gsize)n;
    }
    return TRUE;
}

gboolean wire_fill(Wire *wire)
{
    char buffer[16384];
    ssize_t n;

    do {
        n = recv(wire->fd, buffer, sizeof buffer, 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0 || wire->input->len + (gsize)n > WIRE_LIMIT) {
        wire->error = n < 0 ? errno : n == 0 ? 0 : EMSGSIZE;
        return FALSE;
    }
    g_string_append_len(wire->input, buffer, n);
    return TRUE;
}

char *wire_take(Wire *wire)
{
    const char *end = memchr(wire->input->str, '\n', wire->input->len);
    gsize length;
    char *line;

    if (!end)
        return NULL;
    length = (gsize)(end - wire->input->str);
    line = g_strndup(wire->input->str, length);
    g_string_erase(wire->input, 0, (gssize)length + 1);
    return line;
}

char *wire_receive(Wire *wire, gint64 timeout_ms)
{
    gint64 deadline = deadline_of(timeout_ms);
    char *line;

    while (!(line = wire_take(wire))) {
        int error = wait_for(wire->fd, POLLIN, deadline);

        if (error != 0) {
            wire->error = error;
            return NULL;
        }
        if (!wire_fill(wire))
            return NULL;
    }
    return line;
}

gboolean wire_gone(Wire *wire)
{
    struct pollfd item = { .fd = wire->fd, .events = POLLRDHUP };

    return poll(&item, 1, 0) > 0 && (item.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

int wire_listen(const char *host, guint16 port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    int one = 1;
    int fd;

    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

char *wire_escape(const char *text)
{
    return g_uri_escape_string(text, "/:,;()*", TRUE);
}

char *wire_unescape(const char *text)
{
    char *plain = g_uri_unescape_string(text, NULL);

    return plain ? plain : g_strdup("");
}

Message *message_parse(const char *line)
{
    Message *message = g_new0(Message, 1);
    g_auto(GStrv) words = g_strsplit(line, " ", -1);

    message->verb = g_strdup(words[0] ? words[0] : "");
    message->fields = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (guint i = 1; words[0] && words[i]; i++) {
        char *equals = strchr(words[i], '=');

        if (equals)
            g_hash_table_replace(message->fields, g_strndup(words[i], (gsize)(equals - words[i])),
                                 wire_unescape(equals + 1));
    }
    return message;
}

void message_free(Message *message)
{
    if (!message)
        return;
    g_free(message->verb);
    g_hash_table_unref(message->fields);
    g_free(message);
}

const char *message_get(const Message *message, const char *name)
{
    return g_hash_table_lookup(message->fields, name);
}

gint64 message_number(const Message *message, const char *name)
{
    const char *value = message_get(message, name);

    return value ? g_ascii_strtoll(value, NULL, 10) : 0;
}

char *message_line(const char *verb, ...)
{
    GString *line = g_string_new(verb);
    const char *name;
    va_list pairs;

    va_start(pairs, verb);
    while ((name = va_arg(pairs, const char *))) {
        const char *value = va_arg(pairs, const char *);
        g_autofree char *escaped = value ? wire_escape(value) : NULL;

        if (!value)
            break;
        g_string_append_printf(line, " %s=%s", name, escaped);
    }
    va_end(pairs);
    return g_string_free(line, FALSE);
}
