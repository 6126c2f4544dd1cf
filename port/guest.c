#include "port/guest.h"
#include "port/parcel.h"
#include "port/store.h"
#include "common/error.h"
#include "common/file.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define INFO_LIMIT 4096

/* The end of the old server before what its last words bring about. */
#define PRIORITY (SD_EVENT_PRIORITY_NORMAL - 20)

struct Guest {
    char *server;
    int pidfd;
    guint pid;
    sd_event_source *source;
    void (*gone)(gpointer data);
    gpointer data;
};

/* proc(5): "Pid:" of a pidfd is -1 once the process was waited for. */
static guint read_pid(int pidfd)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fdinfo/%d", pidfd);
    g_autofree char *text = file_read(path, INFO_LIMIT, NULL, NULL);
    const char *line = text ? strstr(text, "\nPid:") : NULL;
    int pid = 0;

    return line && sscanf(line, "\nPid: %d", &pid) == 1 && pid > 0 ? (guint)pid : 0;
}

static int on_end(sd_event_source *source, int fd, uint32_t events, void *data)
{
    Guest *guest = data;

    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    guest->pid = 0;
    store_forget_guest();
    g_message("Server %s: the adopted server has ended", guest->server);
    guest->gone(guest->data);
    return 0;
}

Guest *guest_new(sd_event *event, const char *server, int pidfd, void (*gone)(gpointer data),
                 gpointer data, GError **error)
{
    g_autoptr(Guest) guest = g_new0(Guest, 1);
    int r;

    guest->server = g_strdup(server);
    guest->pidfd = pidfd;
    guest->pid = read_pid(pidfd);
    guest->gone = gone;
    guest->data = data;
    r = sd_event_add_io(event, &guest->source, pidfd, EPOLLIN, on_end, guest);
    if (r >= 0)
        r = sd_event_source_set_priority(guest->source, PRIORITY);
    if (r < 0) {
        tu_error_errno(error, -r, "Cannot watch the process of the adopted server");
        return NULL;
    }
    return g_steal_pointer(&guest);
}

void guest_free(Guest *guest)
{
    if (!guest)
        return;
    sd_event_source_disable_unref(guest->source);
    close(guest->pidfd);
    g_free(guest->server);
    g_free(guest);
}

Guest *guest_adopt(sd_event *event, const char *server, int pidfd, GArray *sockets, gboolean taken,
                   const Guest *present, gboolean *ret_again, void (*gone)(gpointer data),
                   gpointer data, GError **error)
{
    g_autoptr(Guest) guest = guest_new(event, server, pidfd, gone, data, error);

    *ret_again = guest && present && guest->pid == present->pid;
    if (guest && !*ret_again && taken) {
        tu_error_set(error, TU_ERROR_NOT_POSSIBLE, "Server %s has its port already", server);
    } else if (guest && !*ret_again && store_adopted(pidfd, sockets, error)) {
        g_message("Server %s: adopted from process %u, which serves its clients until it ends",
                  server, guest->pid);
        return g_steal_pointer(&guest);
    }
    parcel_drop(sockets);
    return NULL;
}

guint guest_pid(const Guest *guest)
{
    return guest ? guest->pid : 0;
}
