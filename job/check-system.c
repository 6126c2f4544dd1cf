/* Checks of what surrounds the instances: their units, login sessions, pid files, option files,
 * logs, and the clock. */
#include "job/check.h"
#include "job/host.h"
#include "job/repair.h"
#include "job/runner.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"
#include "common/text.h"
#include "state/backing.h"

#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#define SYSTEM_UID_MAX 999 /* logind leaves those alone */
#define DROP_IN        "99-timesten-upgrade.conf"
#define FACTS_LIMIT    (256 * 1024)

static const Side *side_of(const Job *job, guint i)
{
    const Side *sides[] = { &job->from, &job->to };

    return i < G_N_ELEMENTS(sides) ? sides[i] : NULL;
}

/* --- limits under systemd -----------------------------------------------------------------------
 */

/* FALSE where systemd does not tell. */
static gboolean unit_limit(const Job *job, const char *unit, const char *property, guint64 *ret)
{
    g_autofree char *path = NULL;
    uint64_t value;

    if (!job->bus || sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path) < 0 ||
        sd_bus_get_property_trivial(job->bus, "org.freedesktop.systemd1", path,
                                    "org.freedesktop.systemd1.Service", property, NULL, 't',
                                    &value) < 0)
        return FALSE;
    *ret = value;
    return TRUE;
}

static gboolean locks_too_little(const Job *job, const Side *side, guint64 *ret_limit)
{
    return unit_limit(job, side->unit, "LimitMEMLOCK", ret_limit) &&
           *ret_limit < check_data_bytes(job);
}

static gboolean look_memory_lock(Check *check, GError **error)
{
    const Side *side;
    guint64 limit;

    for (guint i = 0; (side = side_of(check->job, i)); i++)
        if (locks_too_little(check->job, side, &limit)) {
            g_autofree char *have = text_bytes(limit),
                            *need = text_bytes(check_data_bytes(check->job));
            g_autofree char *remedy = g_strdup_printf(
                "systemctl edit %s: LimitMEMLOCK=infinity, then restart it at a quiet time",
                side->unit);

            check_found(check, SEVERITY_WARNING, side->config->name, remedy,
                        "%s may lock %s of memory, and its databases have %s: systemd ignores "
                        "limits.conf, so MemoryLock= and huge pages fail",
                        side->unit, have, need);
        }
    return TRUE;
}

static void mend_memory_lock(Repair *repair)
{
    const Side *side;
    guint64 limit;

    for (guint i = 0; (side = side_of(repair->job, i)); i++)
        if (locks_too_little(repair->job, side, &limit)) {
            g_autofree char *path =
                g_strdup_printf("/etc/systemd/system/%s.d/" DROP_IN, side->unit);
            g_autofree char *bytes = text_bytes(limit);
            g_autofree char *before = g_strdup_printf("LimitMEMLOCK: %s", bytes);
            g_autofree char *undo = g_strdup_printf("rm %s; systemctl daemon-reload", path);

            if (repair_drop_in(repair, side->unit, path,
                               "# By timesten-upgrade: MemoryLock= and huge pages need it.\n"
                               "[Service]\nLimitMEMLOCK=infinity\n",
                               before, "LimitMEMLOCK: infinity, from its next start on", undo) &&
                !repair->dry)
                run_daemon_reload(repair->job, NULL);
        }
}

/* --- the end of a login session -----------------------------------------------------------------
 */

/* logind removes what a user has of shared memory when the last session of that user ends, also
 * from under units that run as this user (known from PostgreSQL's manual; for TimesTen it is
 * inferred). */
static gboolean removes_ipc(const Job *job, const char *user)
{
    const struct passwd *entry = getpwnam(user);
    g_autofree char *value = host_setting("logind.conf", "Login", "RemoveIPC");
    const char *const no[] = { "no", "0", "off", "false", "n", "f", NULL };
    gboolean off = FALSE;

    for (guint i = 0; value && no[i]; i++)
        off |= g_ascii_strcasecmp(value, no[i]) == 0;
    return entry && entry->pw_uid > SYSTEM_UID_MAX && !off;
}

static gboolean look_remove_ipc(Check *check, GError **error)
{
    const Side *side;

    for (guint i = 0; (side = side_of(check->job, i)); i++)
        if (removes_ipc(check->job, side->admin) &&
            !(i && g_str_equal(side->admin, check->job->from.admin)))
            check_found(check, SEVERITY_WARNING, side->config->name,
                        "Set RemoveIPC=no in logind.conf, or make the administrator a system user",
                        "Its administrator %s is a regular user, and with RemoveIPC=yes logind may "
                        "remove the shared memory of its databases when that user logs out",
                        side->admin);
    return TRUE;
}

static void mend_remove_ipc(Repair *repair)
{
    const char *path = "/etc/systemd/logind.conf.d/" DROP_IN;

    if (!removes_ipc(repair->job, repair->job->from.admin) &&
        !removes_ipc(repair->job, repair->job->to.admin))
        return;
    if (repair_drop_in(repair, "logind.conf", path,
                       "# By timesten-upgrade: a logout must not take shared memory away.\n"
                       "[Login]\nRemoveIPC=no\n",
                       "RemoveIPC=yes", "RemoveIPC=no",
                       "rm /etc/systemd/logind.conf.d/" DROP_IN
                       "; systemctl kill -s HUP systemd-logind") &&
        !repair->dry) /* where it does not run it will read the file when it starts */
        sd_bus_call_method(repair->job->bus, "org.freedesktop.systemd1",
                           "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                           "KillUnit", NULL, NULL, "ssi", "systemd-logind.service", "main", SIGHUP);
}

/* --- the clock ----------------------------------------------------------------------------------
 */

static gboolean look_clock(Check *check, GError **error)
{
    const Job *job = check->job;
    struct timex clock = { .modes = 0 };
    const char *needs = job->options.peer_host ? "replication with the peer compares times"
                        : job->options.confirm_within_usec
                            ? "a deadline is to be kept across a reboot"
                            : NULL;

    if (needs && adjtimex(&clock) == TIME_ERROR)
        check_found(check, SEVERITY_WARNING, "clock",
                    "Let NTP keep it: timedatectl set-ntp true, then timedatectl status",
                    "Nobody keeps this host's clock in step, and %s", needs);
    return TRUE;
}

/* The newest time that a job of ours left; µs since the epoch. */
static guint64 newest_time(GArray *ids)
{
    guint64 newest = 0;

    for (guint i = 0; ids && i < ids->len; i++) {
        g_autoptr(JobRequest) request = request_load(g_array_index(ids, guint64, i), NULL);

        newest = MAX(newest, request ? request->created : 0);
    }
    return newest;
}

static gboolean look_clock_behind(Check *check, GError **error)
{
    const Job *job = check->job;
    g_autoptr(GArray) ids = request_list(error);
    guint64 now = (guint64)g_get_real_time(),
            newest = MAX(newest_time(ids), job->server->backing->since);

    if (ids && newest > now) {
        g_autofree char *span = text_timespan(newest - now);

        check_found(check, SEVERITY_WARNING, "clock",
                    "Set it right before (timedatectl), unless it was wrong when that was written",
                    "The clock is %s behind the last change of a server on this host: it was set "
                    "back",
                    span);
    }
    return ids != NULL;
}

/* --- files of the instances ---------------------------------------------------------------------
 */

/* The process that a pid file names while no main daemon answers; FALSE: there is no such file. */
static gboolean read_pid(const Side *side, const TimesTenStatus *status, guint64 *ret_pid,
                         char **ret_name)
{
    g_autofree char *path = NULL;

    if (!side->facts || !side->facts->pid_file || (status && status->daemon_running) ||
        !host_number(side->facts->pid_file, ret_pid))
        return FALSE;
    path = g_strdup_printf("/proc/%" G_GUINT64_FORMAT "/comm", *ret_pid);
    *ret_name = host_text(path);
    if (*ret_name)
        g_strchomp(*ret_name);
    return TRUE;
}

/* Our units start with -force, which goes on in spite of it; but -force at a stop kills whomever
 * the file names (facts 3.1). */
static gboolean look_pid_file(Check *check, GError **error)
{
    const Side *side;

    for (guint i = 0; (side = side_of(check->job, i)); i++) {
        g_autofree char *name = NULL, *remedy = NULL;
        guint64 pid;

        if (!read_pid(side, i ? check->to_status : check->from_status, &pid, &name) ||
            g_strcmp0(name, "timestend") == 0)
            continue;
        remedy = g_strdup_printf("rm %s", side->facts->pid_file);
        if (name)
            check_found(check, SEVERITY_WARNING, side->config->name, remedy,
                        "%s names process %" G_GUINT64_FORMAT " (%s), which is no timestend: "
                        "ttDaemonAdmin -stop -force would kill it",
                        side->facts->pid_file, pid, name);
        else
            check_found(check, SEVERITY_WARNING, side->config->name, remedy,
                        "%s names process %" G_GUINT64_FORMAT ", which is gone",
                        side->facts->pid_file, pid);
    }
    return TRUE;
}

/* Looked at once more by the administrator, who alone removes it. */
static void mend_pid_file(Repair *repair)
{
    const Side *side;

    for (guint i = 0; (side = side_of(repair->job, i)); i++) {
        g_autofree char *name = NULL, *said = NULL, *before = NULL;
        g_autoptr(GError) problem = NULL;
        guint64 pid;
        char *argv[] = {
            (char *)"/bin/sh",
            (char *)"-c",
            (char *)"read -r pid <\"$1\" || [ -n \"$pid\" ] && "
                    "[ \"$(cat /proc/$pid/comm 2>/dev/null)\" != timestend ] && rm -f \"$1\"",
            (char *)"sh",
            NULL,
            NULL
        };

        if (!read_pid(side, i ? repair->to_status : repair->from_status, &pid, &name) ||
            g_strcmp0(name, "timestend") == 0)
            continue;
        argv[4] = side->facts->pid_file;
        if (!repair->dry)
            said = run_program(repair->job, side, "removing a stale pid file", argv, &problem);
        before = g_strdup_printf("%" G_GUINT64_FORMAT ", %s", pid, name ? name : "which is gone");
        repair_tell(repair, side->facts->pid_file, g_steal_pointer(&before), g_strdup("no file"),
                    g_strdup_printf("echo %" G_GUINT64_FORMAT " >%s", pid, side->facts->pid_file),
                    problem);
    }
}

/* The public port of a server of ours that the instance's own server would take at a start. */
static const ServerConfig *taken_port(const Job *job, const InstanceConfig *config, guint16 port)
{
    const ServerConfig *server = port ? inventory_server_of_port(job->inventory, port) : NULL;

    return server && server->mode == MODE_RELAY ? server : NULL;
}

/* As the daemon saw an instance last; NULL where it did not. */
static InstanceFacts *cached_facts(const char *name)
{
    g_autofree char *below = g_strconcat("instance/", name, NULL);
    g_autofree char *path = path_runtime(below);
    g_autofree char *text = file_read(path, FACTS_LIMIT, NULL, NULL);

    return text ? facts_parse(text, NULL) : NULL;
}

/* Calls FOUND for each instance whose option file names a public port of ours. The units of ours
 * set it right before each start (timesten-generator), so they are told of only where they run with
 * it. */
typedef void (*PortFound)(gpointer data, const InstanceConfig *config, const ServerConfig *server,
                          guint16 port);

static void each_old_port(Job *job, PortFound found, gpointer data)
{
    for (guint i = 0; i < job->inventory->instances->len; i++) {
        const InstanceConfig *config = job->inventory->instances->pdata[i];
        const Side *side = config == job->from.config ? &job->from
                           : config == job->to.config ? &job->to
                                                      : NULL;
        g_autoptr(InstanceFacts) cached = side && side->facts ? NULL : cached_facts(config->name);
        const InstanceFacts *facts = cached ? cached : side ? side->facts : NULL;
        const ServerConfig *server = facts ? taken_port(job, config, facts->server_port) : NULL;

        if (server && (config->unit || side == &job->from))
            found(data, config, server, facts->server_port);
    }
}

static void found_port(gpointer data, const InstanceConfig *config, const ServerConfig *server,
                       guint16 port)
{
    check_found(
        data, SEVERITY_WARNING, config->name,
        "Take that port out of its option file, so that no start and no reboot brings its "
        "server back there",
        "Its own TimesTen Server is still configured for port %u, which is that of server %s", port,
        server->name);
}

static gboolean look_old_port(Check *check, GError **error)
{
    each_old_port(check->job, found_port, check);
    return TRUE;
}

static void mend_port(gpointer data, const InstanceConfig *config, const ServerConfig *server,
                      guint16 port)
{
    Repair *repair = data;
    g_auto(Side) own = { 0 };
    g_autoptr(GError) problem = NULL;
    const gboolean serves = g_strcmp0(server->instance, config->name) == 0;
    guint16 wanted =
        serves ? inventory_backend_port(repair->job->inventory, server, config, port) : 0;
    g_autofree char *to = g_strdup_printf("--server-port=%u", wanted);
    g_autofree char *from = g_strdup_printf("--if-port=%u", port);

    if (!repair->dry && job_init_side(repair->job, &own, config->name, &problem))
        run_helper_set(repair->job, &own, &problem, to, from, NULL);
    repair_tell(repair, config->name, g_strdup_printf("server port %u", port),
                wanted ? g_strdup_printf("server port %u", wanted) : g_strdup("no server"),
                g_strdup_printf("instance-helper set %s --server-port=%u", config->home, port),
                problem);
}

static void mend_old_port(Repair *repair)
{
    each_old_port(repair->job, mend_port, repair);
}

/* The old database keeps its log for the new one from the copy on, and clients go on writing. */
static gboolean look_log_space(Check *check, GError **error)
{
    const Job *job = check->job;

    for (char **dsn = job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(job->from.facts, *dsn);
        g_autofree char *have = NULL, *need = NULL;
        struct statvfs space;

        /* Where it lies beside the database, space-for-copy counts it. */
        if (!facts || !facts->log_directory ||
            g_str_has_prefix(facts->data_store, facts->log_directory) ||
            statvfs(facts->log_directory, &space) < 0 ||
            (guint64)space.f_bavail * space.f_frsize >= facts->size)
            continue;
        have = text_bytes((guint64)space.f_bavail * space.f_frsize);
        need = text_bytes(facts->size);
        check_found(check, SEVERITY_WARNING, *dsn,
                    "Free space there, or give LogDir= another place",
                    "The old database keeps its log at %s while the new one is made; %s are free, "
                    "and a busy database may write as much as it holds (%s)",
                    facts->log_directory, have, need);
    }
    return TRUE;
}

const CheckType checks_of_system[] = {
    { "memory-lock", "The units may lock the databases into memory", NEEDS_FROM, look_memory_lock,
      .worst = SEVERITY_WARNING, .about = "instance",
      .source = "Installation Guide 22.1, service limits: LimitMEMLOCK of the unit",
      .remedy = "Give the unit LimitMEMLOCK=infinity",
      .repair = "A drop-in of its own gives the unit LimitMEMLOCK=infinity from its next start on",
      .mend = mend_memory_lock },
    { "remove-ipc", "No logout takes the databases' shared memory away", NEEDS_NOTHING,
      look_remove_ipc, .worst = SEVERITY_WARNING, .about = "instance",
      .source = "logind.conf(5), RemoveIPC=; that TimesTen's segments are met is inferred",
      .remedy = "Set RemoveIPC=no, or make the administrator a system user",
      .repair = "A drop-in of its own sets RemoveIPC=no in logind.conf, and logind reads it again",
      .mend = mend_remove_ipc },
    { "clock-in-step", "The clock is kept in step, or nothing depends on it", NEEDS_NOTHING,
      look_clock, "upgrade", .worst = SEVERITY_WARNING, .about = "host",
      .source = "adjtimex(2); Replication Guide, clocks of the hosts",
      .remedy = "Let NTP keep the clock" },
    { "clock-behind", "The clock was not set back", NEEDS_NOTHING, look_clock_behind,
      .worst = SEVERITY_WARNING, .about = "host",
      .source = "the times of jobs and of the last switch",
      .remedy = "Set the clock right before" },
    { "stale-pid-file", "No pid file names a process that is no main daemon", NEEDS_NOTHING,
      look_pid_file, .worst = SEVERITY_WARNING, .about = "instance",
      .source = "ttDaemonAdmin in the reference, -force; timestend.pid beside ttStatus",
      .remedy = "Remove the file",
      .repair = "The administrator removes the file, if it still names no timestend",
      .mend = mend_pid_file },
    { "old-server-port", "No instance is configured for a server's public port", NEEDS_NOTHING,
      look_old_port, .worst = SEVERITY_WARNING, .about = "instance",
      .source =
          "Installation Guide 7.0, client/server online upgrade: both servers have the same port",
      .remedy = "Take the port out of the instance's option file",
      .repair =
          "The port in the option file becomes the private one, or the line goes; it is read at "
          "the server's next start",
      .mend = mend_old_port },
    { "log-space", "There is room for the old databases' logs", NEEDS_FROM, look_log_space,
      "upgrade", "online", .worst = SEVERITY_WARNING, .about = "database",
      .source = "Installation Guide 7.0, online upgrade: the log is kept; statvfs(2) of LogDir=",
      .remedy = "Free space there" },
    { NULL },
};
