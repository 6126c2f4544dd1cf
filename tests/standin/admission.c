/* Who may be connected to a data store: open and closed, and how everybody is made to leave
 * (facts 3.6). A disconnect is ordered, not waited for: ttStatus shows when they are gone.
 */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "catalog.h"

/* The administrator's own direct connections are let in, or no utility could work (I). */
gboolean catalog_admits(const DataStore *store, const Client *client)
{
    gboolean user = strcmp(client->type, "Process") == 0;

    if (!store->closed)
        return TRUE;
    return strcmp(client->type, "Server") != 0 &&
           (!user || client->uid == client->daemon->instance->admin_uid);
}

int disconnect_find(const char *name)
{
    static const char *const names[] = { "transactional", "immediate", "abort" };

    for (int i = 0; name && i < (int)G_N_ELEMENTS(names); i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

void catalog_transaction(Client *client, gboolean open)
{
    client->busy = open;
    /* It is being read from just now: what drops it is its end of file. */
    if (!open && client->leaving)
        shutdown(client->wire->fd, SHUT_RDWR);
}

void catalog_disconnect(DataStore *store, DisconnectMode mode, gboolean unload)
{
    g_autoptr(GPtrArray) all = g_ptr_array_copy(store->connections, NULL, NULL);

    if (unload)
        store->manually_loaded = FALSE;
    catalog_save(store->daemon);
    if (mode == DISCONNECT_ABORT) {
        kill(store->subdaemon.pid, SIGKILL);
        return;
    }
    for (guint i = 0; i < all->len; i++) {
        Client *client = all->pdata[i];

        if (strcmp(client->type, "Replication") == 0)
            continue;
        client->leaving = TRUE;
        if (!client->busy || mode == DISCONNECT_IMMEDIATE)
            client_drop(client);
    }
    catalog_settle(store);
}
