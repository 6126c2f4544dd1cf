#include "port/patience.h"
#include "port/census.h"
#include "common/text.h"

#include <fcntl.h>
#include <unistd.h>

/* A queue that has not been empty for so long is looked at. Earlier would cost a busy server more
 * than it is worth: the kernel goes through all connections of the host for an answer. */
#define LOOK_USEC (2 * USEC_PER_SEC)

struct Patience {
    char *server;
    guint64 limit;
    guint64 since;    /* CLOCK_BOOTTIME */
    GPtrArray *first; /* by listener, who waited then: a set of cookies; NULL: nobody waits */
    gboolean told;
};

Patience *patience_new(const char *server, guint64 wait_usec)
{
    Patience *patience = g_new0(Patience, 1);

    patience->server = g_strdup(server);
    patience->limit = wait_usec;
    return patience;
}

void patience_free(Patience *patience)
{
    if (!patience)
        return;
    g_clear_pointer(&patience->first, g_ptr_array_unref);
    g_free(patience->server);
    g_free(patience);
}

static void add_waiting(const DiagSocket *socket, gpointer data)
{
    if (socket->inode == 0)
        g_hash_table_add(data, GSIZE_TO_POINTER(socket->cookie));
}

static GHashTable *who_waits(int socket)
{
    GHashTable *cookies = g_hash_table_new(NULL, NULL);

    census_ask(socket, add_waiting, cookies, NULL); /* not told: nobody is known to wait */
    return cookies;
}

static GPtrArray *who_waits_at_all(const Listeners *listeners)
{
    g_autoptr(GArray) sockets = listeners_sockets(listeners);
    GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);

    for (guint i = 0; i < sockets->len; i++)
        g_ptr_array_add(all, who_waits(g_array_index(sockets, int, i)));
    return all;
}

static guint count_common(GHashTable *one, GHashTable *other)
{
    GHashTableIter iter;
    gpointer cookie;
    guint count = 0;

    g_hash_table_iter_init(&iter, one);
    while (g_hash_table_iter_next(&iter, &cookie, NULL))
        count += g_hash_table_contains(other, cookie);
    return count;
}

static gboolean is_one_of(GHashTable *cookies, int client)
{
    guint64 cookie = 0;
    socklen_t length = sizeof cookie;

    return getsockopt(client, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 &&
           g_hash_table_contains(cookies, GSIZE_TO_POINTER(cookie));
}

/* The queue keeps its order, so COUNT of the FIRST stand at its head, among others that have given
 * up. Whoever else is met stands there because the server has begun to accept after all. */
static guint reset_first(Listeners *listeners, guint listener, GHashTable *first, guint count)
{
    guint done = 0;
    int client;

    while (done < count) {
        Accepted accepted = listeners_accept(listeners, listener, &client);
        gboolean member, gone;

        if (accepted == ACCEPTED_GONE)
            continue;
        if (accepted != ACCEPTED_CLIENT)
            break;
        member = is_one_of(first, client);
        gone = !member && socket_first_word(client) == WORD_GAVE_UP;
        socket_reset(client);
        if (!member && !gone)
            break;
        done += member;
    }
    return done;
}

/* A server that did without the preload library could have made it block, and then so would we. */
static gboolean never_blocks(int socket)
{
    int flags = fcntl(socket, F_GETFL);

    return flags >= 0 && flags & O_NONBLOCK;
}

static guint reset_all(Patience *patience, Listeners *listeners, GPtrArray *waiting)
{
    g_autoptr(GArray) sockets = listeners_sockets(listeners);
    guint done = 0;

    for (guint i = 0; i < MIN(patience->first->len, waiting->len); i++) {
        guint still = count_common(patience->first->pdata[i], waiting->pdata[i]);

        if (still > 0 && never_blocks(g_array_index(sockets, int, i)))
            done += reset_first(listeners, i, patience->first->pdata[i], still);
    }
    return done;
}

static void tell(Patience *patience, guint count)
{
    g_autofree char *span = text_timespan(patience->limit);

    if (count > 0 && !patience->told)
        g_warning(
            "Server %s has accepted nobody for %s. Clients that waited longer are reset until "
            "it does",
            patience->server, span);
    patience->told = patience->told || count > 0;
}

guint patience_look(Patience *patience, Listeners *listeners, guint64 wait)
{
    guint64 now = boottime_now();
    g_autoptr(GPtrArray) waiting = NULL;
    guint count = 0;

    if (wait == 0 || wait < MIN(LOOK_USEC, patience->limit / 2)) {
        g_clear_pointer(&patience->first, g_ptr_array_unref);
        patience->told = FALSE;
        return 0;
    }
    if (patience->first && now - patience->since < patience->limit)
        return 0;
    waiting = who_waits_at_all(listeners);
    if (patience->first) {
        count = reset_all(patience, listeners, waiting);
        tell(patience, count);
        g_ptr_array_unref(patience->first);
    }
    patience->first = g_steal_pointer(&waiting);
    patience->since = now;
    return count;
}
