/* utility-runner: runs one short program after another for the worker, as the user that it has.
 *
 * A unit of its own for each look at ttStatus costs more than the look, and while the port is held
 * clients wait for it. So one unit per instance, started before, runs them: each in a process group
 * of its own, with its own limit, and nothing of it is left when its end is told. It decides
 * nothing, repeats nothing, and ends as soon as the worker is gone; systemd then ends what still
 * runs. Started by the worker with a socket as standard input (job/hand.c).
 */
#include "systemd/order.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_WORDS 4096
#define GRACE_USEC  (10 * 1000000ull) /* between SIGTERM and SIGKILL, as systemd leaves it */
#define POLL_MSEC   (60 * 1000) /* longer limits than poll(2) can take are waited for in parts */

typedef struct {
    uint64_t limit_usec;
    char *words[LIMIT_WORDS + 1];
    char *variables[LIMIT_WORDS + 1];
    int output;
} Order;

static uint64_t now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000ull + now.tv_nsec / 1000;
}

/* COUNT texts from *NEXT on, none behind END. */
static int take_texts(char **next, char *end, uint32_t count, char **texts)
{
    if (count > LIMIT_WORDS)
        return -1;
    for (uint32_t i = 0; i < count; i++) {
        char *zero = memchr(*next, '\0', end - *next);

        if (!zero)
            return -1;
        texts[i] = *next;
        *next = zero + 1;
    }
    texts[count] = NULL;
    return 0;
}

/* The descriptor that came along; -1 none. */
static int take_descriptor(struct msghdr *message)
{
    int fd = -1;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
            c->cmsg_len == CMSG_LEN(sizeof fd))
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

/* 1: an order; 0: nobody gives any more; -1: this was none. */
static int take_order(int socket, Order *order)
{
    static char text[ORDER_LIMIT];
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = { text, sizeof text };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    OrderHead head;
    char *next = text + sizeof head;
    ssize_t length;

    do
        length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length <= 0)
        return 0;
    order->output = take_descriptor(&message);
    if (message.msg_flags & MSG_TRUNC || (size_t)length < sizeof head || order->output < 0)
        return -1;
    memcpy(&head, text, sizeof head);
    order->limit_usec = head.limit_usec;
    return head.mark == ORDER_MARK && head.words > 0 &&
                   take_texts(&next, text + length, head.words, order->words) == 0 &&
                   take_texts(&next, text + length, head.variables, order->variables) == 0
               ? 1
               : -1;
}

/* Whether nobody waits for the answer any more. What was ordered is not begun then: whoever goes on
 * after that worker may have gone another way meanwhile. */
static int is_alone(int socket)
{
    struct pollfd polled = { .fd = socket };

    return poll(&polled, 1, 0) > 0;
}

/* In the child; what it cannot do it tells through TELL, which a program that runs has closed. */
static void become(const Order *order, int tell)
{
    int problem;

    setpgid(0, 0);
    for (int i = 0; order->variables[i]; i++)
        putenv(order->variables[i]);
    if (dup2(order->output, STDOUT_FILENO) >= 0 && dup2(order->output, STDERR_FILENO) >= 0)
        execv(order->words[0], order->words);
    problem = errno;
    if (write(tell, &problem, sizeof problem) != sizeof problem)
        abort();
    _exit(203);
}

/* How many there were. */
static int kill_children(void)
{
    FILE *list = fopen("/proc/thread-self/children", "re");
    int child, count = 0;

    while (list && fscanf(list, "%d", &child) == 1)
        count += kill(child, SIGKILL) == 0;
    if (list)
        fclose(list);
    return count;
}

/* What a program left behind has become a child of this process, and the next one must not meet it.
 */
static void end_strays(void)
{
    while (kill_children() > 0)
        waitpid(-1, NULL, 0);
}

/* For how long poll(2) may sleep: until PATIENCE, in µs from the begin on, is over. */
static int sleep_msec(uint64_t patience, uint64_t ran)
{
    uint64_t left = ran < patience ? (patience - ran) / 1000 + 1 : 0;

    return left < POLL_MSEC ? (int)left : POLL_MSEC;
}

/* Waits until the child has ended. When the worker goes, so does this process: nobody asks for the
 * end any more, and systemd ends the child. */
static void await_end(int socket, pid_t child, const Order *order, OrderEnd *end)
{
    int pidfd = syscall(SYS_pidfd_open, child, 0);
    uint64_t patience = order->limit_usec;
    struct pollfd polled[] = { { .fd = pidfd, .events = POLLIN }, { .fd = socket } };

    for (int fatal = SIGTERM; waitpid(child, &end->status, WNOHANG) != child;) {
        uint64_t ran = now_usec() - end->began_usec;

        if (polled[1].revents)
            _exit(EXIT_SUCCESS);
        if (ran < patience) {
            poll(polled, 2, pidfd < 0 ? 10 : sleep_msec(patience, ran));
            continue;
        }
        end->timed_out = 1;
        kill(-child, fatal);
        fatal = SIGKILL;
        patience = ran + GRACE_USEC;
    }
    end->ended_usec = now_usec();
    end_strays();
    if (pidfd >= 0)
        close(pidfd);
}

static void run(int socket, const Order *order, OrderEnd *end)
{
    int tell[2], problem = 0;
    pid_t child;

    *end = (OrderEnd){ .began_usec = now_usec() };
    if (pipe2(tell, O_CLOEXEC) < 0) {
        end->problem = errno;
        return;
    }
    child = fork();
    if (child == 0)
        become(order, tell[1]);
    close(tell[1]);
    if (child < 0) {
        end->problem = errno;
    } else {
        setpgid(child, child); /* whichever of the two comes first */
        if (read(tell[0], &problem, sizeof problem) == sizeof problem)
            end->problem = problem;
        await_end(socket, child, order, end);
    }
    close(tell[0]);
}

int main(void)
{
    static Order order;
    /* Kept away from the programs, whose standard input is nothing. */
    int socket = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), taken;

    if (socket < 0)
        return EXIT_FAILURE;
    close(STDIN_FILENO);
    if (open("/dev/null", O_RDONLY) != STDIN_FILENO ||
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return EXIT_FAILURE;
    while ((taken = take_order(socket, &order)) != 0 && !is_alone(socket)) {
        OrderEnd end = { .problem = EBADMSG };

        if (taken > 0)
            run(socket, &order, &end);
        if (order.output >= 0)
            close(order.output);
        if (send(socket, &end, sizeof end, MSG_NOSIGNAL) != sizeof end)
            break;
    }
    return EXIT_SUCCESS;
}
