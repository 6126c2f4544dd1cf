#include "port/census.h"
#include "port/socket.h"
#include "common/text.h"

#include <netinet/in.h>
#include <time.h>

#define PERIOD_USEC (200 * USEC_PER_MSEC)
#define SHARE       100 /* of the time */

struct Census {
    guint count;
    guint64 again; /* CLOCK_BOOTTIME; before that the count stands */
    gboolean told; /* that the kernel does not tell */
};

typedef struct {
    const struct sockaddr_storage *listener;
    DiagFound found;
    gpointer data;
} Search;

Census *census_new(void)
{
    return g_new0(Census, 1);
}

void census_free(Census *census)
{
    g_free(census);
}

/* A connection has the family of the socket that it was accepted at. */
static gboolean was_accepted_at(const struct sockaddr_storage *listener,
                                const struct sockaddr_storage *local)
{
    const struct sockaddr_in *l4 = (const struct sockaddr_in *)listener;
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)local;
    const struct sockaddr_in6 *l6 = (const struct sockaddr_in6 *)listener;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)local;

    if (listener->ss_family != local->ss_family)
        return FALSE;
    if (listener->ss_family == AF_INET)
        return l4->sin_addr.s_addr == htonl(INADDR_ANY) ||
               l4->sin_addr.s_addr == a4->sin_addr.s_addr;
    return IN6_IS_ADDR_UNSPECIFIED(&l6->sin6_addr) ||
           IN6_ARE_ADDR_EQUAL(&l6->sin6_addr, &a6->sin6_addr);
}

static void pass_on(const DiagSocket *socket, gpointer data)
{
    const Search *search = data;

    if (was_accepted_at(search->listener, &socket->local))
        search->found(socket, search->data);
}

static guint16 port_of(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET ? ((const struct sockaddr_in *)address)->sin_port
                                               : ((const struct sockaddr_in6 *)address)->sin6_port);
}

gboolean census_ask(int socket, DiagFound found, gpointer data, GError **error)
{
    struct sockaddr_storage listener = { 0 };
    socklen_t length = sizeof listener;
    Search search = { &listener, found, data };

    return getsockname(socket, (struct sockaddr *)&listener, &length) < 0 ||
           diag_established(port_of(&listener), pass_on, &search, error);
}

static void count_accepted(const DiagSocket *socket, gpointer data)
{
    *(guint *)data += socket->inode != 0;
}

static guint count_at(Census *census, int socket)
{
    g_autoptr(GError) error = NULL;
    guint count = 0;

    if (census_ask(socket, count_accepted, &count, &error))
        return count;
    if (!census->told)
        g_warning("The sessions cannot be counted: %s", error->message);
    census->told = TRUE;
    return 0;
}

/* Of this thread alone: to wait for a busy processor costs nobody anything, and would have the count
 * stand for a hundred times as long. */
static guint64 processor_usec(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (guint64)time.tv_sec * USEC_PER_SEC + (guint64)time.tv_nsec / 1000;
}

guint census_count(Census *census, const GArray *sockets)
{
    guint64 now = boottime_now(), began = processor_usec(), took;

    if (now < census->again)
        return census->count;
    census->count = 0;
    for (guint i = 0; i < sockets->len; i++)
        census->count += count_at(census, g_array_index(sockets, int, i));
    took = processor_usec() - began;
    census->again = now + MAX(PERIOD_USEC, took * SHARE);
    return census->count;
}
