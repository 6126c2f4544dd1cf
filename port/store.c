#include "port/store.h"
#include "common/error.h"
#include "common/text.h"

#include <systemd/sd-daemon.h>

/* PID 1 may be at a daemon-reload; clients are served by whoever serves them meanwhile. */
#define PATIENCE_USEC (5 * USEC_PER_SEC)

static gboolean keep(const char *name, const int *descriptors, guint count, GError **error)
{
    /* systemd's own watch on them would drop a socket that its server shuts down. */
    g_autofree char *words = g_strdup_printf("FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
    int r = sd_pid_notify_with_fds(0, FALSE, words, descriptors, count);

    if (r > 0)
        r = sd_notify_barrier(FALSE, PATIENCE_USEC);
    return r >= 0 || tu_error_errno(error, -r, "systemd does not keep the descriptors %s", name);
}

gboolean store_adopted(int pidfd, const GArray *sockets, GError **error)
{
    if (keep(STORE_GUEST, &pidfd, 1, error) &&
        keep(STORE_SOCKET, (const int *)sockets->data, sockets->len, error))
        return TRUE;
    store_forget_guest();
    return FALSE;
}

void store_forget_guest(void)
{
    sd_notify(FALSE, "FDSTOREREMOVE=1\nFDNAME=" STORE_GUEST);
}
