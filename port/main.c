/* port-keeper: holds a server's public socket for its whole life, and relays, holds, drains or
 * refuses.
 *
 * Started by systemd as timesten-server@NAME.service with the sockets of
 * timesten-server@NAME.socket; never restarted by an upgrade. It changes nothing but sockets and
 * its files in /run.
 */
#include "port/control.h"
#include "port/gate.h"
#include "port/store.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define WAIT_DEFAULT_USEC (60 * USEC_PER_SEC)

/* Descriptors that no session may take: callers of the control socket, files that are written, a
 * try at the backend. Without them a full port could not even be held. */
#define RESERVE 24

typedef struct {
    int public[SD_LISTEN_FDS_START + 64];
    guint n_public;
    int control;
    int guest; /* pidfd that the last keeper left; -1 none */
} Sockets;

static gboolean sort_sockets(Sockets *sockets, GError **error)
{
    g_auto(GStrv) names = NULL; /* not GLib's, but of the same malloc */
    int count = sd_listen_fds_with_names(TRUE, &names);

    sockets->control = sockets->guest = -1;
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; fd++) {
        if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0 && sockets->control < 0) {
            sockets->control = fd;
        } else if (g_str_equal(names[fd - SD_LISTEN_FDS_START], STORE_GUEST) &&
                   sockets->guest < 0) {
            sockets->guest = fd;
        } else if ((sd_is_socket(fd, AF_INET, SOCK_STREAM, 1) > 0 ||
                    sd_is_socket(fd, AF_INET6, SOCK_STREAM, 1) > 0) &&
                   sockets->n_public < G_N_ELEMENTS(sockets->public)) {
            sockets->public[sockets->n_public++] = fd;
        } else {
            g_set_error(
                error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION,
                "Inherited descriptor %d is neither a listening TCP socket nor the one control "
                "socket. Correct ListenStream= of the socket unit",
                fd);
            return FALSE;
        }
    }
    /* Of a server that is about to be adopted the socket comes later. */
    if ((sockets->n_public > 0 || g_getenv("TIMESTEN_ADOPTED")) && sockets->control >= 0)
        return TRUE;
    g_set_error(
        error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION,
        "%s was inherited. Start this program by its socket unit, timesten-server@NAME.socket",
        count <= 0          ? "No socket"
        : sockets->n_public ? "No control socket"
                            : "No public socket");
    return FALSE;
}

/* What sessions may use of the descriptors, after asking for as many as there may be. */
static guint descriptors_for_sessions(void)
{
    struct rlimit limit;
    int used = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    guint64 count;

    if (used >= 0)
        close(used);
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 512;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        getrlimit(RLIMIT_NOFILE, &limit);
    count = MIN(limit.rlim_cur, (rlim_t)G_MAXINT32);
    return count > (guint64)MAX(used, 0) + RESERVE ? count - MAX(used, 0) - RESERVE : 2;
}

static guint64 usec_from_environment(const char *name, guint64 fallback)
{
    const char *value = g_getenv(name);
    guint64 usec;

    if (!value || !*value)
        return fallback;
    if (text_parse_uint64(value, 0, G_MAXINT64 / 4, &usec))
        return usec;
    g_warning("%s=%s is not a number of µs; %" G_GUINT64_FORMAT " is used", name, value, fallback);
    return fallback;
}

static gboolean watch_signals(sd_event *event, GError **error)
{
    static const int ends[] = { SIGTERM, SIGINT };
    sigset_t mask;
    int r = 0;

    signal(SIGPIPE, SIG_IGN); /* splice() knows no MSG_NOSIGNAL */
    sigemptyset(&mask);
    for (guint i = 0; i < G_N_ELEMENTS(ends); i++)
        sigaddset(&mask, ends[i]);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(ends) && r >= 0; i++)
        r = sd_event_add_signal(event, NULL, ends[i], NULL, NULL); /* no handler: ends the loop */
    if (r >= 0)
        r = sd_event_set_watchdog(event, TRUE);
    return r >= 0 || tu_error_errno(error, -r, "Cannot watch signals");
}

static gboolean serve(const char *server, gboolean own_user, GError **error)
{
    g_autoptr(Gate) gate = NULL;
    g_autoptr(Control) control = NULL;
    g_autofree char *directory = path_keeper(server, NULL);
    sd_event *event = NULL;
    Sockets sockets = { 0 };
    GateOptions options = {
        .server = server,
        .backend = g_getenv("TIMESTEN_BACKEND"),
        .hold_usec = usec_from_environment("TIMESTEN_HOLD_USEC", 0),
        .proxy = g_strcmp0(g_getenv("TIMESTEN_PROXY"), "v2") == 0,
        .wait_usec = usec_from_environment("TIMESTEN_WAIT_USEC", WAIT_DEFAULT_USEC),
    };
    gboolean served = FALSE;
    int r;

    if (!sort_sockets(&sockets, error))
        return FALSE;
    if ((r = sd_event_default(&event)) < 0)
        return tu_error_errno(error, -r, "Cannot make an event loop");
    g_mkdir_with_parents(directory,
                         0755); /* where the unit has not made it; a failure shows at once below */
    options.listeners = sockets.public;
    options.n_listeners = sockets.n_public;
    options.guest = sockets.guest;
    options.descriptors = descriptors_for_sessions();

    gate = watch_signals(event, error) ? gate_new(event, &options, error) : NULL;
    control = gate ? control_new(event, sockets.control, gate, own_user, error) : NULL;
    if (control) {
        sd_notify(FALSE, "READY=1");
        r = sd_event_loop(event);
        sd_notify(FALSE, "STOPPING=1");
        served = r >= 0 || tu_error_errno(error, -r, "The event loop failed");
    }
    g_clear_pointer(&control, control_free);
    if (gate)
        gate_free(g_steal_pointer(&gate));
    sd_event_unref(event);
    return served;
}

int main(int argc, char **argv)
{
    g_autofree char *root = NULL;
    g_autoptr(GError) error = NULL;
    const GOptionEntry entries[] = {
        /* For tests: another directory in front of all paths, and the own user may control. */
        { "root", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, &root, NULL, NULL },
        { NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("NAME");

    setlocale(LC_ALL, "");
    g_option_context_set_summary(context,
                                 "Holds the public port of the TimesTen server NAME. Started by "
                                 "systemd as timesten-server@NAME.service.");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        g_printerr("%s\n", error->message);
        return 2;
    }
    if (argc != 2 || !name_is_valid(argv[1])) {
        g_printerr("Usage: %s NAME, where NAME is that of a server\n", argv[0]);
        return 2;
    }
    path_set_root(root);
    if (serve(argv[1], root != NULL, &error))
        return 0;
    g_critical("%s", error->message);
    return 1;
}
