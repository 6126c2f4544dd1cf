#include "port/socket.h"
#include "common/error.h"
#include "common/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <time.h>
#include <unistd.h>

static gboolean wrong_address(const char *text, GError **error)
{
    g_autofree char *shown = text_one_line(text, 80);

    g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                "\"%s\" is not an address of a backend. Write it as 127.0.0.1:26002 or [::1]:26002",
                shown);
    return FALSE;
}

gboolean address_parse(const char *text, Address *ret, GError **error)
{
    const char *colon = strrchr(text, ':');
    g_autofree char *host = colon ? g_strndup(text, colon - text) : NULL;
    Address address = { 0 };
    struct sockaddr_in *four = (struct sockaddr_in *)&address.socket;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address.socket;
    guint64 port;
    gsize length;

    if (!colon || !text_parse_uint64(colon + 1, 1, 65535, &port))
        return wrong_address(text, error);
    length = strlen(host);
    if (host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &six->sin6_addr) != 1)
            return wrong_address(text, error);
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        address.length = sizeof *six;
    } else {
        if (inet_pton(AF_INET, host, &four->sin_addr) != 1)
            return wrong_address(text, error);
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        address.length = sizeof *four;
    }
    *ret = address;
    return TRUE;
}

gboolean address_is_loopback(const Address *address)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)&address->socket;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address->socket;

    if (address->socket.ss_family == AF_INET)
        return ntohl(four->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

gboolean address_is_covered(const Address *address, const struct sockaddr_storage *listener)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)&address->socket;
    const struct sockaddr_in *l4 = (const struct sockaddr_in *)listener;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)&address->socket;
    const struct sockaddr_in6 *l6 = (const struct sockaddr_in6 *)listener;

    /* Both families keep the port in the same place. A wildcard may well be the other family's,
     * too. */
    if (a4->sin_port != l4->sin_port)
        return FALSE;
    if (listener->ss_family == AF_INET && l4->sin_addr.s_addr == htonl(INADDR_ANY))
        return address->socket.ss_family == AF_INET && address_is_loopback(address);
    if (listener->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&l6->sin6_addr))
        return address_is_loopback(address);
    if (listener->ss_family != address->socket.ss_family)
        return FALSE;
    if (listener->ss_family == AF_INET)
        return a4->sin_addr.s_addr == l4->sin_addr.s_addr;
    return IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &l6->sin6_addr);
}

gboolean address_is_same(const struct sockaddr_storage *one, const Address *other)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)one;
    const struct sockaddr_in *b4 = (const struct sockaddr_in *)&other->socket;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)one;
    const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)&other->socket;

    if (one->ss_family != other->socket.ss_family || a4->sin_port != b4->sin_port)
        return FALSE;
    if (one->ss_family == AF_INET)
        return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    return IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr);
}

static void switch_on(int fd, int level, int option)
{
    int on = 1;

    setsockopt(fd, level, option, &on, sizeof on);
}

void socket_be_prompt(int fd)
{
    switch_on(fd, IPPROTO_TCP, TCP_NODELAY);
}

void socket_keep_alive(int fd)
{
    switch_on(fd, SOL_SOCKET, SO_KEEPALIVE);
}

void socket_reset(int fd)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

FirstWord socket_first_word(int fd)
{
    char byte;
    ssize_t count = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (count > 0)
        return WORD_SPOKE;
    return count < 0 && (errno == EAGAIN || errno == EINTR) ? WORD_NONE : WORD_GAVE_UP;
}

guint64 boottime_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}
