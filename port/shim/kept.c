/* How a kept socket is known again, and what its server believes of it. */
#include "port/shim/shim.h"

#include <fcntl.h>

#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73
#endif

/* Real-time signals in the middle, which nobody uses by number. */
#define MARK 40

int kept_mark(int fd)
{
    int mark = real.fcntl(fd, F_GETSIG);

    return mark < MARK || mark > MARK + KEPT_ALL ? -1 : mark - MARK;
}

int kept_state(int fd)
{
    int mark = kept_mark(fd);
    int listens = 0;
    socklen_t length = sizeof listens;
    Name name;

    if (mark < 0)
        return -1;
    /* Somebody else may use that signal: then it is not a listener on one of our ports. */
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0 || !listens ||
        !name_of_socket(&name, fd) || !config_find(name.port))
        return -1;
    return mark;
}

bool kept_set(int fd, int state)
{
    return real.fcntl(fd, F_SETSIG, MARK + state) == 0;
}

void door_set(int fd, int limit)
{
    /* One of the two fails on a socket of IPv4. */
    real.setsockopt(fd, IPPROTO_IP, IP_MINTTL, &limit, sizeof limit);
    real.setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &limit, sizeof limit);
}

int door_limit(int fd)
{
    int limit = 0;
    socklen_t length = sizeof limit;

    return getsockopt(fd, IPPROTO_IP, IP_MINTTL, &limit, &length) == 0 ? limit : 0;
}
