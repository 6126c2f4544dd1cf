/* Points on sockets: questions to PID 1, orders to utility-runner, words to the keeper, READY=1.
 * point.c says what becomes of them. */
#include "point.h"
#include "systemd/order.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static char asked[128]; /* the last look at a unit: how often it is repeated is a matter of luck */

/* Only of a worker: a daemon speaks when its callers do. */
static int sockets_are_points(void)
{
    return points.loaded && !points.durable;
}

static const char *peer_of(int fd, struct sockaddr_un *address)
{
    socklen_t size = sizeof *address;

    memset(address, 0, sizeof *address);
    if (getpeername(fd, (struct sockaddr *)address, &size) < 0 || address->sun_family != AF_UNIX)
        return "";
    return address->sun_path;
}

static const char *find_in(const struct msghdr *message, const char *wanted)
{
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        const char *found = memmem(message->msg_iov[i].iov_base, message->msg_iov[i].iov_len,
                                   wanted, strlen(wanted));

        if (found)
            return found;
    }
    return NULL;
}

/* What is asked of PID 1, and about which unit. */
static void name_question(const struct msghdr *message, char *text, size_t size)
{
    static const char *const members[] = {
        "StartTransientUnit", "StopUnit", "StartUnit", "RestartUnit",         "Reload",
        "ResetFailedUnit",    "GetAll",   "Subscribe", "ListUnitsByPatterns", "AUTH"
    };
    static const char *const units[] = { "timesten-util-", "timesten@", "timesten-server@",
                                         "timesten-upgraded", "timesten_" };
    const char *member = "?", *unit = NULL;

    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (find_in(message, members[i])) {
            member = members[i];
            break;
        }
    for (size_t i = 0; !unit && i < sizeof units / sizeof *units; i++)
        unit = find_in(message, units[i]);
    snprintf(text, size, "pid1 %s %.60s", member, unit ? unit : "");
}

/* What utility-runner is to run, by its program. */
static int is_order(const struct msghdr *message)
{
    const OrderHead *head = message->msg_iovlen == 1 ? message->msg_iov[0].iov_base : NULL;

    return head && message->msg_iov[0].iov_len > sizeof *head && head->mark == ORDER_MARK;
}

static void name_order(const struct msghdr *message, char *text, size_t size)
{
    const char *program = (const char *)message->msg_iov[0].iov_base + sizeof(OrderHead);
    const char *name = strrchr(program, '/');

    snprintf(text, size, "utility %.60s", name ? name + 1 : program);
}

/* Looks at something that is awaited; how often is a matter of luck. */
static int is_repeated(const char *text)
{
    return strstr(text, "GetAll") || strstr(text, "ttStatus");
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct sockaddr_un address;
    char text[128] = "";
    ssize_t done;

    if (sockets_are_points() && (strcmp(peer_of(fd, &address), "/run/systemd/private") == 0 ||
                                 is_order(message))) {
        if (is_order(message))
            name_order(message, text, sizeof text);
        else
            name_question(message, text, sizeof text);
        if (strcmp(text, asked) == 0)
            text[0] = '\0';
        else
            snprintf(asked, sizeof asked, "%s", is_repeated(text) ? text : "");
    } else if (sockets_are_points() && find_in(message, "READY=1"))
        snprintf(text, sizeof text, "notify READY=1");
    if (text[0])
        point("%s", text);
    done = REAL(sendmsg)(fd, message, flags);
    if (text[0])
        point_passed();
    return done;
}

ssize_t send(int fd, const void *data, size_t length, int flags)
{
    struct sockaddr_un address;
    int ours = sockets_are_points() &&
               strncmp(peer_of(fd, &address), RUNTIME "control/", strlen(RUNTIME "control/")) == 0;
    ssize_t done;

    if (ours)
        point("keeper %.*s", (int)strcspn(data, " \n"), (const char *)data);
    done = REAL(send)(fd, data, length, flags);
    if (ours)
        point_passed();
    return done;
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    const struct sockaddr_un *local = (const struct sockaddr_un *)address;
    int ours =
            sockets_are_points() && local->sun_family == AF_UNIX && files_are_ours(local->sun_path),
        result;

    if (ours)
        point("connect %s", local->sun_path);
    result = REAL(connect)(fd, address, size);
    if (ours)
        point_passed();
    return result;
}
