/* bind() on a kept port: the server's own socket is replaced by the keeper's.
 *
 * A process that binds a port in several ways (IPv4 and IPv6, say) must not see one client at two
 * of its descriptors, so all but the first get a socket that nobody can reach. What it bound is
 * remembered for that; an entry counts as long as its descriptor is still the same socket.
 */
#include "port/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef SO_BUF_LOCK /* Linux 5.15 */
#define SO_BUF_LOCK 72
#endif
#define LOCK_SEND    1
#define LOCK_RECEIVE 2

typedef struct {
    atomic_int state;
    int fd;
    ino_t inode;
    ino_t kept; /* the inode of the keeper's socket, which a deaf one stands beside */
    Name asked;
    bool shares; /* SO_REUSEPORT */
} Taken;

enum { FREE, BUSY, THERE };

/* Until this process binds, nothing is known: it may have inherited a kept socket over exec. */
#define UNKNOWN (KEPT_ALL + 1)

static Taken taken[32];
static atomic_int views = UNKNOWN;

static ino_t inode_of(int fd)
{
    struct stat found;

    return fstat(fd, &found) == 0 && S_ISSOCK(found.st_mode) ? found.st_ino : 0;
}

static bool is_alive(const Taken *one)
{
    return atomic_load(&one->state) == THERE && inode_of(one->fd) == one->inode;
}

/* Where there is no room left, it is not remembered: only what bind() says about a second bind is
 * lost by that. */
static void remember(int fd, ino_t kept, const Name *asked, bool shares)
{
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        int state = atomic_load(&taken[i].state);

        if (state == BUSY || is_alive(&taken[i]) ||
            !atomic_compare_exchange_strong(&taken[i].state, &state, BUSY))
            continue;
        taken[i].fd = fd;
        taken[i].inode = inode_of(fd);
        taken[i].kept = kept;
        taken[i].asked = *asked;
        taken[i].shares = shares;
        atomic_store(&taken[i].state, THERE);
        return;
    }
}

bool take_asked(int fd, Name *ret)
{
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (atomic_load(&taken[i].state) == THERE && taken[i].fd == fd && is_alive(&taken[i])) {
            *ret = taken[i].asked;
            return true;
        }
    return false;
}

int take_views(void)
{
    int known = atomic_load(&views);

    return known == UNKNOWN ? KEPT_VIEW : known;
}

typedef enum { MAY_HAVE, MAY_SHARE, MUST_BE_DEAF, IS_IN_USE } Claim;

/* What the kernel would say about a further bind() of this process. */
static Claim claim(ino_t kept, const Name *asked, bool shares)
{
    Claim found = MAY_HAVE;

    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        if (!is_alive(&taken[i]) || taken[i].kept != kept)
            continue;
        if (name_nearness(&taken[i].asked, asked) == 0)
            found = found == MAY_HAVE ? MUST_BE_DEAF : found;
        else if (shares && taken[i].shares)
            found = MAY_SHARE;
        else
            return IS_IN_USE;
    }
    return found;
}

static int get(int fd, int level, int option)
{
    int value = 0;
    socklen_t length = sizeof value;

    return getsockopt(fd, level, option, &value, &length) == 0 ? value : 0;
}

static void set(int fd, int level, int option, int value)
{
    real.setsockopt(fd, level, option, &value, sizeof value);
}

/* What accepted sockets have from their listener: it must be as this server wants it, not as the
 * one before it did. */
static void copy_options(int from, int to)
{
    static const struct {
        int level, option;
        socklen_t size;
    } inherited[] = {
        { SOL_SOCKET, SO_KEEPALIVE, sizeof(int) },
        { SOL_SOCKET, SO_OOBINLINE, sizeof(int) },
        { SOL_SOCKET, SO_RCVLOWAT, sizeof(int) },
        { SOL_SOCKET, SO_PRIORITY, sizeof(int) },
        { SOL_SOCKET, SO_LINGER, sizeof(struct linger) },
        { SOL_SOCKET, SO_RCVTIMEO, sizeof(struct timeval) },
        { SOL_SOCKET, SO_SNDTIMEO, sizeof(struct timeval) },
        { IPPROTO_TCP, TCP_NODELAY, sizeof(int) },
        { IPPROTO_TCP, TCP_KEEPIDLE, sizeof(int) },
        { IPPROTO_TCP, TCP_KEEPINTVL, sizeof(int) },
        { IPPROTO_TCP, TCP_KEEPCNT, sizeof(int) },
        { IPPROTO_TCP, TCP_USER_TIMEOUT, sizeof(int) },
        { IPPROTO_TCP, TCP_DEFER_ACCEPT, sizeof(int) },
        { IPPROTO_IP, IP_TOS, sizeof(int) },
    };
    int locks = get(from, SOL_SOCKET, SO_BUF_LOCK);

    for (size_t i = 0; i < sizeof inherited / sizeof *inherited; i++) {
        char wanted[sizeof(struct timeval)] = { 0 }, is[sizeof(struct timeval)] = { 0 };
        socklen_t wanted_size = inherited[i].size, is_size = inherited[i].size;

        if (getsockopt(from, inherited[i].level, inherited[i].option, wanted, &wanted_size) == 0 &&
            getsockopt(to, inherited[i].level, inherited[i].option, is, &is_size) == 0 &&
            memcmp(wanted, is, sizeof is) != 0)
            real.setsockopt(to, inherited[i].level, inherited[i].option, wanted, wanted_size);
    }
    /* The kernel tells twice what was asked for, and sizes the buffers itself as long as nobody has
     * asked. */
    if (locks & LOCK_SEND)
        set(to, SOL_SOCKET, SO_SNDBUF, get(from, SOL_SOCKET, SO_SNDBUF) / 2);
    if (locks & LOCK_RECEIVE)
        set(to, SOL_SOCKET, SO_RCVBUF, get(from, SOL_SOCKET, SO_RCVBUF) / 2);
    if (get(to, SOL_SOCKET, SO_BUF_LOCK) != locks)
        set(to, SOL_SOCKET, SO_BUF_LOCK, locks);
}

/* The socket stays the server's own, looks bound and can listen; no client ever gets to it. */
static int make_deaf(int fd, const Name *asked)
{
    Name loopback = { .family = asked->family, .address = IN6ADDR_LOOPBACK_INIT };
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    if (asked->family == AF_INET)
        loopback.address = (struct in6_addr){ .s6_addr = { [12] = 127, [15] = 1 } };
    name_write(&loopback, (struct sockaddr *)&address, &length);
    door_set(fd, DOOR_CLOSED);
    return real.bind(fd, (struct sockaddr *)&address, length);
}

static int become_kept(int fd, int kept, const Name *asked, const Name *is)
{
    int view = asked->family == is->family ? 0 : asked->family == AF_INET ? VIEW_FOUR : VIEW_SIX;
    int blocking = real.fcntl(fd, F_GETFL) & O_NONBLOCK ? 0 : KEPT_BLOCKING;
    int on_exec = real.fcntl(fd, F_GETFD) & FD_CLOEXEC ? O_CLOEXEC : 0;
    int flags = real.fcntl(kept, F_GETFL);
    int unknown = UNKNOWN;

    copy_options(fd, kept);
    if (!(flags & O_NONBLOCK))
        real.fcntl(kept, F_SETFL, flags | O_NONBLOCK);
    if (!kept_set(kept, blocking | view) || dup3(kept, fd, on_exec) < 0)
        return -1;
    if (!atomic_compare_exchange_strong(&views, &unknown, view))
        atomic_fetch_or(&views, view);
    return 0;
}

/* A server that has IPv4 and IPv6 apart and gets its clients of both at one socket expects those of
 * IPv4 as such. */
static void see_four(int kept)
{
    int state = kept_state(kept);

    if (state >= 0 && !(state & VIEW_SIX))
        kept_set(kept, state | VIEW_FOUR);
    atomic_fetch_or(&views, VIEW_FOUR);
}

static int take_one(int fd, int kept, Name *asked, const Name *is)
{
    bool shares = get(fd, SOL_SOCKET, SO_REUSEPORT) != 0;
    ino_t inode = inode_of(kept);

    switch (claim(inode, asked, shares)) {
    case IS_IN_USE:
        return fail(EADDRINUSE);
    case MUST_BE_DEAF:
        if (make_deaf(fd, asked) < 0)
            return -1;
        if (is->family == AF_INET6)
            see_four(kept);
        break;
    case MAY_HAVE:
    case MAY_SHARE:
        if (become_kept(fd, kept, asked, is) < 0)
            return -1;
    }
    remember(fd, inode, asked, shares);
    return 0;
}

int take(int fd, const Port *port, Name *asked, const struct sockaddr *address, socklen_t length)
{
    int fds[FETCH_LIMIT];
    int count = fetch_sockets(port, fds);
    int best = -1, nearest = 0, result, problem;
    Name names[FETCH_LIMIT];

    if (count < 0)
        return -1;
    asked->only = asked->family == AF_INET6 && get(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    for (int i = 0; i < count; i++) {
        int nearness = name_of_socket(&names[i], fds[i]) ? name_nearness(&names[i], asked) : 0;

        if (nearness > nearest) {
            nearest = nearness;
            best = i;
        }
    }
    /* An address that the keeper's sockets do not cover is the server's own affair. */
    result =
        best < 0 ? real.bind(fd, address, length) : take_one(fd, fds[best], asked, &names[best]);
    problem = errno;
    for (int i = 0; i < count; i++)
        close(fds[i]);
    errno = problem;
    return result;
}
