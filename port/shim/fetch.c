/* Asks a keeper for its sockets, in the one moment in which the server binds. */
#include "port/shim/shim.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MSEC   20000 /* a killed keeper is back before, and a stopped one has started */
#define AGAIN_MSEC  100
#define ANSWER_SIZE 4096

static int64_t now_msec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Systemd has made the socket, so it is root that answers for it, whoever the keeper runs as. A
 * keeper of one's own user can give nothing that one could not have taken. */
static bool is_trusted(int fd)
{
    struct ucred peer;
    socklen_t length = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

/* Connected, or -1 with errno. Does not block: a keeper whose queue is full is asked again. */
static int connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int problem;

    if (fd < 0)
        return -1;
    strcpy(address.sun_path, path); /* both have the same size */
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    problem = errno;
    close(fd);
    errno = problem;
    return -1;
}

static void close_all(const int *fds, int count)
{
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

/* Adds the descriptors of a message, as many as there is room for. */
static void take_descriptors(struct msghdr *message, int fds[FETCH_LIMIT], int *count)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        size_t there = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < there; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            if (*count < FETCH_LIMIT)
                fds[(*count)++] = fd;
            else
                close(fd);
        }
    }
}

/* One line with descriptors. Returns 0, or why there is none: EPIPE where it is worth to ask again.
 */
static int read_answer(int fd, int64_t end, char answer[ANSWER_SIZE], int fds[FETCH_LIMIT],
                       int *count)
{
    size_t length = 0;

    for (;;) {
        union {
            struct cmsghdr align;
            char bytes[CMSG_SPACE(FETCH_LIMIT * sizeof(int))];
        } control;
        struct iovec room = { answer + length, ANSWER_SIZE - 1 - length };
        struct msghdr message = { .msg_iov = &room,
                                  .msg_iovlen = 1,
                                  .msg_control = &control,
                                  .msg_controllen = sizeof control };
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        int64_t left = end - now_msec();
        ssize_t got;

        if (left <= 0 || (poll(&wait, 1, (int)left) < 0 && errno != EINTR))
            return EADDRINUSE;
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got <= 0)
            return EPIPE;
        take_descriptors(&message, fds, count);
        length += (size_t)got;
        answer[length] = '\0';
        if (strchr(answer, '\n'))
            return 0;
        if (length == ANSWER_SIZE - 1)
            return EADDRINUSE;
    }
}

static int ask(int fd, int64_t end, int fds[FETCH_LIMIT], int *count)
{
    char answer[ANSWER_SIZE];
    struct iovec words[] = { { "socket ", 7 },
                             { (char *)config_name(), strlen(config_name()) },
                             { "\n", 1 } };
    struct msghdr message = { .msg_iov = words, .msg_iovlen = 3 };
    int problem;

    if (!*config_name())
        words[0].iov_len = 6;
    if (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return EPIPE;
    problem = read_answer(fd, end, answer, fds, count);
    if (problem)
        return problem;
    if (strncmp(answer, "ok", 2) == 0)
        return *count > 0 ? 0 : EADDRINUSE;
    return strncmp(answer, "error NotAuthorized ", 20) == 0 ? EACCES : EADDRINUSE;
}

/* Why there is no connection, as bind() may tell it; EPIPE: perhaps soon. */
static int why_unconnected(int problem)
{
    switch (problem) {
    case EAGAIN:
    case EINTR:
        return EPIPE;
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
        return EADDRNOTAVAIL;
    case EACCES:
    case EPERM:
        return EACCES;
    default: /* out of descriptors or memory */
        return problem;
    }
}

int fetch_sockets(const Port *port, int fds[FETCH_LIMIT])
{
    int64_t end = now_msec() + WAIT_MSEC;

    for (;;) {
        int fd = connect_to(port->path);
        int problem = fd < 0 ? why_unconnected(errno) : is_trusted(fd) ? 0 : EACCES;
        int count = 0;

        if (!problem)
            problem = ask(fd, end, fds, &count);
        if (fd >= 0)
            close(fd);
        if (!problem)
            return count;
        close_all(fds, count);
        if (problem == EPIPE && now_msec() + AGAIN_MSEC >= end)
            problem = EADDRINUSE;
        if (problem != EPIPE)
            return fail(problem);
        poll(NULL, 0, AGAIN_MSEC);
    }
}
