/* A service that plays the contract for ttctl's tests: fixed servers and instances, and one job
 * whose state follows from the time since it was begun. That time is in a file, so a mock that dies
 * and is activated again goes on where the job is by then, as the real service does. It changes
 * nothing and knows no TimesTen.
 *
 *     mock DIRECTORY     DIRECTORY/script ([Mock], see below) says what happens, DIRECTORY/calls
 * says what came
 */
#include "mock.h"

#include <unistd.h>

static int on_leave(sd_bus_message *call, void *data, sd_bus_error *error)
{
    _exit(0);
}

/* Not of the contract: for a test that writes another script. */
static const sd_bus_vtable mock_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Exit", "", "", on_leave, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

/* Dies once, in the middle of the job, as a crash would have it. */
static void die_when_told(Mock *mock)
{
    guint64 after = script_number(mock, "DieAfterMSec", 0) * 1000;
    g_autofree char *file = mock_path(mock, "died");

    if (after == 0 || g_get_real_time() - mock->job.started < after ||
        g_file_test(file, G_FILE_TEST_EXISTS))
        return;
    store_time(mock, "died", g_get_real_time());
    _exit(9);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *data)
{
    Mock *mock = data;
    const char *before = mock->job.step;

    sd_event_source_set_time_relative(source, 10000);
    sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    if (!mock->job_known || mock->job_ended)
        return 0;
    model_job(mock);
    model_server(mock);
    die_when_told(mock);
    if (g_str_equal(before, mock->job.step) && !g_str_equal(mock->job.state, "finished"))
        return 0;
    sd_bus_emit_properties_changed(mock->bus, TU_JOB_PATH "/_37", TU_JOB_INTERFACE, "State",
                                   "Result", "Step", "Steps", "Progress", "RemainingUSec",
                                   "HeldUSec", "Error", "Finished", "CanCancel", NULL);
    sd_bus_emit_properties_changed(mock->bus, TU_SERVER_PATH "/main", TU_SERVER_INTERFACE, "State",
                                   "Held", "HoldSince", "HoldDeadline", "Job", "Instance",
                                   "Confirmation", NULL);
    if (g_str_equal(mock->job.state, "finished")) {
        mock->job_ended = TRUE;
        sd_bus_emit_signal(mock->bus, TU_ROOT_PATH, TU_MANAGER_INTERFACE, "JobRemoved", "toss",
                           mock->job.id, TU_JOB_PATH "/_37", mock->job.server, mock->job.result);
    }
    return 0;
}

static void fill(Mock *mock)
{
    static char *databases[] = { "orders", "stock", NULL };
    static char *servers[] = { "main", NULL };
    static char *nothing[] = { NULL };

    mock->job = (Job){ .mock = mock,
                       .id = JOB_ID,
                       .kind = "upgrade",
                       .server = "main",
                       .from = "tt60",
                       .to = "tt70",
                       .method = "offline" };
    mock->servers[0] = (Server){ mock, "main", "serving", "tt60", "6.0.8", "tt50", "relay",
                                 "/",  16002,  databases, 12,     0,       0,       0,      "" };
    mock->servers[1] = (Server){ mock, "spare", "stopped", "tt70", "7.0.6", "", "relay",
                                 "/",  16003,   nothing,   0,      0,       0,    0,  "" };
    mock->instances[0] = (Instance){
        "tt60", "/opt/TimesTen/tt60", "6.0.8", "timesten", "", "running", 16000, 26002, databases,
        servers
    };
    mock->instances[1] = (Instance){
        "tt70", "/opt/TimesTen/tt70", "7.0.6", "timesten", "", "running", 17000, 27002, databases,
        nothing
    };
}

static void serve(Mock *mock)
{
    static const char *const server_paths[] = { TU_SERVER_PATH "/main", TU_SERVER_PATH "/spare" };
    static const char *const instance_paths[] = { TU_INSTANCE_PATH "/tt60",
                                                  TU_INSTANCE_PATH "/tt70" };

    mock->servers[0].confirmation = script_word(mock, "Confirmation");
    if (script_number(mock, "ConfirmInSec", 0))
        mock->servers[0].confirm_by =
            g_get_real_time() + script_number(mock, "ConfirmInSec", 0) * USEC_PER_SEC;
    sd_bus_add_object_vtable(mock->bus, NULL, TU_ROOT_PATH, TU_MANAGER_INTERFACE, manager_vtable,
                             mock);
    sd_bus_add_object_vtable(mock->bus, NULL, TU_ROOT_PATH, "org.timesten.Upgrade1.Mock",
                             mock_vtable, mock);
    for (guint i = 0; i < 2; i++) {
        sd_bus_add_object_vtable(mock->bus, NULL, server_paths[i], TU_SERVER_INTERFACE,
                                 server_vtable, &mock->servers[i]);
        sd_bus_add_object_vtable(mock->bus, NULL, instance_paths[i], TU_INSTANCE_INTERFACE,
                                 instance_vtable, &mock->instances[i]);
    }
    mock->cancelled = load_time(mock, "cancelled");
    mock->retried = load_time(mock, "retried");
    mock->job.started = load_time(mock, "started");
    if (mock->job.started > 0) {
        mock->modelled = g_get_real_time() - mock->job.started;
        know_job(mock);
    }
}

/* A service that is being restarted may not come up at once. */
static gboolean is_to_stay_away(Mock *mock)
{
    guint64 died = load_time(mock, "died");

    return died > 0 && g_get_real_time() - died < script_number(mock, "AwayMSec", 0) * 1000;
}

int main(int argc, char **argv)
{
    Mock mock = {};
    g_autofree char *script = NULL;

    g_assert_cmpint(argc, ==, 2);
    mock.directory = argv[1];
    mock.script = g_key_file_new();
    script = mock_path(&mock, "script");
    g_key_file_load_from_file(mock.script, script, G_KEY_FILE_NONE, NULL);
    if (is_to_stay_away(&mock))
        return 1;
    fill(&mock);
    g_assert_cmpint(sd_event_default(&mock.event), >=, 0);
    g_assert_cmpint(sd_bus_open_system(&mock.bus), >=, 0);
    serve(&mock);
    g_assert_cmpint(sd_bus_attach_event(mock.bus, mock.event, 0), >=, 0);
    g_assert_cmpint(
        sd_event_add_time_relative(mock.event, NULL, CLOCK_MONOTONIC, 10000, 1000, on_tick, &mock),
        >=, 0);
    g_assert_cmpint(sd_bus_request_name(mock.bus, TU_BUS_NAME, 0), >=, 0);
    sd_bus_set_exit_on_disconnect(mock.bus, TRUE);
    return sd_event_loop(mock.event);
}
