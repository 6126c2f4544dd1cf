#include "common/diag.h"
#include "common/error.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

/* One answer of the kernel; it fills what it is given. */
#define BLOCK 32768

typedef struct {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
    struct nlattr attribute;
    struct inet_diag_bc_op code[4];
} InetQuestion;

typedef struct {
    struct nlmsghdr header;
    struct unix_diag_req request;
} UnixQuestion;

typedef void (*TakeMessage)(const struct nlmsghdr *message, DiagFound found, gpointer data);

static void set_local(struct sockaddr_storage *local, const struct inet_diag_msg *one)
{
    if (one->idiag_family == AF_INET) {
        struct sockaddr_in *address = (struct sockaddr_in *)local;

        address->sin_family = AF_INET;
        address->sin_port = one->id.idiag_sport;
        memcpy(&address->sin_addr, one->id.idiag_src, sizeof address->sin_addr);
    } else {
        struct sockaddr_in6 *address = (struct sockaddr_in6 *)local;

        address->sin6_family = AF_INET6;
        address->sin6_port = one->id.idiag_sport;
        memcpy(&address->sin6_addr, one->id.idiag_src, sizeof address->sin6_addr);
    }
}

static void take_inet(const struct nlmsghdr *message, DiagFound found, gpointer data)
{
    const struct inet_diag_msg *one = NLMSG_DATA(message);
    DiagSocket socket = { 0 };

    if (message->nlmsg_len < NLMSG_LENGTH(sizeof *one))
        return;
    socket.inode = one->idiag_inode;
    socket.cookie = one->id.idiag_cookie[0] | (guint64)one->id.idiag_cookie[1] << 32;
    socket.queue = one->idiag_rqueue;
    socket.limit = one->idiag_wqueue;
    set_local(&socket.local, one);
    found(&socket, data);
}

static void take_unix(const struct nlmsghdr *message, DiagFound found, gpointer data)
{
    const struct unix_diag_msg *one = NLMSG_DATA(message);
    const struct nlattr *attribute = (const struct nlattr *)(one + 1);
    gsize head = NLMSG_LENGTH(sizeof *one);
    gsize left = message->nlmsg_len - MIN(message->nlmsg_len, head);

    for (; left >= sizeof *attribute && attribute->nla_len >= sizeof *attribute &&
           attribute->nla_len <= left;
         left -= MIN(left, (gsize)NLA_ALIGN(attribute->nla_len)),
         attribute =
             (const struct nlattr *)((const char *)attribute + NLA_ALIGN(attribute->nla_len)))
        if (attribute->nla_type == UNIX_DIAG_RQLEN &&
            attribute->nla_len >= NLA_HDRLEN + sizeof(struct unix_diag_rqlen)) {
            const struct unix_diag_rqlen *length =
                (const struct unix_diag_rqlen *)((const char *)attribute + NLA_HDRLEN);

            found(&(DiagSocket){ .inode = one->udiag_ino,
                                 .queue = length->udiag_rqueue,
                                 .limit = length->udiag_wqueue },
                  data);
        }
}

/* Reads answers to the end. A dump that the kernel had to interrupt is complete enough for a
 * count. */
static gboolean read_answers(int fd, TakeMessage take, DiagFound found, gpointer data,
                             GError **error)
{
    g_autofree char *block = g_malloc(BLOCK);

    for (;;) {
        ssize_t count = recv(fd, block, BLOCK, 0);
        guint left = count > 0 ? (guint)count : 0;

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return tu_error_errno(error, errno, "The kernel does not tell about its sockets");
        for (const struct nlmsghdr *message = (const struct nlmsghdr *)block;
             NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
            if (message->nlmsg_type == NLMSG_DONE)
                return TRUE;
            if (message->nlmsg_type == NLMSG_ERROR) {
                const struct nlmsgerr *problem = NLMSG_DATA(message);

                return tu_error_errno(error, -problem->error,
                                      "The kernel does not tell about its sockets");
            }
            if (message->nlmsg_type == SOCK_DIAG_BY_FAMILY)
                take(message, found, data);
        }
    }
}

static gboolean ask(gconstpointer question, gsize length, TakeMessage take, DiagFound found,
                    gpointer data, GError **error)
{
    const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    gboolean ok;

    if (fd < 0)
        return tu_error_errno(error, errno, "Cannot ask the kernel about its sockets");
    ok = sendto(fd, question, length, 0, (const struct sockaddr *)&kernel, sizeof kernel) >= 0;
    if (!ok)
        tu_error_errno(error, errno, "Cannot ask the kernel about its sockets");
    else
        ok = read_answers(fd, take, found, data, error);
    close(fd);
    return ok;
}

static gboolean ask_inet(int family, guint states, guint16 port, DiagFound found, gpointer data,
                         GError **error)
{
    const gsize bare = offsetof(InetQuestion, attribute);
    const gsize code = sizeof((InetQuestion *)NULL)->code;
    InetQuestion question = {
        .header = { .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                    .nlmsg_len = port > 0 ? sizeof question : bare },
        .request = { .sdiag_family = family,
                     .sdiag_protocol = IPPROTO_TCP,
                     .idiag_states = states },
        .attribute = { .nla_type = INET_DIAG_REQ_BYTECODE, .nla_len = NLA_HDRLEN + code },
        /* The kernel looks itself, so that of a host's many connections only ours come. Each
         * comparison is followed by its number; "no" leads behind the end. */
        .code = { { INET_DIAG_BC_S_GE, 8, 20 },
                  { 0, 0, port },
                  { INET_DIAG_BC_S_LE, 8, 12 },
                  { 0, 0, port } },
    };

    return ask(&question, question.header.nlmsg_len, take_inet, found, data, error);
}

gboolean diag_listening(DiagFound found, gpointer data, GError **error)
{
    const UnixQuestion question = {
        .header = { .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                    .nlmsg_len = sizeof question },
        .request = { .sdiag_family = AF_UNIX,
                     .udiag_states = 1 << TCP_LISTEN,
                     .udiag_show = UDIAG_SHOW_RQLEN },
    };

    return ask_inet(AF_INET, 1 << TCP_LISTEN, 0, found, data, error) &&
           ask_inet(AF_INET6, 1 << TCP_LISTEN, 0, found, data, error) &&
           ask(&question, sizeof question, take_unix, found, data, error);
}

gboolean diag_established(guint16 port, DiagFound found, gpointer data, GError **error)
{
    return ask_inet(AF_INET, 1 << TCP_ESTABLISHED, port, found, data, error) &&
           ask_inet(AF_INET6, 1 << TCP_ESTABLISHED, port, found, data, error);
}
