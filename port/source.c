#include "port/source.h"
#include "common/file.h"
#include "common/text.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#define RANGE_FILE  "/proc/sys/net/ipv4/ip_local_port_range"
#define RANGE_LIMIT 64
#define RANGE       28232 /* the kernel's default */

/* 127.0.0.1 and those behind it. */
#define SOURCES 200

/* The kernel takes the ports of one parity first; when those are used up, each connect walks past
 * all of them. Three quarters of that half are used. */
#define SHARE(range) ((range) / 2 * 3 / 4)

/* A port whose connection has ended may be taken again by the same host a second later
 * (tcp_tw_reuse). */
#define REST_USEC (2 * USEC_PER_SEC)

struct Source {
    guint number;   /* 0: as the kernel likes */
    guint share;    /* connections in a row from one address */
    guint made;     /* from this one */
    guint64 looked; /* when it was last asked whether few come */
};

static guint read_range(void)
{
    g_autofree char *text = file_read(RANGE_FILE, RANGE_LIMIT, NULL, NULL);
    guint first, last;

    return text && sscanf(text, "%u %u", &first, &last) == 2 && last > first ? last - first + 1
                                                                             : RANGE;
}

Source *source_new(void)
{
    Source *source = g_new0(Source, 1);

    source->share = MAX(SHARE(read_range()), 1);
    return source;
}

void source_free(Source *source)
{
    g_free(source);
}

static gboolean has_choice(const Address *address)
{
    return address->socket.ss_family == AF_INET && address_is_loopback(address);
}

static void move_on(Source *source)
{
    source->number = (source->number + 1) % SOURCES;
    source->made = 0;
}

static void choose(Source *source, guint sessions)
{
    guint64 now = boottime_now();

    if (now - source->looked >= REST_USEC && sessions < source->share / 2) {
        source->looked = now;
        source->number = 0;
        source->made = sessions;
    }
    if (source->made >= source->share)
        move_on(source);
    source->made++;
}

static void bind_address(int fd, guint number)
{
    struct sockaddr_in from = { .sin_family = AF_INET };
    int on = 1;

    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + number);
    /* Else it would want a port that is free for every destination. Where the address cannot be
     * had, the kernel's own choice is as good as before. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    bind(fd, (struct sockaddr *)&from, sizeof from);
}

/* Connecting to a free port of one's own host, one may be given that very port as one's own and
 * then talks to oneself. */
static gboolean is_own_echo(int fd, const Address *address)
{
    struct sockaddr_storage here = { 0 };
    socklen_t length = sizeof here;

    return getsockname(fd, (struct sockaddr *)&here, &length) == 0 && length == address->length &&
           address_is_same(&here, address);
}

int source_result(int *fd, const Address *address)
{
    if (connect(*fd, (const struct sockaddr *)&address->socket, address->length) == 0 ||
        errno == EISCONN) {
        if (!is_own_echo(*fd, address)) {
            if (!address_is_loopback(address)) /* one's own host does not vanish */
                socket_keep_alive(*fd);
            return 0;
        }
        /* A plain close would keep the port from the backend for a minute. */
        socket_reset(g_steal_fd(fd));
        return ECONNREFUSED;
    }
    return errno == EALREADY || errno == EINPROGRESS || errno == EINTR ? EINPROGRESS : errno;
}

static int try_one(Source *source, const Address *address, int *ret_fd)
{
    int result;

    *ret_fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*ret_fd < 0)
        return errno;
    if (source->number > 0 && has_choice(address))
        bind_address(*ret_fd, source->number);
    /* The first call begins. On this host the handshake is then over already, one way or the other,
     * and the second call tells which without a round through the event loop. */
    result = source_result(ret_fd, address);
    return result == EINPROGRESS ? source_result(ret_fd, address) : result;
}

int source_connect(Source *source, const Address *address, guint sessions, int *ret_fd)
{
    int result;

    choose(source, sessions);
    result = try_one(source, address, ret_fd);
    for (guint i = 1; i < SOURCES && result == EADDRNOTAVAIL && has_choice(address); i++) {
        close(g_steal_fd(ret_fd));
        move_on(source);
        result = try_one(source, address, ret_fd);
    }
    if (result != 0 && result != EINPROGRESS && *ret_fd >= 0)
        close(g_steal_fd(ret_fd));
    return result;
}
