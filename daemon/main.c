/* timesten-upgraded: the face on the bus.
 *
 * It decides and asks; it changes nothing itself but its own requests. Killing it at any moment
 * hurts nobody: all truth is on disk, with systemd and with the port keepers.
 */
#include "daemon/ask.h"
#include "daemon/bus.h"
#include "daemon/daemon.h"
#include "daemon/idle.h"
#include "daemon/jobs.h"
#include "daemon/log.h"
#include "daemon/manager.h"
#include "daemon/publish.h"
#include "daemon/socket.h"
#include "daemon/world.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"
#include "systemd/unit.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#define IDLE_USEC (30 * USEC_PER_SEC)

static const char help[] =
    "timesten-upgraded [OPTION…]\n"
    "Serves org.timesten.Upgrade1 on the system bus. Started by systemd when somebody calls.\n\n"
    "  --idle=SPAN   exit after SPAN without calls and jobs (default 30s; infinity: never)\n"
    "  --actions     print each method with its polkit action and exit\n"
    "  --root=DIR    look for all files below DIR; for tests\n"
    "  --version     print the version and exit\n"
    "  --help        print this and exit\n";

static int print_actions(void)
{
    for (guint i = 0; bus_interfaces[i]; i++)
        for (const MethodRow *row = bus_interfaces[i]->methods; row && row->name; row++)
            printf("%s %s %s\n", bus_interfaces[i]->name, row->name, row->action);
    return 0;
}

/* Where our own files in /run go; systemd made the directory above. */
static void make_directories(void)
{
    g_autofree char *path = path_runtime("instance");

    if (g_mkdir_with_parents(path, 0755) < 0)
        log_line(LOG_WARNING, &(LogFields){ 0 }, "Cannot create %s: %s, ignoring", path,
                 g_strerror(errno));
}

static gboolean start(Daemon *daemon, GError **error)
{
    sigset_t blocked;
    int r = sd_event_default(&daemon->event);

    if (r < 0)
        return tu_error_errno(error, -r, "Cannot make an event loop");
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_IGN);
    sd_event_set_watchdog(daemon->event, TRUE);

    daemon->calls = g_ptr_array_new();
    daemon->asks = g_ptr_array_new();
    daemon->pauses = socket_pauses_new();
    daemon->turns = unit_turns_new();
    daemon->instances = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, object_unref);
    daemon->servers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, object_unref);
    daemon->manager = manager_new(daemon);
    daemon->publisher = publisher_new(daemon);
    if (!bus_connect(daemon, error))
        return FALSE;
    unit_subscribe(daemon->bus);
    make_directories();
    ask_clean(daemon);
    /* Servers ask for their jobs, so jobs come first. */
    jobs_new(daemon);
    daemon->world = world_new(daemon);
    return bus_publish(daemon, error);
}

static void stop(Daemon *daemon)
{
    while (daemon->calls->len > 0)
        call_drop(daemon->calls->pdata[daemon->calls->len - 1]);
    ask_free_all(daemon);
    socket_free_all(daemon);
    world_free(daemon->world);
    g_hash_table_unref(daemon->servers);
    g_hash_table_unref(daemon->instances);
    jobs_free(daemon->jobs);
    unit_turns_free(daemon->turns);
    publisher_free(daemon->publisher);
    object_unref(daemon->manager);
    g_ptr_array_unref(daemon->calls);
    inventory_free(daemon->inventory);
    sd_bus_flush_close_unref(daemon->bus);
    sd_event_unref(daemon->event);
}

static int serve(guint64 idle_usec)
{
    Daemon daemon = { 0 };
    g_autoptr(GError) error = NULL;
    int status = 1;

    if (start(&daemon, &error))
        status = idle_run(&daemon, idle_usec);
    else
        log_line(LOG_ERR, &(LogFields){ .code = log_code(error) }, "%s", error->message);
    if (daemon.bus)
        stop(&daemon);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "idle", required_argument, NULL, 'i' }, { "actions", no_argument, NULL, 'a' },
        { "root", required_argument, NULL, 'r' }, { "version", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },       { NULL, 0, NULL, 0 },
    };
    guint64 idle_usec = IDLE_USEC;
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1)
        switch (option) {
        case 'i':
            if (text_parse_timespan(optarg, &idle_usec))
                break;
            fprintf(stderr, "--idle=%s: not a time span such as 30s\n", optarg);
            return 2;
        case 'a':
            return print_actions();
        case 'r':
            path_set_root(optarg);
            break;
        case 'v':
            puts("timesten-upgraded " VERSION);
            return 0;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            return 2;
        }
    if (optind < argc) {
        fputs(help, stderr);
        return 2;
    }
    return serve(idle_usec);
}
