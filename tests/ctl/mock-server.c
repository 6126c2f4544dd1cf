#include "mock.h"

void model_server(Mock *mock)
{
    Server *server = &mock->servers[0];
    gboolean ended = g_str_equal(mock->job.state, "finished");
    gboolean held = !ended && mock->job.held > 0;

    server->state = ended ? "serving" : "changing";
    server->job = ended ? "/" : TU_JOB_PATH "/_37";
    server->held = held ? 3 : 0;
    server->hold_since = held ? mock->job.started : 0;
    server->deadline = held ? mock->job.started + 60 * USEC_PER_SEC : 0;
    if (g_str_equal(mock->job.result, "done") && g_str_equal(mock->job.kind, "upgrade")) {
        server->instance = "tt70";
        server->release = "7.0.6";
        server->previous = "tt60";
    }
}

static int get_last_result(sd_bus *bus, const char *path, const char *interface,
                           const char *property, sd_bus_message *reply, void *data,
                           sd_bus_error *error)
{
    return sd_bus_message_append(reply, "(sstt)", "failed",
                                 "org.timesten.Upgrade1.Error.UtilityFailed", (guint64)6,
                                 G_GUINT64_CONSTANT(1700000000000000));
}

static int on_check(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = ((Server *)data)->mock;
    g_autofree char *checks = script_word(mock, "Checks");
    const char *target;
    int r = script_refuse(mock, "RefuseCheck", error);

    if (r < 0)
        return r;
    sd_bus_message_read(call, "s", &target);
    g_autofree char *options = words_of_options(call);
    note_call(mock, call, "Check %s%s", target, options);
    if (g_str_equal(checks, "failed"))
        return sd_bus_reply_method_return(
            call, "a(sssss)", 4, "info", "path-allowed", "tt70", "6.0 to 7.0 goes offline", "",
            "warning", "hold-limit", "main", "The hold may take longer than 1min 0s",
            "Raise HoldLimitSec= or give --hold-limit=", "error", "disk-space", "tt70",
            "12 MiB are free in /data and 40 MiB are needed", "Make room in /data", "error",
            "direct-connections", "orders", "pid 4711 is connected", "End it");
    return sd_bus_reply_method_return(call, "a(sssss)", 2, "info", "path-allowed", "tt70",
                                      "6.0 to 7.0 goes offline", "", "warning", "hold-limit",
                                      "main", "The hold may take longer than 1min 0s",
                                      "Raise HoldLimitSec= or give --hold-limit=");
}

static int on_repair(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = ((Server *)data)->mock;
    g_autofree char *fails = script_word(mock, "Repair");
    const char *target;

    sd_bus_message_read(call, "s", &target);
    g_autofree char *options = words_of_options(call);
    note_call(mock, call, "Repair %s%s", target, options);
    if (g_str_equal(fails, "nothing"))
        return sd_bus_reply_method_return(call, "a(sssss)", 0);
    return sd_bus_reply_method_return(
        call, "a(sssss)", 1, "somaxconn", "net.core.somaxconn", "128",
        g_str_equal(fails, "failed") ? "not repaired: it is read-only" : "65535",
        g_str_equal(fails, "failed") ? "" : "sysctl -w net.core.somaxconn=128");
}

static int on_plan(sd_bus_message *call, void *data, sd_bus_error *error)
{
    sd_bus_message *reply = NULL;
    int r = sd_bus_message_new_method_return(call, &reply);

    if (r >= 0)
        r = sd_bus_message_append(reply, "s", "offline");
    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'a', "(ssbt)");
    for (guint i = 0; r >= 0 && i < N_STEPS; i++)
        r = sd_bus_message_append(reply, "(ssbt)", steps[i].id, steps[i].description,
                                  steps[i].reversible, steps[i].estimate);
    if (r >= 0)
        r = sd_bus_message_close_container(reply);
    if (r >= 0)
        r = sd_bus_send(NULL, reply, NULL);
    sd_bus_message_unref(reply);
    return r;
}

static int on_upgrade(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = ((Server *)data)->mock;
    const char *target;
    int r = script_refuse(mock, "RefuseUpgrade", error);

    sd_bus_message_read(call, "s", &target);
    g_autofree char *options = words_of_options(call);
    note_call(mock, call, "Upgrade %s%s", target, options);
    return r < 0 ? r : begin_job(mock, call, "upgrade", "tt60", "tt70");
}

static int on_rollback(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = ((Server *)data)->mock;
    int r = script_refuse(mock, "RefuseRollback", error);
    g_autofree char *options = words_of_options(call);

    note_call(mock, call, "Rollback%s", options);
    return r < 0 ? r : begin_job(mock, call, "rollback", "tt70", "tt60");
}

static int on_hold(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Server *server = data;
    guint64 limit;
    int r = script_refuse(server->mock, "RefuseHold", error);

    sd_bus_message_read(call, "t", &limit);
    note_call(server->mock, call, "Hold %s %" G_GUINT64_FORMAT, server->name, limit);
    if (r < 0)
        return r;
    server->state = "held";
    server->hold_since = g_get_real_time() - 7 * USEC_PER_SEC;
    server->deadline = g_get_real_time() + limit;
    return sd_bus_reply_method_return(call, NULL);
}

static int on_resume(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Server *server = data;

    note_call(server->mock, call, "Resume %s", server->name);
    server->state = "serving";
    server->hold_since = server->deadline = 0;
    return sd_bus_reply_method_return(call, NULL);
}

static int on_clean(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = ((Server *)data)->mock;
    g_autofree char *options = words_of_options(call);

    note_call(mock, call, "Clean%s", options);
    return begin_job(mock, call, "clean", "tt70", "tt60");
}

static int on_confirm(sd_bus_message *call, void *data, sd_bus_error *error)
{
    static char *left[] = { "Let clients before 7.0 go: ttctl confirm main --backwards-compat-off",
                            NULL };
    Mock *mock = ((Server *)data)->mock;
    g_autofree char *options = words_of_options(call);

    note_call(mock, call, "Confirm%s", options);
    mock->job.left_to_do = left;
    return begin_job(mock, call, "confirm", "tt70", "tt60");
}

const sd_bus_vtable server_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Name", "s", NULL, IN(Server, name), 0),
    SD_BUS_PROPERTY("Port", "q", NULL, IN(Server, port), 0),
    SD_BUS_PROPERTY("State", "s", NULL, IN(Server, state), CHANGES),
    SD_BUS_PROPERTY("Instance", "s", NULL, IN(Server, instance), CHANGES),
    SD_BUS_PROPERTY("Release", "s", NULL, IN(Server, release), CHANGES),
    SD_BUS_PROPERTY("PreviousInstance", "s", NULL, IN(Server, previous), CHANGES),
    SD_BUS_PROPERTY("Confirmation", "s", NULL, IN(Server, confirmation), CHANGES),
    SD_BUS_PROPERTY("ConfirmBy", "t", NULL, IN(Server, confirm_by), CHANGES),
    SD_BUS_PROPERTY("Databases", "as", NULL, IN(Server, databases), 0),
    SD_BUS_PROPERTY("Mode", "s", NULL, IN(Server, mode), 0),
    SD_BUS_PROPERTY("Sessions", "u", NULL, IN(Server, sessions), CHANGES),
    SD_BUS_PROPERTY("Held", "u", NULL, IN(Server, held), CHANGES),
    SD_BUS_PROPERTY("HoldSince", "t", NULL, IN(Server, hold_since), CHANGES),
    SD_BUS_PROPERTY("HoldDeadline", "t", NULL, IN(Server, deadline), CHANGES),
    SD_BUS_PROPERTY("Job", "o", NULL, IN(Server, job), CHANGES),
    SD_BUS_PROPERTY("LastResult", "(sstt)", get_last_result, 0, CHANGES),
    SD_BUS_METHOD("Check", "sa{sv}", "a(sssss)", on_check, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Repair", "sa{sv}", "a(sssss)", on_repair, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Plan", "sa{sv}", "sa(ssbt)", on_plan, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Upgrade", "sa{sv}", "to", on_upgrade, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Rollback", "a{sv}", "to", on_rollback, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Confirm", "a{sv}", "to", on_confirm, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Clean", "a{sv}", "to", on_clean, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Hold", "ta{sv}", "", on_hold, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Resume", "a{sv}", "", on_resume, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};
