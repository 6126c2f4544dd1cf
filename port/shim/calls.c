/* The calls that libtimesten-port.so stands in for. Each asks first whether a kept socket is meant
 * at all, with what costs least, and otherwise passes on.
 *
 * close(), dup() and fork() need no help: a descriptor is one of many of the same socket, which
 * systemd keeps open. */
#include "port/shim/shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>

/* The C names differ from the symbols, because the headers have their own idea of some of them:
 * transparent unions, or 64 bits under the name of 32. */
#define STANDS_FOR(symbol) __asm__(symbol) __attribute__((visibility("default")))

int port_bind(int fd, const struct sockaddr *address, socklen_t length) STANDS_FOR("bind");
int port_listen(int fd, int backlog) STANDS_FOR("listen");
int port_accept(int fd, struct sockaddr *address, socklen_t *length) STANDS_FOR("accept");
int port_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
    STANDS_FOR("accept4");
int port_shutdown(int fd, int how) STANDS_FOR("shutdown");
int port_getsockname(int fd, struct sockaddr *address, socklen_t *length) STANDS_FOR("getsockname");
int port_getpeername(int fd, struct sockaddr *address, socklen_t *length) STANDS_FOR("getpeername");
int port_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
    STANDS_FOR("setsockopt");
int port_fcntl(int fd, int command, ...) STANDS_FOR("fcntl");
int port_fcntl64(int fd, int command, ...) STANDS_FOR("fcntl64");
int port_ioctl(int fd, unsigned long request, ...) STANDS_FOR("ioctl");

/* How often a thread that waits for a client looks whether another has called shutdown(). */
#define LOOK_MSEC 1000

#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73
#endif

Real real;

/* Some kept socket of this process was shut down: from then on accept() has to look. */
static atomic_bool any_shut;

int fail(int errnum)
{
    errno = errnum;
    return -1;
}

/* Here, because other libraries may call before it is our turn to be made ready. */
__attribute__((constructor)) static void make_ready(void)
{
    static const struct {
        const char *symbol;
        void *place;
    } calls[] = {
        { "listen", &real.listen },
        { "accept", &real.accept },
        { "accept4", &real.accept4 },
        { "shutdown", &real.shutdown },
        { "getsockname", &real.getsockname },
        { "getpeername", &real.getpeername },
        { "setsockopt", &real.setsockopt },
        { "fcntl", &real.fcntl },
        { "fcntl64", &real.fcntl64 },
        { "ioctl", &real.ioctl },
        { "bind", &real.bind }, /* the last: tells that all are there */
    };

    if (real.bind)
        return;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        void *found = dlsym(RTLD_NEXT, calls[i].symbol);

        memcpy(calls[i].place, &found, sizeof found);
    }
    if (!real.fcntl64)
        real.fcntl64 = real.fcntl;
    config_read();
}

static void need_ready(void)
{
    if (__builtin_expect(!real.bind, 0))
        make_ready();
}

/* --- bind, listen, shutdown ----------------------------------------------------------------------
 */

static bool is_unbound_tcp(int fd, sa_family_t family)
{
    int type = 0, protocol = 0, domain = 0;
    socklen_t length = sizeof(int);
    Name name;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 &&
           protocol == IPPROTO_TCP &&
           getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == family &&
           name_of_socket(&name, fd) && name.port == 0;
}

int port_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    const Port *port;
    int before = errno, result, cancel;
    Name asked;

    need_ready();
    if (!name_read(&asked, address, length) || !(port = config_find(asked.port)) ||
        !is_unbound_tcp(fd, asked.family)) {
        errno = before;
        return real.bind(fd, address, length);
    }
    /* bind() is no cancellation point, and half of this must not be left behind. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    result = take(fd, port, &asked, address, length);
    pthread_setcancelstate(cancel, NULL);
    if (result == 0)
        errno = before;
    return result;
}

/* The socket listens already, and its queue must not become shorter while clients wait in it. */
int port_listen(int fd, int backlog)
{
    int before = errno, state;
    struct tcp_info info;
    socklen_t length = sizeof info;

    need_ready();
    state = kept_state(fd);
    if (state >= 0 && state & KEPT_SHUT)
        kept_set(fd, state & ~KEPT_SHUT);
    /* Of a listening socket the kernel tells the limit of the queue in this field. */
    if (state < 0 || (backlog >= 0 && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
                      (unsigned)backlog > info.tcpi_sacked)) {
        errno = before;
        return real.listen(fd, backlog);
    }
    errno = before;
    return 0;
}

/* The real one would reset every client in the queue, and systemd would give the socket up. */
int port_shutdown(int fd, int how)
{
    int before = errno, state;

    need_ready();
    state = kept_state(fd);
    errno = before;
    if (state < 0 || (how != SHUT_RD && how != SHUT_RDWR))
        return state < 0 || how != SHUT_WR ? real.shutdown(fd, how) : 0;
    atomic_store(&any_shut, true);
    kept_set(fd, state | KEPT_SHUT);
    errno = before;
    return 0;
}

/* --- accept --------------------------------------------------------------------------------------
 */

static bool is_shut(int fd)
{
    return atomic_load_explicit(&any_shut, memory_order_relaxed) && kept_state(fd) >= 0 &&
           kept_state(fd) & KEPT_SHUT;
}

/* A thread's own faults, which no waiting thread has, but which many catch for a last word. */
static bool is_fault(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL ||
           number == SIGABRT || number == SIGTRAP || number == SIGSYS;
}

/* Whether accept() would go on after any signal that this process catches. Where some handler is
 * without SA_RESTART, the server is made for EINTR. */
static bool signals_restart(void)
{
    for (int number = 1; number <= SIGRTMAX; number++) {
        struct sigaction action;

        if (!is_fault(number) && sigaction(number, NULL, &action) == 0 &&
            action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN &&
            !(action.sa_flags & SA_RESTART))
            return false;
    }
    return true;
}

static int64_t now_msec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* When a blocking accept() has waited long enough; 0: never. */
static int64_t find_end(int fd)
{
    struct timeval limit = { 0 };
    socklen_t length = sizeof limit;
    int64_t msec;

    getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &length);
    msec = (int64_t)limit.tv_sec * 1000 + (limit.tv_usec + 999) / 1000;
    return msec > 0 ? now_msec() + msec : 0;
}

/* After EAGAIN: true where a server that believes in a blocking socket should try again; else errno
 * is what it is to be told. */
static bool wait_for_client(int fd, int64_t *end)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    int state = kept_mark(fd), msec = LOOK_MSEC;

    /* The proof is for the few that wait: a server that does not comes here after every client. */
    if (state < 0 || !(state & KEPT_BLOCKING) || kept_state(fd) < 0) {
        errno = EAGAIN;
        return false;
    }
    if (*end < 0)
        *end = find_end(fd);
    if (*end > 0) {
        int64_t left = *end - now_msec();

        errno = EAGAIN;
        if (left <= 0)
            return false;
        msec = left < msec ? (int)left : msec;
    }
    return poll(&wait, 1, msec) >= 0 || (errno == EINTR && signals_restart());
}

/* A client's address as the server expects it; ROOM is what it had for it. */
static void tell_peer(int listener, int client, struct sockaddr *address, socklen_t *length,
                      socklen_t room)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    int state;

    if (room < sizeof address->sa_family || !view_concerns(take_views(), address->sa_family))
        return;
    state = kept_state(listener);
    if (state < 0 || !view_concerns(state & KEPT_VIEW, address->sa_family) ||
        real.getpeername(client, (struct sockaddr *)&peer, &size) < 0)
        return;
    *length = room;
    view_write(state & KEPT_VIEW, &peer, address, length);
}

static int accept_client(int fd, struct sockaddr *address, socklen_t *length, const int *flags)
{
    socklen_t room = address && length ? *length : 0;
    int64_t end = -1;
    int before = errno, client;

    need_ready();
    do {
        if (is_shut(fd))
            return fail(EINVAL);
        client =
            flags ? real.accept4(fd, address, length, *flags) : real.accept(fd, address, length);
    } while (client < 0 && errno == EAGAIN && wait_for_client(fd, &end));
    if (client < 0)
        return -1;
    /* It was on its way in when the keeper closed the door: it is in, and its packets must be. */
    if (door_limit(client) == DOOR_CLOSED && kept_state(fd) >= 0)
        door_set(client, 0);
    if (room > 0)
        tell_peer(fd, client, address, length, room);
    errno = before;
    return client;
}

int port_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    return accept_client(fd, address, length, NULL);
}

int port_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    return accept_client(fd, address, length, &flags);
}

/* --- names ---------------------------------------------------------------------------------------
 */

/* Whether FD is a connection to a kept port, and the name of its own side. */
static bool is_connection(int fd, struct sockaddr_storage *own)
{
    socklen_t size = sizeof *own;
    Name name;

    return real.getsockname(fd, (struct sockaddr *)own, &size) == 0 &&
           name_read(&name, (struct sockaddr *)own, size) && config_find(name.port);
}

/* A program that was run for one connection does not know what its server bound, but who has room
 * for an IPv4 address only wants one. */
static int view_of_caller(socklen_t room)
{
    int view = take_views();

    return view != KEPT_VIEW ? view : room == sizeof(struct sockaddr_in) ? VIEW_FOUR : 0;
}

int port_getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
    socklen_t room = address && length ? *length : 0;
    int before = errno, result;
    struct sockaddr_storage own;
    Name asked;

    need_ready();
    result = real.getsockname(fd, address, length);
    if (result < 0 || room < sizeof address->sa_family ||
        (address->sa_family != AF_INET && address->sa_family != AF_INET6))
        return result;
    if (take_asked(fd, &asked)) {
        *length = room;
        name_write(&asked, address, length);
    } else if (view_concerns(view_of_caller(room), address->sa_family) && is_connection(fd, &own)) {
        *length = room;
        view_write(view_of_caller(room), &own, address, length);
    }
    errno = before;
    return result;
}

int port_getpeername(int fd, struct sockaddr *address, socklen_t *length)
{
    socklen_t room = address && length ? *length : 0;
    int before = errno, result;
    struct sockaddr_storage own, peer;
    socklen_t size = sizeof peer;

    need_ready();
    result = real.getpeername(fd, address, length);
    if (result < 0 || room < sizeof address->sa_family ||
        !view_concerns(view_of_caller(room), address->sa_family) || !is_connection(fd, &own) ||
        real.getpeername(fd, (struct sockaddr *)&peer, &size) < 0)
        return result;
    *length = room;
    view_write(view_of_caller(room), &peer, address, length);
    errno = before;
    return result;
}

/* --- options -------------------------------------------------------------------------------------
 */

/* What would change the port for others than this server, or let strangers listen beside it. */
static bool is_the_keepers(int level, int option)
{
    if (level == IPPROTO_IP)
        return option == IP_MINTTL;
    if (level == IPPROTO_IPV6)
        return option == IPV6_MINHOPCOUNT;
    if (level != SOL_SOCKET)
        return false;
    switch (option) {
    case SO_REUSEADDR:
    case SO_REUSEPORT:
    case SO_ATTACH_FILTER:
    case SO_DETACH_FILTER:
    case SO_LOCK_FILTER:
    case SO_ATTACH_BPF:
    case SO_ATTACH_REUSEPORT_CBPF:
    case SO_ATTACH_REUSEPORT_EBPF:
        return true;
    default:
        return false;
    }
}

int port_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
    int before = errno, state;

    need_ready();
    if (!is_the_keepers(level, option))
        return real.setsockopt(fd, level, option, value, length);
    state = kept_state(fd);
    errno = before;
    return state < 0 ? real.setsockopt(fd, level, option, value, length) : 0;
}

/* Makes FD non-blocking or blocking in its server's eyes. */
static int set_blocking(int fd, int state, bool blocking)
{
    kept_set(fd, blocking ? state | KEPT_BLOCKING : state & ~KEPT_BLOCKING);
    return 0;
}

/* What fcntl() and fcntl64() have in common. CALL is known only when the library is ready. */
static int control(int (*const *call)(int, int, ...), int fd, int command, va_list list)
{
    void *argument = va_arg(list, void *);
    int before = errno, flags = (int)(intptr_t)argument, state, result;

    need_ready();
    if (command != F_GETFL && command != F_SETFL && command != F_SETSIG && command != F_GETSIG)
        return (*call)(fd, command, argument);
    state = kept_state(fd);
    errno = before;
    if (state < 0)
        return (*call)(fd, command, argument);
    if (command == F_SETSIG || command == F_GETSIG)
        return 0;
    if (command == F_SETFL)
        return set_blocking(fd, state, !(flags & O_NONBLOCK));
    result = (*call)(fd, command, argument);
    return result >= 0 && state & KEPT_BLOCKING ? result & ~O_NONBLOCK : result;
}

int port_fcntl(int fd, int command, ...)
{
    va_list list;
    int result;

    va_start(list, command);
    result = control(&real.fcntl, fd, command, list);
    va_end(list);
    return result;
}

int port_fcntl64(int fd, int command, ...)
{
    va_list list;
    int result;

    va_start(list, command);
    result = control(&real.fcntl64, fd, command, list);
    va_end(list);
    return result;
}

int port_ioctl(int fd, unsigned long request, ...)
{
    va_list list;
    void *argument;
    int before = errno, state;

    va_start(list, request);
    argument = va_arg(list, void *);
    va_end(list);
    need_ready();
    if (request != FIONBIO || !argument)
        return real.ioctl(fd, request, argument);
    state = kept_state(fd);
    errno = before;
    return state < 0 ? real.ioctl(fd, request, argument)
                     : set_blocking(fd, state, *(const int *)argument == 0);
}
