#include "hold/queue.h"
#include "hold/record.h"
#include "common/diag.h"

#include <errno.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

int queue_widen(const char *socket)
{
    g_autoptr(GArray) inodes = g_array_new(FALSE, FALSE, sizeof(guint64));
    g_autoptr(GError) error = NULL;
    int count = sd_listen_fds(TRUE);

    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; fd++) {
        struct stat about;
        guint64 inode;

        /* Cut to net.core.somaxconn, where systemd's Backlog= was cut to what that was at boot. */
        if (listen(fd, G_MAXINT) < 0)
            g_warning("Cannot widen a queue of %s: %s", socket, g_strerror(errno));
        if (fstat(fd, &about) < 0)
            continue;
        inode = about.st_ino;
        g_array_append_val(inodes, inode);
    }
    if (hold_inodes_write(socket, inodes, &error))
        return 0;
    g_warning("%s", error->message);
    return 1;
}

typedef struct {
    GHashTable *inodes;
    guint waiting, limit;
} Sum;

static void add(const DiagSocket *socket, gpointer data)
{
    Sum *sum = data;

    if (!g_hash_table_contains(sum->inodes, &socket->inode))
        return;
    sum->waiting += socket->queue;
    sum->limit += socket->limit;
}

void queue_count(char *const *sockets, guint *ret_waiting, guint *ret_limit)
{
    g_autoptr(GHashTable) inodes = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    g_autoptr(GError) error = NULL;
    Sum sum = { .inodes = inodes };

    for (guint i = 0; sockets[i]; i++) {
        g_autoptr(GArray) own = hold_inodes_read(sockets[i]);

        for (guint j = 0; j < own->len; j++)
            g_hash_table_add(inodes, g_memdup2(&g_array_index(own, guint64, j), sizeof(guint64)));
    }
    if (!diag_listening(add, &sum, &error))
        g_debug("%s", error->message);
    *ret_waiting = sum.waiting;
    *ret_limit = sum.limit;
}
