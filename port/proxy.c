#include "port/proxy.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* Behind the signature: version and command, family and protocol, the length of what follows. */
#define VERSION_2_PROXY 0x21
#define TCP_4           0x11
#define TCP_6           0x21

typedef union {
    struct sockaddr_storage any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
} Name;

static const guint8 signature[] = {
    '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'
};

/* On a dual-stack socket, clients of the older family are written in the newer one's way. */
static void unmap(Name *name)
{
    Name four = { 0 };

    if (name->any.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&name->six.sin6_addr))
        return;
    four.four.sin_family = AF_INET;
    four.four.sin_port = name->six.sin6_port;
    memcpy(&four.four.sin_addr, &name->six.sin6_addr.s6_addr[12], sizeof four.four.sin_addr);
    *name = four;
}

static void add(GByteArray *header, gconstpointer data, guint length)
{
    g_byte_array_append(header, data, length);
}

static void add_names(GByteArray *header, const Name *from, const Name *to)
{
    const gboolean four = from->any.ss_family == AF_INET;
    const guint8 kind[] = { VERSION_2_PROXY, four ? TCP_4 : TCP_6, 0, four ? 12 : 36 };

    add(header, kind, sizeof kind);
    if (four) {
        add(header, &from->four.sin_addr, sizeof from->four.sin_addr);
        add(header, &to->four.sin_addr, sizeof to->four.sin_addr);
    } else {
        add(header, &from->six.sin6_addr, sizeof from->six.sin6_addr);
        add(header, &to->six.sin6_addr, sizeof to->six.sin6_addr);
    }
    /* Both families keep the port in the same place. */
    add(header, &from->four.sin_port, sizeof from->four.sin_port);
    add(header, &to->four.sin_port, sizeof to->four.sin_port);
}

gboolean proxy_announce(int backend, int client)
{
    g_autoptr(GByteArray) header = g_byte_array_new();
    Name from = { 0 }, to = { 0 };
    socklen_t from_length = sizeof from, to_length = sizeof to;

    if (getpeername(client, (struct sockaddr *)&from, &from_length) < 0 ||
        getsockname(client, (struct sockaddr *)&to, &to_length) < 0)
        return FALSE;
    unmap(&from);
    unmap(&to);
    add(header, signature, sizeof signature);
    add_names(header, &from, &to);
    return send(backend, header->data, header->len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
           (ssize_t)header->len;
}
