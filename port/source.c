#include "port/source.h"
#include "common/file.h"
#include "common/text.h"

#include <netinet/in.h>
#include <stdio.h>

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

static gboolean is_free(const Address *address)
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

void source_bind(Source *source, int fd, const Address *address, guint sessions)
{
    struct sockaddr_in from = { .sin_family = AF_INET };
    int on = 1;

    if (!is_free(address))
        return;
    choose(source, sessions);
    if (source->number == 0)
        return;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source->number);
    /* Else it would want a port that is free for every destination. Where the address cannot be
     * had, the kernel's own choice is as good as before. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    bind(fd, (struct sockaddr *)&from, sizeof from);
}

gboolean source_next(Source *source, const Address *address, guint tried)
{
    if (!is_free(address) || tried >= SOURCES)
        return FALSE;
    move_on(source);
    return TRUE;
}
