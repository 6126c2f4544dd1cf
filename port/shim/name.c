/* Socket addresses of the two families: which of them meet, and how one looks in the other. */
#include "port/shim/shim.h"

#include <stddef.h>
#include <string.h>

static struct in6_addr mapped(struct in_addr four)
{
    struct in6_addr address = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

    memcpy(&address.s6_addr[12], &four, sizeof four);
    return address;
}

static struct in_addr unmapped(const struct in6_addr *six)
{
    struct in_addr four;

    memcpy(&four, &six->s6_addr[12], sizeof four);
    return four;
}

bool name_read(Name *name, const struct sockaddr *address, socklen_t length)
{
    if (!address || length < sizeof address->sa_family)
        return false;
    *name = (Name){ .family = address->sa_family };
    if (address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in four;

        memcpy(&four, address, sizeof four);
        name->four = true;
        name->port = four.sin_port;
        name->address = mapped(four.sin_addr);
        return true;
    }
    /* An old program may leave out the last field. */
    if (address->sa_family == AF_INET6 && length >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
        struct sockaddr_in6 six;

        memcpy(&six, address, offsetof(struct sockaddr_in6, sin6_scope_id));
        name->port = six.sin6_port;
        name->address = six.sin6_addr;
        name->four = IN6_IS_ADDR_V4MAPPED(&six.sin6_addr);
        return true;
    }
    return false;
}

bool name_of_socket(Name *name, int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int only = 0;

    if (real.getsockname(fd, (struct sockaddr *)&address, &length) < 0 ||
        !name_read(name, (struct sockaddr *)&address, length))
        return false;
    length = sizeof only;
    if (name->family == AF_INET6)
        name->only = getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &length) == 0 && only;
    return true;
}

static bool is_any(const Name *name)
{
    return name->four ? unmapped(&name->address).s_addr == htonl(INADDR_ANY)
                      : IN6_IS_ADDR_UNSPECIFIED(&name->address);
}

int name_nearness(const Name *a, const Name *b)
{
    const Name *six = a->four ? b : a;

    if (a->port != b->port)
        return 0;
    if (a->four != b->four)
        return is_any(six) && !six->only ? 1 : 0;
    if (IN6_ARE_ADDR_EQUAL(&a->address, &b->address))
        return 3;
    return is_any(a) || is_any(b) ? 2 : 0;
}

/* As the kernel copies an address out: as much as there is room for, and its true length. */
static void copy_out(const void *address, socklen_t size, struct sockaddr *ret, socklen_t *length)
{
    memcpy(ret, address, size < *length ? size : *length);
    *length = size;
}

static void write_four(struct in_addr address, in_port_t port, struct sockaddr *ret,
                       socklen_t *length)
{
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = port, .sin_addr = address };

    copy_out(&four, sizeof four, ret, length);
}

static void write_six(const struct in6_addr *address, in_port_t port, struct sockaddr *ret,
                      socklen_t *length)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = *address };

    copy_out(&six, sizeof six, ret, length);
}

void name_write(const Name *name, struct sockaddr *ret, socklen_t *length)
{
    if (name->family == AF_INET)
        write_four(unmapped(&name->address), name->port, ret, length);
    else
        write_six(&name->address, name->port, ret, length);
}

bool view_concerns(int view, sa_family_t family)
{
    return (view & VIEW_FOUR && family == AF_INET6) || (view & VIEW_SIX && family == AF_INET);
}

void view_write(int view, const struct sockaddr_storage *address, struct sockaddr *ret,
                socklen_t *length)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
    const bool is_six = address->ss_family == AF_INET6;

    if (is_six && view & VIEW_FOUR && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
        write_four(unmapped(&six->sin6_addr), six->sin6_port, ret, length);
    } else if (is_six && view & VIEW_FOUR && IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr)) {
        write_four((struct in_addr){ INADDR_ANY }, six->sin6_port, ret, length);
    } else if (is_six && view & VIEW_FOUR && *length < sizeof *six) {
        /* An IPv6 client of a server that has only room for IPv4: no address is better than half of
         * one. */
        write_four((struct in_addr){ INADDR_ANY }, six->sin6_port, ret, length);
    } else if (!is_six && view & VIEW_SIX) {
        struct in6_addr wide = mapped(four->sin_addr);

        write_six(&wide, four->sin_port, ret, length);
    } else {
        copy_out(address, is_six ? sizeof *six : sizeof *four, ret, length);
    }
}
