/* libtimesten-port.so from the inside: gives a server the keeper's listening socket in place of the
 * one that it binds itself.
 *
 * It lives in somebody else's process: it prints nothing, takes no lock, allocates nothing, changes
 * errno only where a call fails, and leaves every port but the configured ones alone. What it calls
 * is async-signal-safe, as the calls are that it stands in for.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* The C library's own, or those of the next preloaded library. */
typedef struct {
    int (*bind)(int, const struct sockaddr *, socklen_t);
    int (*listen)(int, int);
    int (*accept)(int, struct sockaddr *, socklen_t *);
    int (*accept4)(int, struct sockaddr *, socklen_t *, int);
    int (*shutdown)(int, int);
    int (*getsockname)(int, struct sockaddr *, socklen_t *);
    int (*getpeername)(int, struct sockaddr *, socklen_t *);
    int (*setsockopt)(int, int, int, const void *, socklen_t);
    int (*fcntl)(int, int, ...);
    int (*fcntl64)(int, int, ...);
    int (*ioctl)(int, unsigned long, ...);
} Real;

/* Only these may be used for the calls above, inside the library. */
extern Real real;

/* Fails a call. */
int fail(int errnum);

/* --- config.c: what the environment asks for, read once ------------------------------------------
 */

typedef struct {
    in_port_t port; /* as in a socket address */
    char path[108]; /* of the keeper's control socket */
} Port;

/* Reads the environment; before that no port is kept. */
void config_read(void);
/* NULL: not one of ours. */
const Port *config_find(in_port_t port);
/* As whom to ask: the name of an instance, "" for none. */
const char *config_name(void);

/* --- name.c: socket addresses -------------------------------------------------------------------
 */

/* What a TCP socket is or wants to be bound to. */
typedef struct {
    sa_family_t family; /* of the socket */
    bool four;          /* an IPv4 address, though the socket may be an IPv6 one */
    bool only;          /* IPV6_V6ONLY */
    in_port_t port;
    struct in6_addr address; /* an IPv4 one as IPv6 has it */
} Name;

/* False: not an address of IPv4 or IPv6. */
bool name_read(Name *name, const struct sockaddr *address, socklen_t length);
/* The name of a bound TCP socket. */
bool name_of_socket(Name *name, int fd);
/* Whether a client could reach both: 0 no, else the greater the closer they are. The kernel lets
 * nobody listen on two of these without SO_REUSEPORT. */
int name_nearness(const Name *a, const Name *b);
void name_write(const Name *name, struct sockaddr *ret, socklen_t *length);

/* How a server wants addresses to look like that the kernel tells in the other family. */
enum {
    VIEW_FOUR = 4, /* it bound an IPv4 address and has an IPv6 socket */
    VIEW_SIX = 8,  /* the other way round */
};

/* Whether an address of this family may have to be told otherwise. */
bool view_concerns(int view, sa_family_t family);
/* Tells ADDRESS as the view wants it; *length is the room in RET, then what would have been needed,
 * as with getpeername(). */
void view_write(int view, const struct sockaddr_storage *address, struct sockaddr *ret,
                socklen_t *length);

/* --- kept.c: the kept socket itself --------------------------------------------------------------
 *
 * What must be known about it is written into the open file description, as its F_SETSIG number,
 * which means nothing without O_ASYNC: so it holds for every duplicate of the descriptor, in every
 * thread and child, and over exec, exactly as the kernel's own O_NONBLOCK would. And no close() has
 * to be watched. */

enum {
    KEPT_BLOCKING = 1, /* as the server believes; in truth it never blocks, for the keeper's sake */
    KEPT_SHUT = 2,     /* the server has called shutdown() */
    /* 4 and 8 are the view */
    KEPT_VIEW = VIEW_FOUR | VIEW_SIX,
    KEPT_ALL = 15,
};

/* The bits above; -1: FD is not a kept socket. */
int kept_state(int fd);
/* The same unproved: a descriptor of somebody who uses our signal himself may pass. One system call
 * instead of three. */
int kept_mark(int fd);
/* Only for a socket that comes from a keeper. */
bool kept_set(int fd, int state);

#define DOOR_CLOSED 255

/* Packets of a lower time to live are dropped: with DOOR_CLOSED those that are not meant to pass,
 * so that nobody comes in; with 0 none. A keeper closes the door on a server that is to end
 * (port/door.h). */
void door_set(int fd, int limit);
int door_limit(int fd);

/* --- fetch.c: the question to the keeper ---------------------------------------------------------
 */

#define FETCH_LIMIT 64 /* sockets that one keeper may have */

/* Asks the keeper of a port for its sockets, all of which are the caller's then, close-on-exec.
 * Returns how many, or -1 with EADDRINUSE: the keeper is there and does not give it, at present;
 * EACCES: not to this user, or whoever answers is not to be believed; EADDRNOTAVAIL: there is no
 * keeper. Waits at most 20 s. */
int fetch_sockets(const Port *port, int fds[FETCH_LIMIT]);

/* --- take.c: bind() on a kept port ---------------------------------------------------------------
 */

/* FD becomes the kept socket. Returns as bind(). */
int take(int fd, const Port *port, Name *asked, const struct sockaddr *address, socklen_t length);
/* What this process bound FD to; false: nothing of ours. */
bool take_asked(int fd, Name *ret);
/* The views that this process needs, or KEPT_VIEW where it has bound nothing itself and may have
 * inherited a kept socket. */
int take_views(void);
