/* Checks of the two instances, their releases, daemons, files and ports. */
#include "job/check.h"
#include "job/runner.h"
#include "common/error.h"
#include "common/names.h"
#include "port/keeper.h"
#include "state/request.h"
#include "timesten/rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

static gboolean look_target_differs(Check *check, GError **error)
{
    const Job *job = check->job;

    if (g_str_equal(job->from.config->home, job->to.config->home) &&
        !(job_in_place(job) && job_same_instance(job)))
        check_found(check, SEVERITY_ERROR, job->to.config->name,
                    "Give the new release its own installation and name that one in Home=",
                    "Both instances name %s as their home", job->to.config->home);
    return TRUE;
}

static gboolean look_release_path(Check *check, GError **error)
{
    const Job *job = check->job;
    const Release *from = &job->from.facts->release, *to = &job->to.facts->release;
    g_autofree char *from_text = release_format(from);
    g_autofree char *to_text = release_format(to);
    const gboolean peer = job->options.peer_host != NULL;
    const char *word = peer ? "beside a peer" : job->request->method;
    Method method = peer ? METHOD_ONLINE : METHOD_OFFLINE;
    g_autoptr(RuleAnswer) answer = NULL;

    rules_find_method(word, &method);
    answer = rules_ask(method, from, to);
    if (!answer->possible)
        check_found(check, SEVERITY_ERROR, job->to.config->name, "Choose another target instance",
                    "%s cannot be upgraded to %s %s: %s (%s)", from_text, to_text, word,
                    answer->reason, answer->source);
    else
        check_found(check, SEVERITY_INFO, job->to.config->name, NULL, "%s is upgraded to %s %s",
                    from_text, to_text, word);
    return TRUE;
}

static gboolean look_bit_level(Check *check, GError **error)
{
    const InstanceFacts *from = check->job->from.facts, *to = check->job->to.facts;

    if (from->bits && to->bits && from->bits != to->bits)
        check_found(check, SEVERITY_WARNING, check->job->to.config->name,
                    "Try the migration with a copy of the databases before",
                    "The old release is %u-bit, the new one %u-bit", from->bits, to->bits);
    return TRUE;
}

static gboolean look_old_daemon(Check *check, GError **error)
{
    const Job *job = check->job;

    if (!check->from_status || !check->from_status->daemon_running) {
        g_autofree char *remedy = g_strdup_printf("Start it: systemctl start %s", job->from.unit);

        /* One that does not run is a reason to go back, and nothing of it is needed for that. */
        gboolean back = g_str_equal(job->request->kind, "rollback");

        check_found(check, back ? SEVERITY_WARNING : SEVERITY_ERROR, job->from.config->name, remedy,
                    "The main daemon of the %s release does not answer ttStatus",
                    back ? "current" : "old");
    }
    return TRUE;
}

static gboolean look_unit_in_control(Check *check, GError **error)
{
    Side *sides[] = { &check->job->from, &check->job->to };

    for (guint i = 0; i < G_N_ELEMENTS(sides); i++) {
        const TimesTenStatus *status = i ? check->to_status : check->from_status;
        g_autofree char *state = run_unit_state(check->job, sides[i]->unit, error);
        g_autofree char *remedy = NULL;

        if (!state)
            return FALSE;
        if (!status || !status->daemon_running || g_str_equal(state, "active"))
            continue;
        remedy = g_strdup_printf("Stop it with ttDaemonAdmin -stop, then systemctl start %s",
                                 sides[i]->unit);
        check_found(check, SEVERITY_ERROR, sides[i]->config->name, remedy,
                    "Its main daemon runs, but not under %s, so systemd cannot stop and start it",
                    sides[i]->unit);
    }
    return TRUE;
}

static gboolean look_administrator(Check *check, GError **error)
{
    Side *sides[] = { &check->job->from, &check->job->to };

    for (guint i = 0; i < G_N_ELEMENTS(sides); i++)
        if (!getpwnam(sides[i]->admin))
            check_found(check, SEVERITY_ERROR, sides[i]->config->name,
                        "Create the user, or set Admin= in the instance's file",
                        "Its administrator %s is not a user of this host", sides[i]->admin);
    return TRUE;
}

static gboolean look_options_writable(Check *check, GError **error)
{
    Side *sides[] = { &check->job->from, &check->job->to };

    for (guint i = 0; i < G_N_ELEMENTS(sides); i++)
        if (sides[i]->facts && !sides[i]->facts->options_writable)
            check_found(check, SEVERITY_ERROR, sides[i]->config->name,
                        "Give the instance administrator write access to it",
                        "%s cannot be written by %s, so the server's port cannot be set",
                        sides[i]->facts->options_path, sides[i]->admin);
    return TRUE;
}

static gboolean look_backwards_compat(Check *check, GError **error)
{
    const Job *job = check->job;

    if (!rules_need_backwards_compat(&job->from.facts->release, &job->to.facts->release))
        return TRUE;
    check_found(check, SEVERITY_WARNING, job->to.config->name,
                "When all clients use the new release, take the option away and restart the daemon",
                "Clients of releases before " RULES_COMPAT_RELEASE " reach the new server only with "
                "-insecure-backwards-compat; the job sets it in %s",
                job->to.facts->options_path);
    /* The option is read at the daemon's start; a restart would cut whoever works with the new
     * release. */
    for (guint i = 0;
         check->to_status && !job->to.facts->backwards_compat && i < check->to_status->stores->len;
         i++) {
        const StatusStore *store = check->to_status->stores->pdata[i];

        if (status_user_connections(store) > 0) {
            g_autofree char *names = status_name_connections(store);

            check_found(
                check, SEVERITY_ERROR, job->to.config->name,
                "End these connections, or set -insecure-backwards-compat and restart the daemon "
                "at a quiet time",
                "Its daemon must be restarted for that option, but %s is in use: %s", store->path,
                names);
        }
    }
    return TRUE;
}

/* It is about safety (facts 2.2), so it must not be forgotten when it was for one change only. */
static gboolean look_compat_on(Check *check, GError **error)
{
    const Side *sides[] = { &check->job->from, &check->job->to };

    for (guint i = 0; i < G_N_ELEMENTS(sides); i++) {
        const InstanceFacts *facts = sides[i]->facts;
        g_autofree char *remedy = g_strdup_printf(
            "When no client before " RULES_COMPAT_RELEASE " is left, and nobody is connected: instance-helper set %s "
            "--backwards-compat=no as %s, then systemctl restart %s",
            facts->home, sides[i]->admin, sides[i]->unit);

        if (facts->backwards_compat)
            check_found(check, SEVERITY_WARNING, sides[i]->config->name, remedy,
                        "It runs with -insecure-backwards-compat, so it talks to releases before "
                        RULES_COMPAT_RELEASE " in their less safe way");
    }
    return TRUE;
}

static gboolean look_other_servers(Check *check, GError **error)
{
    const Job *job = check->job;

    for (guint i = 0; i < job->inventory->servers->len; i++) {
        const ServerConfig *server = job->inventory->servers->pdata[i];

        if (server != job->server && g_strcmp0(server->instance, job->server->instance) == 0)
            check_found(
                check, SEVERITY_ERROR, server->name,
                "Put the databases of both behind one server, or move the other one first",
                "Server %s is backed by instance %s as well, and would lose it with its TimesTen "
                "Server",
                server->name, server->instance);
    }
    return TRUE;
}

/* Whether a server of ours could have the port now; what the kernel says else. */
static int try_port(guint16 port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    int one = 1, problem = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return 0; /* not the port's fault */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    /* A port below 1024 may be TimesTen's to have and not ours to try. */
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EACCES)
        problem = errno;
    close(fd);
    return problem;
}

/* A main daemon that finds its port taken only says so in its own log, and is waited for in vain.
 */
static gboolean look_daemon_port(Check *check, GError **error)
{
    const Side *to = &check->job->to;
    int problem = to->facts->daemon_port ? try_port(to->facts->daemon_port) : 0;

    if ((check->to_status && check->to_status->daemon_running) || !problem)
        return TRUE;
    check_found(check, SEVERITY_ERROR, to->config->name,
                to->facts->daemon_port == check->job->from.facts->daemon_port
                    ? "Give the new instance a port of its own: both main daemons run at the same "
                      "time during the upgrade"
                    : "End whoever has it (ss -ltnp), or give the instance another port",
                "The port %u of its main daemon cannot be bound: %s", to->facts->daemon_port,
                g_strerror(problem));
    return TRUE;
}

static gboolean look_preload(Check *check, GError **error)
{
    const Job *job = check->job;
    const Side *sides[] = { &job->from, &job->to };

    for (guint i = 0; i < G_N_ELEMENTS(sides) && job->server->mode == MODE_INHERIT; i++) {
        const InstanceConfig *config = sides[i]->config;
        const TimesTenStatus *status = i ? check->to_status : check->from_status;
        gboolean running = status && status->daemon_running;
        g_autofree char *restart =
            g_strdup_printf("At a quiet time: systemctl restart %s", sides[i]->unit);
        g_autofree char *relay = g_strdup_printf("Set Mode=relay in %s", job->server->file);
        g_autofree char *vendor = g_strdup_printf(
            "Set Mode=relay in %s, or give %s the environment that libtimesten-port(7) names",
            job->server->file, sides[i]->unit);

        if (sides[i]->facts->preload_problem)
            check_found(check, SEVERITY_ERROR, config->name, relay,
                        "It cannot take the port's socket (Mode=inherit), because nothing can be "
                        "preloaded into it: %s",
                        sides[i]->facts->preload_problem);
        else if (config->unit && !running)
            check_found(check, SEVERITY_ERROR, config->name, vendor,
                        "Whether it can take the port's socket (Mode=inherit) is known to %s "
                        "alone, and it does not run",
                        sides[i]->unit);
        else if (running && sides[i]->facts->preload_missing)
            check_found(check, SEVERITY_ERROR, config->name, config->unit ? vendor : restart,
                        "Its main daemon was started without libtimesten-port.so, so its server "
                        "cannot take the port's socket (Mode=inherit)");
    }
    return TRUE;
}

static gboolean look_private_port(Check *check, GError **error)
{
    const Job *job = check->job;
    guint16 port = job->to.backend_port;
    const ServerConfig *owner = inventory_server_of_port(job->inventory, port);
    int problem;

    if (owner) {
        check_found(check, SEVERITY_ERROR, job->to.config->name,
                    "Set another PrivatePort= or ServerPort=",
                    "Its private port %u is the public port of server %s", port, owner->name);
        return TRUE;
    }
    if (port == job->from.backend_port)
        return TRUE; /* one PrivatePort= for both: the old server is stopped before the new one
                        starts */
    if (check->to_status && check->to_status->server_port == port)
        return TRUE; /* its own server has it already */
    problem = try_port(port);
    if (problem)
        check_found(check, SEVERITY_ERROR, job->to.config->name,
                    "End whoever has it (ss -ltnp), or set ServerPort= in the instance's file",
                    "Its private port %u cannot be bound: %s", port, g_strerror(problem));
    return TRUE;
}

static gboolean look_port_held(Check *check, GError **error)
{
    const Job *job = check->job;
    g_autofree char *unit = unit_server_socket(job->server->name);
    g_autofree char *state = run_unit_state(check->job, unit, error);
    g_autofree char *remedy = g_strdup_printf("systemctl enable --now %s", unit);

    if (!state)
        return FALSE;
    if (!g_str_equal(state, "active"))
        check_found(check, SEVERITY_ERROR, job->server->name, remedy,
                    "Its public port %u is not held by systemd: %s is %s", job->server->port, unit,
                    state);
    return TRUE;
}

static gboolean look_port_open(Check *check, GError **error)
{
    const Job *job = check->job;
    g_autoptr(KeeperStatus) status = keeper_status_read(job->server->name);
    g_autofree char *remedy =
        g_strdup_printf("ttctl resume %s, unless it is wanted", job->server->name);

    if (status && status->state != KEEPER_OPEN)
        check_found(check, SEVERITY_WARNING, job->server->name, remedy,
                    "Its port is already in state %s; the upgrade will open it at its end",
                    keeper_state_nicks[status->state]);
    return TRUE;
}

static gboolean look_other_job(Check *check, GError **error)
{
    const Job *job = check->job;
    g_autoptr(GArray) ids = request_list(error);

    for (guint i = 0; ids && i < ids->len; i++) {
        guint64 id = g_array_index(ids, guint64, i);
        g_autoptr(JobRequest) request = id != job->request->id ? request_load(id, NULL) : NULL;
        g_autoptr(RecordSummary) summary =
            request && g_str_equal(request->server, job->server->name) ? record_load(id, NULL)
                                                                       : NULL;
        g_autofree char *remedy = g_strdup_printf("Wait for it: ttctl job %" G_GUINT64_FORMAT, id);

        if (summary && !summary->finished)
            check_found(check, SEVERITY_ERROR, job->server->name, remedy,
                        "Job %" G_GUINT64_FORMAT " is at work on it", id);
    }
    return ids != NULL;
}

static gboolean look_other_problems(Check *check, GError **error)
{
    const Inventory *inventory = check->job->inventory;

    for (guint i = 0; i < inventory->problems->len; i++) {
        const InventoryProblem *problem = inventory->problems->pdata[i];

        check_found(check, SEVERITY_WARNING, problem->name, "Correct the file, then ttctl reload",
                    "The %s's file is wrong and it is left out: %s", problem->kind,
                    problem->message);
    }
    return TRUE;
}

const CheckType checks_of_instances[] = {
    { "target-differs", "The two instances are two installations", NEEDS_NOTHING,
      look_target_differs, .worst = SEVERITY_ERROR, .about = "instance",
      .source = "Home= of both instance files",
      .remedy = "Give the new release an installation of its own",
      .kept = "both releases would work on the same files" },
    { "release-path", "The releases allow it", NEEDS_BOTH, look_release_path, "upgrade",
      .worst = SEVERITY_ERROR, .about = "instance",
      .source = "the guides' rules of upgrades, each with its source in the message; ttVersion -m",
      .remedy = "Choose another target instance, or go by a release between",
      .kept = "the new release could not take what the old one saves" },
    { "bit-level", "Both releases have the same bit level", NEEDS_BOTH, look_bit_level, "upgrade",
      .worst = SEVERITY_WARNING, .about = "instance",
      .source = "ttVersion -m; ttMigrate in the API reference",
      .remedy = "Try the migration with a copy of the databases before" },
    { "old-daemon-reachable", "The old main daemon answers", NEEDS_FROM, look_old_daemon,
      .worst = SEVERITY_ERROR, .about = "instance", .source = "ttStatus of the old release",
      .remedy = "Start its unit", .kept = "nothing can be saved without it" },
    { "unit-in-control", "systemd is in control of both main daemons", NEEDS_NOTHING,
      look_unit_in_control, .worst = SEVERITY_ERROR, .about = "instance",
      .source = "the unit's ActiveState beside ttStatus",
      .remedy = "Stop the daemon with ttDaemonAdmin, then start its unit" },
    { "administrator-exists", "Both administrators are users of this host", NEEDS_NOTHING,
      look_administrator, .worst = SEVERITY_ERROR, .about = "instance",
      .source = "the users of this host; Admin= of the instance file, or who owns the installation",
      .remedy = "Create the user, or set Admin=",
      .kept = "no program of the instance could be run" },
    { "options-writable", "Both option files can be written by their administrators", NEEDS_NOTHING,
      look_options_writable, .worst = SEVERITY_ERROR, .about = "instance",
      .source = "the option file's mode, tried as the administrator",
      .remedy = "Give the administrator write access to it" },
    { "backwards-compat", "No client needs -insecure-backwards-compat", NEEDS_BOTH,
      look_backwards_compat, "upgrade", .worst = SEVERITY_ERROR, .about = "instance",
      .source = "Operations Guide 7.0, working with older clients; ttStatus of the new release",
      .remedy = "End the connections to the new release, or set the option and restart it at a "
                "quiet time" },
    { "backwards-compat-on", "No instance runs with -insecure-backwards-compat", NEEDS_BOTH,
      look_compat_on, .worst = SEVERITY_WARNING, .about = "instance",
      .source = "the instance's option file",
      .remedy = "Take the option away when no client before " RULES_COMPAT_RELEASE " is left" },
    { "other-servers", "No other server is backed by the old instance", NEEDS_NOTHING,
      look_other_servers, .worst = SEVERITY_ERROR, .about = "server",
      .source = "the server files, and which instance backs each",
      .remedy = "Put the databases of both behind one server, or move the other one first" },
    { "daemon-port", "The port of the new main daemon is free, or its own", NEEDS_BOTH,
      look_daemon_port, .worst = SEVERITY_ERROR, .about = "instance",
      .source = "Installation Guide, ports of two releases; bind(2)",
      .remedy = "End whoever has it, or give the instance another port" },
    { "private-port", "The new server's private port is free", NEEDS_BOTH, look_private_port,
      .worst = SEVERITY_ERROR, .about = "instance",
      .source = "ServerPort=, PrivatePort= or the option file; bind(2)",
      .remedy = "End whoever has it, or set ServerPort=" },
    { "preload", "Both servers can take the port's socket where they must", NEEDS_BOTH,
      look_preload, .worst = SEVERITY_ERROR, .about = "instance",
      .source = "libtimesten-port(7); the maps of the running main daemon",
      .remedy = "Set Mode=relay, or restart the unit at a quiet time" },
    { "port-held", "systemd holds the public port", NEEDS_NOTHING, look_port_held,
      .worst = SEVERITY_ERROR, .about = "server",
      .source = "ActiveState of the server's socket unit",
      .remedy = "Enable and start the socket unit" },
    { "port-open", "The port is not on hold", NEEDS_NOTHING, look_port_open,
      .worst = SEVERITY_WARNING, .about = "server", .source = "the port keeper's state",
      .remedy = "Resume it, unless the hold is wanted" },
    { "other-job", "No other job is at work on the server", NEEDS_NOTHING, look_other_job,
      .worst = SEVERITY_ERROR, .about = "server", .source = "the records of jobs",
      .remedy = "Wait for its end", .kept = "two jobs would undo each other's work" },
    { "configuration", "No other configuration file is wrong", NEEDS_NOTHING, look_other_problems,
      .worst = SEVERITY_WARNING, .about = "host",
      .source = "the files in instances.d and servers.d",
      .remedy = "Correct what the message names" },
    { NULL },
};
