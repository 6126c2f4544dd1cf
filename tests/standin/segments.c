/* Shared memory segments that outlive the main daemon: under RAM policy enduring a database is
 * detached, the installation changed, and the database attached again without a load (facts 4.2).
 *
 * The segment is a real one of System V, so it is gone after a reboot, and RemoveIPC= takes it
 * away.
 */
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include "catalog.h"
#include "failure.h"

/* What stands for the memory of the database. */
typedef struct {
    guint megabytes;
    char path[4092];
} Segment;

/* FALSE: it is not there, or is somebody else's. */
static gboolean read_segment(const DataStore *store, Segment *ret)
{
    const void *memory = store->segment >= 0 ? shmat(store->segment, NULL, SHM_RDONLY) : (void *)-1;

    if (memory == (void *)-1)
        return FALSE;
    *ret = *(const Segment *)memory;
    shmdt(memory);
    return strcmp(ret->path, store->path) == 0;
}

gboolean segment_is_there(const DataStore *store)
{
    Segment found;

    return read_segment(store, &found);
}

static int make_segment(const DataStore *store)
{
    int id = shmget(IPC_PRIVATE, sizeof(Segment), IPC_CREAT | 0600);
    Segment *segment = id >= 0 ? shmat(id, NULL, 0) : (void *)-1;

    if (segment == (void *)-1)
        return -1;
    segment->megabytes = store->segment_mb;
    g_strlcpy(segment->path, store->path, sizeof segment->path);
    shmdt(segment);
    return id;
}

void segment_detach(DataStore *store, Client *client)
{
    if (store->policy != POLICY_ENDURING) {
        client_error(client, TT_POLICY, "RAM policy must be enduring to detach a segment");
    } else if (store->state != STORE_LOADED) {
        client_error(client, TT_UNLOADED, "Data store is already manually unloaded from RAM");
    } else if (store->connections->len > 0 || store->waiting->len > 0 || agent_runs(store)) {
        client_error(client, TT_IN_USE, "Data store is in use");
    } else if ((store->segment = make_segment(store)) < 0) {
        client_error(client, TT_SEGMENT, "Cannot keep the shared memory segment");
    } else {
        catalog_save(store->daemon);
        g_ptr_array_add(store->unloading, client);
        catalog_start_unload(store);
    }
}

void segment_attach(DataStore *store, guint megabytes, Client *client)
{
    g_autofree char *text = NULL;
    Segment found;

    if (!read_segment(store, &found)) {
        client_error(client, TT_SEGMENT, "There is no detached shared memory segment");
    } else if (found.megabytes != megabytes) {
        text = g_strdup_printf("The shared memory segment has %u MB and must have %u MB",
                               found.megabytes, megabytes);
        client_error(client, TT_SEGMENT, text);
    } else if (store->state != STORE_UNLOADED) {
        client_error(client, TT_IN_USE, "Data store is in use");
    } else {
        shmctl(store->segment, IPC_RMID, NULL);
        store->segment = -1;
        store->manually_loaded = TRUE;
        store->attach = TRUE;
        catalog_save(store->daemon);
        g_ptr_array_add(store->waiting, client);
        catalog_start_load(store);
    }
}

void segment_free(DataStore *store, Client *client)
{
    if (!segment_is_there(store)) {
        client_error(client, TT_SEGMENT, "There is no detached shared memory segment");
        return;
    }
    shmctl(store->segment, IPC_RMID, NULL);
    store->segment = -1;
    store->manually_loaded = FALSE;
    store->recover = TRUE;
    catalog_save(store->daemon);
    client_ok(client);
}
