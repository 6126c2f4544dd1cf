#include "mock.h"

const MockStep steps[N_STEPS] = {
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

void model_job(Mock *mock)
{
    guint64 pace = script_number(mock, "PaceMSec", 40) * 1000;
    /* A busy machine may wake us late; no step is passed over unseen all the same. */
    guint64 elapsed = MIN(g_get_real_time() - mock->job.started, mock->modelled + pace);
    guint turn = turning_step(mock, pace), now = MIN(elapsed / pace, turn);
    Job *job = &mock->job;

    mock->modelled = elapsed;
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
    mock->modelled = 0;
    model_job(mock);
    return sd_bus_reply_method_return(call, NULL);
}

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
    SD_BUS_PROPERTY("LeftToDo", "as", NULL, IN(Job, left_to_do), CHANGES),
    SD_BUS_PROPERTY("StartedByUID", "u", NULL, IN(Job, uid), 0),
    SD_BUS_PROPERTY("Started", "t", NULL, IN(Job, started), 0),
    SD_BUS_PROPERTY("Finished", "t", NULL, IN(Job, finished), CHANGES),
    SD_BUS_PROPERTY("CanCancel", "b", NULL, IN(Job, can_cancel), CHANGES),
    SD_BUS_PROPERTY("OfTheFuture", "t", NULL, IN(Job, id), 0),
    SD_BUS_METHOD("Cancel", "a{sv}", "", on_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Retry", "a{sv}", "", on_retry, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

void know_job(Mock *mock)
{
    mock->job_known = TRUE;
    model_job(mock);
    model_server(mock);
    sd_bus_add_object_vtable(mock->bus, NULL, TU_JOB_PATH "/_37", TU_JOB_INTERFACE, job_vtable,
                             &mock->job);
}

int begin_job(Mock *mock, sd_bus_message *call, const char *kind, const char *from, const char *to)
{
    g_usleep(script_number(mock, "UpgradeTakesMSec", 0) * 1000);
    mock->job.kind = (char *)kind;
    mock->job.from = (char *)from;
    mock->job.to = (char *)to;
    mock->retried = 0;
    mock->job.started = g_get_real_time();
    store_time(mock, "started", mock->job.started);
    mock->job_ended = FALSE;
    mock->modelled = 0;
    mock->cancelled = 0;
    know_job(mock);
    return sd_bus_reply_method_return(call, "to", mock->job.id, TU_JOB_PATH "/_37");
}
