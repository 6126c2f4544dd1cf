/* A service that plays the contract for ttctl's tests: fixed servers and instances, and one job
 * whose state follows from the time since it was begun. That time is in a file, so a mock that dies
 * and is activated again goes on where the job is by then, as the real service does. It changes
 * nothing and knows no TimesTen.
 *
 *     mock DIRECTORY     DIRECTORY/script ([Mock], see below) says what happens, DIRECTORY/calls
 * says what came
 */
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define JOB_ID 7

typedef struct Mock Mock;

typedef struct {
    char *name, *home, *release, *admin, *unit, *state;
    guint16 daemon_port, server_port;
    char **databases, **servers;
} Instance;

typedef struct {
    Mock *mock;
    char *name, *state, *instance, *release, *previous, *mode, *job;
    guint16 port;
    char **databases;
    guint32 sessions, held;
    guint64 hold_since;
    guint64 deadline;
} Server;

typedef struct {
    Mock *mock;
    guint64 id;
    char *kind, *server, *from, *to, *method;
    const char *state, *result, *step;
    const char *states[14];
    double progress;
    guint64 remaining, held;
    const char *error, *message;
    guint32 uid;
    guint64 started, finished;
    int can_cancel;
} Job;

typedef enum {
    STEP_HOLD = 3,
    STEP_IMPORT = 8,
    STEP_COMMIT = 11,
    STEP_RESUME = 12,
    N_STEPS = 14
} Step;

static const struct {
    const char *id, *description;
    gboolean reversible;
    guint64 estimate;
} steps[N_STEPS] = {
    { "check", "Check everything again", FALSE, 1000000 },
    { "announce", "Tell applications", TRUE, 0 },
    { "start-new-daemon", "Start the main daemon of tt70", TRUE, 2000000 },
    { "hold", "Let new connects wait", TRUE, 1000 },
    { "drain", "Let open sessions end", FALSE, 10000000 },
    { "stop-old-server", "Stop the server of tt60", TRUE, 1000000 },
    { "quiesce", "Close the \033[2Jdatabases", TRUE, 1000000 },
    { "export", "Export the databases from tt60", TRUE, 60000000 },
    { "import", "Import the databases into tt70", TRUE, 90000000 },
    { "verify", "Compare the rows", FALSE, 2000000 },
    { "start-new-server", "Start the server of tt70", TRUE, 1000000 },
    { "commit", "Let tt70 back the server from here on", FALSE, 0 },
    { "resume", "Serve the waiting clients", FALSE, 0 },
    { "retire-old", "Keep tt60's server off at a reboot", FALSE, 0 },
};

struct Mock {
    sd_bus *bus;
    sd_event *event;
    char *directory;
    GKeyFile *script;
    Job job;
    Server servers[2];
    Instance instances[2];
    gboolean job_known, job_ended;
    guint64 cancelled; /* µs since the epoch */
    guint64 retried;
};

static char *path_in(Mock *mock, const char *name)
{
    return g_build_filename(mock->directory, name, NULL);
}

static guint64 script_number(Mock *mock, const char *key, guint64 otherwise)
{
    g_autofree char *text = g_key_file_get_string(mock->script, "Mock", key, NULL);

    return text ? g_ascii_strtoull(text, NULL, 10) : otherwise;
}

static char *script_word(Mock *mock, const char *key)
{
    char *word = g_key_file_get_string(mock->script, "Mock", key, NULL);

    return word ? word : g_strdup("");
}

static void note_call(Mock *mock, sd_bus_message *call, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
static void note_call(Mock *mock, sd_bus_message *call, const char *format, ...)
{
    g_autofree char *file = path_in(mock, "calls");
    FILE *calls = fopen(file, "a");
    va_list arguments;

    va_start(arguments, format);
    vfprintf(calls, format, arguments);
    va_end(arguments);
    fprintf(calls, " interactive=%d\n", sd_bus_message_get_allow_interactive_authorization(call));
    fclose(calls);
}

static void store_time(Mock *mock, const char *name, guint64 usec)
{
    g_autofree char *file = path_in(mock, name);
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, usec);

    g_file_set_contents(file, text, -1, NULL);
}

static guint64 load_time(Mock *mock, const char *name)
{
    g_autofree char *file = path_in(mock, name);
    g_autofree char *text = NULL;

    return g_file_get_contents(file, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;
}

/* Where the job turns: the step at which it fails, is cancelled or stays; N_STEPS: nowhere. */
static guint turning_step(Mock *mock, guint64 pace)
{
    g_autofree char *end = script_word(mock, "End");

    if (mock->cancelled > 0)
        return (mock->cancelled - mock->job.started) / pace;
    if (g_str_equal(end, "failed"))
        return STEP_IMPORT;
    return g_str_equal(end, "needs-attention") && mock->retried == 0 ? STEP_RESUME : N_STEPS;
}

static void end_job(Job *job, const char *result, const char *error, const char *message,
                    guint64 at)
{
    job->state = "finished";
    job->result = result;
    job->error = error;
    job->message = message;
    job->finished = at;
    job->remaining = 0;
    job->can_cancel = FALSE;
}

static void undo(Mock *mock, guint turn, guint64 since_turn, guint64 pace)
{
    Job *job = &mock->job;
    guint64 undone = since_turn / pace;

    job->state = "undoing";
    job->can_cancel = FALSE;
    if (mock->cancelled == 0)
        job->states[turn] = "failed";
    for (guint i = 0; i < turn; i++) {
        guint at = turn - 1 - i; /* backwards */

        if (steps[at].reversible && i <= undone)
            job->states[at] = i < undone ? "undone" : "undoing";
        if (i == undone)
            job->step = steps[at].id;
    }
    if (undone < turn)
        return;
    job->step = "";
    if (mock->cancelled > 0)
        end_job(job, "cancelled", "org.timesten.Upgrade1.Error.Cancelled", "Cancelled by root",
                job->started + (2 * turn + 1) * pace);
    else
        end_job(
            job, "failed", "org.timesten.Upgrade1.Error.UtilityFailed",
            "ttMigrate -r of DSN orders in tt70 ended with 1: \033[31mTable ORDERS not restored",
            job->started + (2 * turn + 1) * pace);
}

static void model_job(Mock *mock)
{
    guint64 pace = script_number(mock, "PaceMSec", 40) * 1000;
    guint64 elapsed = g_get_real_time() - mock->job.started;
    guint turn = turning_step(mock, pace), now = MIN(elapsed / pace, turn);
    Job *job = &mock->job;

    job->state = "running";
    job->result = job->error = job->message = "";
    job->can_cancel = now < STEP_COMMIT;
    job->finished = 0;
    for (guint i = 0; i < N_STEPS; i++)
        job->states[i] = i < now ? "done" : i == now ? "running" : "pending";
    job->step = now < N_STEPS ? steps[now].id : "";
    job->progress = (double)now / N_STEPS;
    job->remaining = (N_STEPS - now) * pace;
    job->held = elapsed > STEP_HOLD * pace
                    ? MIN(elapsed - STEP_HOLD * pace, (STEP_RESUME - STEP_HOLD) * pace)
                    : 0;
    if (now == N_STEPS)
        end_job(job, "done", "", "", job->started + N_STEPS * pace);
    else if (now == turn && turn >= STEP_COMMIT)
        end_job(job, "needs-attention", "org.timesten.Upgrade1.Error.PortNotHeld",
                "The keeper of main does not answer", job->started + turn * pace);
    else if (now == turn)
        undo(mock, turn, elapsed - turn * pace, pace);
}

static void model_server(Mock *mock)
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

static int get_steps(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *data, sd_bus_error *error)
{
    const Job *job = data;
    int r = sd_bus_message_open_container(reply, 'a', "(sss)");

    for (guint i = 0; r >= 0 && i < N_STEPS; i++)
        r = sd_bus_message_append(reply, "(sss)", steps[i].id, steps[i].description,
                                  job->states[i]);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_error(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *data, sd_bus_error *error)
{
    const Job *job = data;

    return sd_bus_message_append(reply, "(ss)", job->error, job->message);
}

static int get_last_result(sd_bus *bus, const char *path, const char *interface,
                           const char *property, sd_bus_message *reply, void *data,
                           sd_bus_error *error)
{
    return sd_bus_message_append(reply, "(sstt)", "failed",
                                 "org.timesten.Upgrade1.Error.UtilityFailed", (guint64)6,
                                 G_GUINT64_CONSTANT(1700000000000000));
}

static int refuse(Mock *mock, const char *key, sd_bus_error *error)
{
    g_autofree char *name = script_word(mock, key);

    return *name ? sd_bus_error_setf(error, name, "Refused by %s in the script", key) : 0;
}

static char *words_of_options(sd_bus_message *call)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const char *key, *type, *word;
    guint64 big;
    guint32 small;
    int flag;
    char **words = NULL;

    sd_bus_message_enter_container(call, 'a', "{sv}");
    while (sd_bus_message_enter_container(call, 'e', "sv") > 0) {
        sd_bus_message_read(call, "s", &key);
        sd_bus_message_peek_type(call, NULL, &type);
        if (*type == 's' && sd_bus_message_read(call, "v", "s", &word) >= 0)
            g_string_append_printf(text, " %s=%s", key, word);
        else if (*type == 't' && sd_bus_message_read(call, "v", "t", &big) >= 0)
            g_string_append_printf(text, " %s=%" G_GUINT64_FORMAT, key, big);
        else if (*type == 'u' && sd_bus_message_read(call, "v", "u", &small) >= 0)
            g_string_append_printf(text, " %s=%u", key, small);
        else if (*type == 'b' && sd_bus_message_read(call, "v", "b", &flag) >= 0)
            g_string_append_printf(text, " %s=%s", key, flag ? "yes" : "no");
        else if (*type == 'a' && sd_bus_message_enter_container(call, 'v', "as") >= 0) {
            sd_bus_message_read_strv(call, &words);
            g_autofree char *list = g_strjoinv(",", words);

            g_string_append_printf(text, " %s=%s", key, list);
            sd_bus_message_exit_container(call);
        }
        sd_bus_message_exit_container(call);
    }
    sd_bus_message_exit_container(call);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static int on_check(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = ((Server *)data)->mock;
    g_autofree char *checks = script_word(mock, "Checks");
    const char *target;
    int r = refuse(mock, "RefuseCheck", error);

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

static void know_job(Mock *mock);

static int begin_job(Mock *mock, sd_bus_message *call, const char *kind, const char *from,
                     const char *to)
{
    g_usleep(script_number(mock, "UpgradeTakesMSec", 0) * 1000);
    mock->job.kind = (char *)kind;
    mock->job.from = (char *)from;
    mock->job.to = (char *)to;
    mock->retried = 0;
    mock->job.started = g_get_real_time();
    store_time(mock, "started", mock->job.started);
    mock->job_ended = FALSE;
    mock->cancelled = 0;
    know_job(mock);
    return sd_bus_reply_method_return(call, "to", mock->job.id, TU_JOB_PATH "/_37");
}

static int on_upgrade(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = ((Server *)data)->mock;
    const char *target;
    int r = refuse(mock, "RefuseUpgrade", error);

    sd_bus_message_read(call, "s", &target);
    g_autofree char *options = words_of_options(call);
    note_call(mock, call, "Upgrade %s%s", target, options);
    return r < 0 ? r : begin_job(mock, call, "upgrade", "tt60", "tt70");
}

static int on_rollback(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = ((Server *)data)->mock;
    int r = refuse(mock, "RefuseRollback", error);
    g_autofree char *options = words_of_options(call);

    note_call(mock, call, "Rollback%s", options);
    return r < 0 ? r : begin_job(mock, call, "rollback", "tt70", "tt60");
}

static int on_hold(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Server *server = data;
    guint64 limit;
    int r = refuse(server->mock, "RefuseHold", error);

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

static int on_cancel(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = ((Job *)data)->mock;

    note_call(mock, call, "Cancel");
    if (!mock->job.can_cancel)
        return sd_bus_error_set(error, "org.timesten.Upgrade1.Error.TooLate", "It is too late");
    mock->cancelled = g_get_real_time();
    store_time(mock, "cancelled", mock->cancelled);
    return sd_bus_reply_method_return(call, NULL);
}

static int on_retry(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = ((Job *)data)->mock;

    note_call(mock, call, "Retry");
    if (!g_str_equal(mock->job.result, "needs-attention"))
        return sd_bus_error_set(error, "org.timesten.Upgrade1.Error.NotPossible", "It is fine");
    mock->retried = g_get_real_time();
    store_time(mock, "retried", mock->retried);
    mock->job.started = mock->retried; /* so that there is something to follow */
    store_time(mock, "started", mock->retried);
    mock->job_ended = FALSE;
    model_job(mock);
    return sd_bus_reply_method_return(call, NULL);
}

static int on_clean(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = ((Server *)data)->mock;
    g_autofree char *options = words_of_options(call);

    note_call(mock, call, "Clean%s", options);
    return begin_job(mock, call, "clean", "tt70", "tt60");
}

#define CHANGES          SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define IN(type, member) offsetof(type, member)

static const sd_bus_vtable job_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Id", "t", NULL, IN(Job, id), 0),
    SD_BUS_PROPERTY("Kind", "s", NULL, IN(Job, kind), 0),
    SD_BUS_PROPERTY("Server", "s", NULL, IN(Job, server), 0),
    SD_BUS_PROPERTY("From", "s", NULL, IN(Job, from), 0),
    SD_BUS_PROPERTY("To", "s", NULL, IN(Job, to), 0),
    SD_BUS_PROPERTY("Method", "s", NULL, IN(Job, method), 0),
    SD_BUS_PROPERTY("State", "s", NULL, IN(Job, state), CHANGES),
    SD_BUS_PROPERTY("Result", "s", NULL, IN(Job, result), CHANGES),
    SD_BUS_PROPERTY("Step", "s", NULL, IN(Job, step), CHANGES),
    SD_BUS_PROPERTY("Steps", "a(sss)", get_steps, 0, CHANGES),
    SD_BUS_PROPERTY("Progress", "d", NULL, IN(Job, progress), CHANGES),
    SD_BUS_PROPERTY("RemainingUSec", "t", NULL, IN(Job, remaining), CHANGES),
    SD_BUS_PROPERTY("HeldUSec", "t", NULL, IN(Job, held), CHANGES),
    SD_BUS_PROPERTY("Error", "(ss)", get_error, 0, CHANGES),
    SD_BUS_PROPERTY("StartedByUID", "u", NULL, IN(Job, uid), 0),
    SD_BUS_PROPERTY("Started", "t", NULL, IN(Job, started), 0),
    SD_BUS_PROPERTY("Finished", "t", NULL, IN(Job, finished), CHANGES),
    SD_BUS_PROPERTY("CanCancel", "b", NULL, IN(Job, can_cancel), CHANGES),
    SD_BUS_PROPERTY("OfTheFuture", "t", NULL, IN(Job, id), 0),
    SD_BUS_METHOD("Cancel", "a{sv}", "", on_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Retry", "a{sv}", "", on_retry, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static const sd_bus_vtable server_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Name", "s", NULL, IN(Server, name), 0),
    SD_BUS_PROPERTY("Port", "q", NULL, IN(Server, port), 0),
    SD_BUS_PROPERTY("State", "s", NULL, IN(Server, state), CHANGES),
    SD_BUS_PROPERTY("Instance", "s", NULL, IN(Server, instance), CHANGES),
    SD_BUS_PROPERTY("Release", "s", NULL, IN(Server, release), CHANGES),
    SD_BUS_PROPERTY("PreviousInstance", "s", NULL, IN(Server, previous), CHANGES),
    SD_BUS_PROPERTY("Databases", "as", NULL, IN(Server, databases), 0),
    SD_BUS_PROPERTY("Mode", "s", NULL, IN(Server, mode), 0),
    SD_BUS_PROPERTY("Sessions", "u", NULL, IN(Server, sessions), CHANGES),
    SD_BUS_PROPERTY("Held", "u", NULL, IN(Server, held), CHANGES),
    SD_BUS_PROPERTY("HoldSince", "t", NULL, IN(Server, hold_since), CHANGES),
    SD_BUS_PROPERTY("HoldDeadline", "t", NULL, IN(Server, deadline), CHANGES),
    SD_BUS_PROPERTY("Job", "o", NULL, IN(Server, job), CHANGES),
    SD_BUS_PROPERTY("LastResult", "(sstt)", get_last_result, 0, CHANGES),
    SD_BUS_METHOD("Check", "sa{sv}", "a(sssss)", on_check, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Plan", "sa{sv}", "sa(ssbt)", on_plan, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Upgrade", "sa{sv}", "to", on_upgrade, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Rollback", "a{sv}", "to", on_rollback, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Clean", "a{sv}", "to", on_clean, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Hold", "ta{sv}", "", on_hold, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Resume", "a{sv}", "", on_resume, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static const sd_bus_vtable instance_vtable[] = {
    SD_BUS_VTABLE_START(0),
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

static int on_reload(sd_bus_message *call, void *data, sd_bus_error *error)
{
    Mock *mock = data;
    int r = refuse(mock, "RefuseReload", error);

    note_call(mock, call, "Reload");
    return r < 0 ? r : sd_bus_reply_method_return(call, NULL);
}

static const sd_bus_vtable manager_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("ListServers", "", "a(ssqso)", on_list_servers, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ListInstances", "", "a(ssso)", on_list_instances, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ListJobs", "", "a(tsssdo)", on_list_jobs, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("GetServer", "s", "o", on_get_server, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("GetInstance", "s", "o", on_get_instance, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("GetJob", "t", "o", on_get_job, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Reload", "", "", on_reload, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("JobNew", "tos", 0),
    SD_BUS_SIGNAL("JobRemoved", "toss", 0),
    SD_BUS_VTABLE_END,
};

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

static void know_job(Mock *mock)
{
    mock->job_known = TRUE;
    model_job(mock);
    model_server(mock);
    sd_bus_add_object_vtable(mock->bus, NULL, TU_JOB_PATH "/_37", TU_JOB_INTERFACE, job_vtable,
                             &mock->job);
}

/* Dies once, in the middle of the job, as a crash would have it. */
static void die_when_told(Mock *mock)
{
    guint64 after = script_number(mock, "DieAfterMSec", 0) * 1000;
    g_autofree char *file = path_in(mock, "died");

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
                                   "Held", "HoldSince", "HoldDeadline", "Job", "Instance", NULL);
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
                                 "/",  16002,  databases, 12,     0,       0 };
    mock->servers[1] = (Server){ mock, "spare", "stopped", "tt70", "7.0.6", "", "relay",
                                 "/",  16003,   nothing,   0,      0,       0 };
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
    if (mock->job.started > 0)
        know_job(mock);
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
    script = path_in(&mock, "script");
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
