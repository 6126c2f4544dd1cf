#include "port/door.h"

#include <errno.h>
#include <netinet/in.h>

#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73
#endif

static gboolean set_limit(int listener, int limit)
{
    /* A socket for both families looks at the one of the packet. The second fails on one of IPv4.
     */
    gboolean done = setsockopt(listener, IPPROTO_IP, IP_MINTTL, &limit, sizeof limit) == 0;

    setsockopt(listener, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &limit, sizeof limit);
    return done;
}

void door_close(int listener)
{
    if (!set_limit(listener, DOOR_CLOSED))
        g_warning("Cannot keep new clients from the server that has the socket: %s",
                  g_strerror(errno));
}

void door_open(int listener)
{
    set_limit(listener, 0);
}

gboolean door_is_closed(int listener)
{
    int limit = 0;
    socklen_t length = sizeof limit;

    return getsockopt(listener, IPPROTO_IP, IP_MINTTL, &limit, &length) == 0 &&
           limit == DOOR_CLOSED;
}
