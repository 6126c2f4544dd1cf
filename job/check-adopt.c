/* Checks of an adopt: is the name free, the port the instance's own, and all that it takes there?
 */
#include "job/adopt.h"
#include "job/check.h"
#include "job/runner.h"
#include "job/server.h"
#include "common/error.h"
#include "common/names.h"

static gboolean look_name(Check *check, GError **error)
{
    const Job *job = check->job;
    g_autofree char *path = adopt_file(job);

    if (adopt_see_file(job) == FILE_MISSING)
        return TRUE;
    check_found(check, SEVERITY_ERROR, job->server->name, "Choose another name, or remove the file",
                "There is a configuration of that name: %s", path);
    return TRUE;
}

/* Whose server it is, by all that the kernel and ttStatus tell. */
static gboolean look_port(Check *check, GError **error)
{
    Job *job = check->job;
    const TimesTenStatus *status = check->from_status;
    g_autoptr(GError) problem = NULL;
    g_autofree char *said = NULL;

    if (!status)
        return tu_error_set(error, TU_ERROR_UTILITY_FAILED,
                            "ttStatus of instance %s cannot be asked who its server is",
                            job->from.config->name);
    if (status->server_pid && status->server_port != job->server->port) {
        check_found(check, SEVERITY_ERROR, job->from.config->name,
                    "Name that port (--listen), or restart the server on the one that is wanted",
                    "Its TimesTen Server listens on port %u, not on %u", status->server_port,
                    job->server->port);
        return TRUE;
    }
    said = adopt_look(job, status, FALSE, &problem);
    if (!said)
        check_found(check, SEVERITY_ERROR, job->server->name,
                    "See who listens with ss -ltnp, then try again", "%s", problem->message);
    else if (status->server_pid)
        check_found(check, SEVERITY_INFO, job->server->name, NULL,
                    "Port %u is that of process %" G_GUINT64_FORMAT
                    ", the TimesTen Server of instance %s, and can be shared",
                    job->server->port, status->server_pid, job->from.config->name);
    else
        check_found(check, SEVERITY_INFO, job->server->name, NULL,
                    "The TimesTen Server of instance %s does not run, so only its configuration is "
                    "written",
                    job->from.config->name);
    return TRUE;
}

static gboolean look_mode(Check *check, GError **error)
{
    const Job *job = check->job;

    if (job->server->mode == MODE_INHERIT && check->from_status && check->from_status->server_pid)
        check_found(check, SEVERITY_ERROR, job->server->name,
                    "Adopt it with --mode=relay, or stop the instance before",
                    "With Mode=inherit the server must be started with libtimesten-port.so, and it "
                    "runs without");
    return TRUE;
}

static gboolean look_own_port(Check *check, GError **error)
{
    const Job *job = check->job;

    if (job->server->mode == MODE_RELAY && server_port_answers(job->from.backend_port))
        check_found(check, SEVERITY_ERROR, job->from.config->name,
                    "End whoever has it (ss -ltnp), or set ServerPort= in the instance's file",
                    "The private port %u that its server is to have at its next start is taken",
                    job->from.backend_port);
    return TRUE;
}

static gboolean look_named_databases(Check *check, GError **error)
{
    const Job *job = check->job;

    for (char **dsn = job->server->databases; *dsn; dsn++)
        if (!facts_find_database(job->from.facts, *dsn))
            check_found(check, SEVERITY_ERROR, *dsn, "Leave it out, or add it to sys.odbc.ini",
                        "Instance %s has no database of that name", job->from.config->name);
    return TRUE;
}

static gboolean look_only_server(Check *check, GError **error)
{
    const Job *job = check->job;

    for (guint i = 0; i < job->inventory->servers->len; i++) {
        const ServerConfig *server = job->inventory->servers->pdata[i];

        if (server != job->server && g_strcmp0(server->instance, job->from.config->name) == 0)
            check_found(check, SEVERITY_ERROR, server->name,
                        "Add the databases to Databases= of that server instead",
                        "Instance %s backs server %s already", job->from.config->name,
                        server->name);
    }
    return TRUE;
}

static gboolean look_unit(Check *check, GError **error)
{
    const Job *job = check->job;
    g_autofree char *state = run_unit_state(check->job, job->from.unit, error);
    g_autofree char *remedy =
        g_strdup_printf("Before an upgrade: stop it with ttDaemonAdmin -stop, then systemctl start "
                        "%s. Its clients wait meanwhile",
                        job->from.unit);

    if (!state)
        return FALSE;
    if (check->from_status && check->from_status->daemon_running && !g_str_equal(state, "active"))
        check_found(check, SEVERITY_WARNING, job->from.config->name, remedy,
                    "Its main daemon runs, but not under %s", job->from.unit);
    return TRUE;
}

static gboolean look_option_file(Check *check, GError **error)
{
    const Job *job = check->job;

    if (!job->from.facts->options_writable)
        check_found(check, SEVERITY_ERROR, job->from.config->name,
                    "Give the instance administrator write access to it",
                    "%s cannot be written by %s, so the server's port cannot be set",
                    job->from.facts->options_path, job->from.admin);
    return TRUE;
}

const CheckType checks_of_adopt[] = {
    { "name", "The name is free", NEEDS_NOTHING, look_name, .worst = SEVERITY_ERROR,
      .about = "server", .source = "the files in servers.d",
      .remedy = "Choose another name, or remove the file" },
    { "port-owner", "The port is that of the instance's server, or free", NEEDS_FROM, look_port,
      .worst = SEVERITY_ERROR, .about = "server",
      .source = "ttStatus, and whose socket the kernel says it is",
      .remedy = "Name the right port, or see who listens" },
    { "mode", "The server need not be started anew", NEEDS_FROM, look_mode, .worst = SEVERITY_ERROR,
      .about = "server", .source = "libtimesten-port(7)",
      .remedy = "Adopt it with the mode relay, or stop the instance before" },
    { "private-port", "The private port of its next start is free", NEEDS_FROM, look_own_port,
      .worst = SEVERITY_ERROR, .about = "instance",
      .source = "ServerPort= or the option file; connect(2)",
      .remedy = "End whoever has it, or set ServerPort=" },
    { "databases-named", "The instance has all databases", NEEDS_FROM, look_named_databases,
      .worst = SEVERITY_ERROR, .about = "database", .source = "sys.odbc.ini of the instance",
      .remedy = "Leave it out, or add it to sys.odbc.ini" },
    { "other-servers", "The instance backs no other server", NEEDS_NOTHING, look_only_server,
      .worst = SEVERITY_ERROR, .about = "server", .source = "the server files",
      .remedy = "Add the databases to that server instead" },
    { "unit-in-control", "systemd is in control of the main daemon, or nobody", NEEDS_FROM,
      look_unit, .worst = SEVERITY_WARNING, .about = "instance",
      .source = "the unit's ActiveState beside ttStatus",
      .remedy = "Before an upgrade, stop the daemon with ttDaemonAdmin and start its unit" },
    { "options-writable", "The option file can be written by its administrator", NEEDS_FROM,
      look_option_file, .worst = SEVERITY_ERROR, .about = "instance",
      .source = "the option file's mode, tried as the administrator",
      .remedy = "Give the administrator write access to it" },
    { NULL },
};
