#include "mock.h"

static int on_probe(sd_bus_message *call, void *data, sd_bus_error *error)
{
    return sd_bus_reply_method_return(
        call, "a(ssssss)", 3, "limit-look", "G", "untried", "30s", "there was no occasion", "",
        "admin-unloaded", "S", "differs", "8", "ttAdmin -ramUnload, a second time",
        "exit status 28: nothing printed", "status-server", "S", "held", "timesten server pid",
        "ttStatus", "exit status 0: TimesTen server pid 7");
}

const sd_bus_vtable instance_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Probe", "a{sv}", "a(ssssss)", on_probe, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ProbeScratch", "sa{sv}", "a(ssssss)", on_probe, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("Name", "s", NULL, IN(Instance, name), 0),
    SD_BUS_PROPERTY("Home", "s", NULL, IN(Instance, home), 0),
    SD_BUS_PROPERTY("Release", "s", NULL, IN(Instance, release), 0),
    SD_BUS_PROPERTY("Admin", "s", NULL, IN(Instance, admin), 0),
    SD_BUS_PROPERTY("Unit", "s", NULL, IN(Instance, unit), 0),
    SD_BUS_PROPERTY("State", "s", NULL, IN(Instance, state), CHANGES),
    SD_BUS_PROPERTY("DaemonPort", "q", NULL, IN(Instance, daemon_port), 0),
    SD_BUS_PROPERTY("ServerPort", "q", NULL, IN(Instance, server_port), 0),
    SD_BUS_PROPERTY("Databases", "as", NULL, IN(Instance, databases), 0),
    SD_BUS_PROPERTY("Servers", "as", NULL, IN(Instance, servers), 0),
    SD_BUS_VTABLE_END,
};

static char *object_path(const char *prefix, const char *name)
{
    char *path = NULL;

    g_assert_cmpint(sd_bus_path_encode(prefix, name, &path), >=, 0);
    return path;
}

static int on_list_servers(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = data;
    const Server *a = &mock->servers[0], *b = &mock->servers[1];

    if (script_number(mock, "Empty", 0))
        return sd_bus_reply_method_return(call, "a(ssqso)", 0);
    return sd_bus_reply_method_return(call, "a(ssqso)", 2, a->name, a->state, a->port, a->instance,
                                      TU_SERVER_PATH "/main", b->name, b->state, b->port,
                                      b->instance, TU_SERVER_PATH "/spare");
}

static int on_list_instances(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = data;
    const Instance *a = &mock->instances[0], *b = &mock->instances[1];

    if (script_number(mock, "Empty", 0))
        return sd_bus_reply_method_return(call, "a(ssso)", 0);
    return sd_bus_reply_method_return(call, "a(ssso)", 2, a->name, a->release, a->state,
                                      TU_INSTANCE_PATH "/tt60", b->name, b->release, b->state,
                                      TU_INSTANCE_PATH "/tt70");
}

static int on_list_jobs(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = data;
    const Job *job = &mock->job;

    if (!mock->job_known)
        return sd_bus_reply_method_return(call, "a(tsssdo)", 0);
    return sd_bus_reply_method_return(call, "a(tsssdo)", 1, job->id, job->server, job->method,
                                      job->state, job->progress, TU_JOB_PATH "/_37");
}

static int on_list_held(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = data;

    if (script_number(mock, "OldService", 0))
        return sd_bus_error_setf(error, SD_BUS_ERROR_UNKNOWN_METHOD, "Unknown method");
    if (script_number(mock, "Empty", 0))
        return sd_bus_reply_method_return(call, "a(sssttuu)", 0);
    return sd_bus_reply_method_return(call, "a(sssttuu)", 1, "web.socket", "web.service", "held",
                                      G_GUINT64_CONSTANT(1700000000000000),
                                      G_GUINT64_CONSTANT(1700000060000000), 3, 4096);
}

static int on_list_facts(sd_bus_message *call, void *data, sd_bus_error *error)
{
    gboolean wrong = script_number(data, "WrongFacts", 0);

    if (script_number(data, "OldService", 0))
        return sd_bus_error_setf(error, SD_BUS_ERROR_UNKNOWN_METHOD, "Unknown method");
    return sd_bus_reply_method_return(
        call, "a(ssssssss)as", 2, "limit-look", "G", "time", "2min", "30s",
        "How long ttStatus may take", "An estimate", "/etc/timesten-upgrade/facts.d/site.conf:2",
        "client-sql-program", "R", "word", "ttIsqlCS", "ttIsqlCS", "The client's program",
        "22.1 reference", "", wrong ? 1 : 0, "other.conf:3: unknown key colour= in [Facts]");
}

static int on_hold_socket(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = data;
    const char *unit;
    guint64 limit;

    sd_bus_message_read(call, "st", &unit, &limit);
    note_call(mock, call, "HoldSocket %s %" G_GUINT64_FORMAT, unit, limit);
    return sd_bus_reply_method_return(call, NULL);
}

static int on_resume_socket(sd_bus_message *call, void *data, sd_bus_error *error)
{
    note_call(data, call, "ResumeSocket");
    return sd_bus_reply_method_return(call, NULL);
}

static int on_get_server(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = data;
    const char *name;

    sd_bus_message_read(call, "s", &name);
    for (guint i = 0; i < G_N_ELEMENTS(mock->servers); i++)
        if (g_str_equal(mock->servers[i].name, name)) {
            g_autofree char *path = object_path(TU_SERVER_PATH, name);

            return sd_bus_reply_method_return(call, "o", path);
        }
    return sd_bus_error_setf(error, "org.timesten.Upgrade1.Error.NoSuchServer",
                             "No server %s is configured, see ttctl list", name);
}

static int on_get_instance(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = data;
    const char *name;

    sd_bus_message_read(call, "s", &name);
    for (guint i = 0; i < G_N_ELEMENTS(mock->instances); i++)
        if (g_str_equal(mock->instances[i].name, name)) {
            g_autofree char *path = object_path(TU_INSTANCE_PATH, name);

            return sd_bus_reply_method_return(call, "o", path);
        }
    return sd_bus_error_setf(error, "org.timesten.Upgrade1.Error.NoSuchInstance",
                             "No instance %s is configured", name);
}

static int on_get_job(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = data;
    guint64 id;

    sd_bus_message_read(call, "t", &id);
    if (id == JOB_ID && mock->job_known)
        return sd_bus_reply_method_return(call, "o", TU_JOB_PATH "/_37");
    return sd_bus_error_setf(error, "org.timesten.Upgrade1.Error.NoSuchJob",
                             "There is no job %" G_GUINT64_FORMAT, id);
}

static int on_check_adopt(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = data;
    const char *name, *instance;

    sd_bus_message_read(call, "ss", &name, &instance);
    g_autofree char *options = words_of_options(call);
    g_autofree char *checks = script_word(mock, "Checks");

    note_call(mock, call, "CheckAdopt %s %s%s", name, instance, options);
    return sd_bus_reply_method_return(
        call, "a(sssss)", 1, g_str_equal(checks, "failed") ? "error" : "info", "port-owner", name,
        "Port 16002 is that of process 4711", g_str_equal(checks, "failed") ? "End it" : "");
}

static int on_plan_adopt(sd_bus_message *call, void *data, sd_bus_error *error)
{
    const char *name, *instance;

    sd_bus_message_read(call, "ss", &name, &instance);
    note_call(data, call, "PlanAdopt %s %s", name, instance);
    return sd_bus_reply_method_return(call, "sa(ssbt)", "offline", 2, "check", "Look who has it",
                                      TRUE, G_GUINT64_CONSTANT(2000000), "declare",
                                      "Write the server's configuration", TRUE,
                                      G_GUINT64_CONSTANT(100000));
}

static int on_adopt(sd_bus_message *call, void *data, sd_bus_error *error)
{
    note_call(data, call, "Adopt");
    return sd_bus_error_setf(error, "org.timesten.Upgrade1.Error.ChecksFailed",
                             "port-owner: Port 16002 is that of process 4711");
}

static int on_list_checks(sd_bus_message *call, void *data, sd_bus_error *error)
{
    note_call(data, call, "ListChecks");
    return sd_bus_reply_method_return(
        call, "a(ssasasssssss)", 2, "space-for-database", "error", 1, "upgrade", 0, "database",
        "There is room for it", "statvfs(2)", "Free space there", "", "", "data-loss", "error", 1,
        "rollback", 1, "offline", "server", "Nothing is lost", "the time of the switch",
        "Give the option", "rows would be lost", "");
}

static int on_reload(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = data;
    int r = script_refuse(mock, "RefuseReload", error);

    note_call(mock, call, "Reload");
    return r < 0 ? r : sd_bus_reply_method_return(call, NULL);
}

const sd_bus_vtable manager_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("ListServers", "", "a(ssqso)", on_list_servers, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ListInstances", "", "a(ssso)", on_list_instances, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ListJobs", "", "a(tsssdo)", on_list_jobs, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("GetServer", "s", "o", on_get_server, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("GetInstance", "s", "o", on_get_instance, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("GetJob", "t", "o", on_get_job, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ListHeldSockets", "", "a(sssttuu)", on_list_held, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ListChecks", "", "a(ssasasssssss)", on_list_checks, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ListFacts", "", "a(ssssssss)as", on_list_facts, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("HoldSocket", "sta{sv}", "", on_hold_socket, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ResumeSocket", "sa{sv}", "", on_resume_socket, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Adopt", "ssa{sv}", "to", on_adopt, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("CheckAdopt", "ssa{sv}", "a(sssss)", on_check_adopt, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("PlanAdopt", "ssa{sv}", "sa(ssbt)", on_plan_adopt, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Reload", "", "", on_reload, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("JobNew", "tos", 0),
    SD_BUS_SIGNAL("JobRemoved", "toss", 0),
    SD_BUS_VTABLE_END,
};
