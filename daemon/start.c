#include "daemon/start.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"
#include "systemd/unit.h"

/* Callers give a method 25 s unless they think of more. What takes longer is answered with the job,
 * and a refusal after that is the job's result. */
#define PATIENCE_USEC (20 * USEC_PER_SEC)
#define LOOK_USEC     (USEC_PER_SEC / 2)

struct Start {
    GPtrArray *calls;  /* Call, that wait */
    UnitCall *systemd; /* StartUnit, then perhaps a look at the unit */
    char *result;      /* systemd's word for the start; NULL: not yet */
    gboolean dead;     /* the worker neither runs nor will */
    gboolean retry;    /* of a job that had ended */
    sd_event_source *patience, *again;
};

static void start_free(struct Start *start)
{
    unit_call_free(start->systemd);
    sd_event_source_disable_unref(start->patience);
    sd_event_source_disable_unref(start->again);
    g_ptr_array_unref(start->calls);
    g_free(start->result);
    g_free(start);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* Whoever asked for a job is told which; whoever named one knows. */
static void answer_one(Call *call, const Job *job)
{
    call_reply(call, *call->row->out ? g_variant_new("(to)", job->id, job->object.path) : NULL);
}

static void accept(Job *job)
{
    struct Start *start = g_steal_pointer(&job->start);

    for (guint i = 0; i < start->calls->len; i++)
        answer_one(start->calls->pdata[i], job);
    start_free(start);
}

static void refuse(Job *job, const GError *error)
{
    struct Start *start = g_steal_pointer(&job->start);

    log_line(
        LOG_NOTICE,
        &(LogFields){ .server = job->request->server, .job = job->id, .code = log_code(error) },
        "Job %" G_GUINT64_FORMAT " was not begun: %s", job->id, error->message);
    for (guint i = 0; i < start->calls->len; i++)
        call_fail(start->calls->pdata[i], error);
    start_free(start);
}

/* The record says why. */
static void refuse_as_recorded(Job *job)
{
    g_autoptr(GError) error = NULL;
    TuError code = TU_ERROR_FAILED;

    tu_error_from_bus_name(job_error_name(job), &code);
    error = g_error_new_literal(TU_ERROR, code,
                                *job_error_message(job) ? job_error_message(job)
                                                        : "The job ended before it began to work");
    refuse(job, error);
}

/* A worker that was killed before it was ready is started again by systemd, whose word about the
 * first one may come after the second one's end. */
static void answer_as_recorded(Job *job)
{
    if (g_str_equal(job_result(job), "done"))
        accept(job);
    else
        refuse_as_recorded(job);
}

/* Keeps a reboot from beginning then and without anybody asking what was refused today: a job that
 * had ended stays as it was, a new one is cancelled. */
static void withdraw(Job *job)
{
    g_autoptr(GError) problem = NULL;

    if (!(job->start->retry ? request_take_retry(job->id, &problem)
                            : request_cancel(job->id, job->request->uid, &problem)))
        log_line(LOG_ERR, &(LogFields){ .server = job->request->server, .job = job->id },
                 "%s. Remove the job's directory, or it begins at the next boot", problem->message);
}

/* The worker never came to say anything. */
static void refuse_dead(Job *job)
{
    g_autoptr(GError) error =
        g_error_new(TU_ERROR, TU_ERROR_FAILED,
                    "The worker of job %" G_GUINT64_FORMAT " could not be started (%s). "
                    "journalctl -u timesten-job@%" G_GUINT64_FORMAT ".service tells more",
                    job->id, job->start->result, job->id);

    withdraw(job);
    refuse(job, error);
    job_refresh(job);
}

/* --- what became of the worker ---------------------------------------------------------------- */

void start_look(Job *job)
{
    struct Start *start = job->start;

    /* Only after systemd's word: a job that was accepted and failed at once was accepted. */
    if (!start || !start->result)
        return;
    if (g_str_equal(start->result, "done"))
        accept(job);
    else if (job_is_finished(job))
        answer_as_recorded(job);
    /* A worker that was killed before it was ready is started again by systemd. */
    else if (g_str_equal(unit_watch_state(job->unit), "active"))
        accept(job);
    else if (start->dead)
        refuse_dead(job);
}

static void look_at_unit(Job *job);

static int on_again(sd_event_source *source, guint64 usec, void *data)
{
    look_at_unit(data);
    return 0;
}

static void on_unit(const UnitState *state, const GError *error, gpointer data)
{
    Job *job = data;
    struct Start *start = job->start;

    g_clear_pointer(&start->systemd, unit_call_free);
    start->dead = error || g_str_equal(state->active_state, "inactive") ||
                  g_str_equal(state->active_state, "failed");
    if (!start->dead) {
        start->again = sd_event_source_disable_unref(start->again);
        sd_event_add_time_relative(job->object.daemon->event, &start->again, CLOCK_MONOTONIC,
                                   LOOK_USEC, 0, on_again, job);
    }
    job_refresh(job);
}

static void look_at_unit(Job *job)
{
    g_autofree char *unit = unit_job(job->id);

    job->start->systemd = unit_read(job->object.daemon->bus, unit, on_unit, job);
    if (!job->start->systemd) {
        job->start->dead = TRUE;
        job_refresh(job);
    }
}

static void on_started(const char *result, const GError *error, gpointer data)
{
    Job *job = data;
    struct Start *start = job->start;

    g_clear_pointer(&start->systemd, unit_call_free);
    start->result = error ? text_one_line(error->message, 200) : g_strdup(result);
    if (g_str_equal(start->result, "done"))
        job_refresh(job);
    else
        look_at_unit(job);
}

static int on_patience(sd_event_source *source, guint64 usec, void *data)
{
    Job *job = data;

    if (job_is_finished(job))
        answer_as_recorded(job);
    else
        accept(job);
    return 0;
}

void start_worker(Job *job, Call *call, gboolean retry)
{
    Daemon *daemon = job->object.daemon;
    g_autofree char *unit = unit_job(job->id);
    struct Start *start = g_new0(struct Start, 1);

    start->calls = g_ptr_array_new();
    if (call)
        g_ptr_array_add(start->calls, call);
    job->start_asked = TRUE;
    start->retry = retry;
    job->start = start;
    sd_event_add_time_relative(daemon->event, &start->patience, CLOCK_MONOTONIC, PATIENCE_USEC, 0,
                               on_patience, job);
    /* The worker that ended the job may still be about to leave: a start would find its unit
     * running and do nothing, and nobody would hear the wish. */
    start->systemd =
        unit_verb(daemon->bus, retry ? UNIT_RESTART : UNIT_START, unit, on_started, job);
    if (!start->systemd) {
        start->result = g_strdup("systemd cannot be asked");
        start->dead = TRUE;
        job_refresh(job);
    }
}

void start_join(Job *job, Call *call)
{
    if (job->start)
        g_ptr_array_add(job->start->calls, call);
    else
        answer_one(call, job);
}

gboolean start_is_retry(const Job *job)
{
    return job->start && job->start->retry;
}

void start_drop(Job *job)
{
    if (job->start)
        start_free(g_steal_pointer(&job->start));
}

void start_forget(Job *job)
{
    g_autoptr(GError) error = NULL;

    if (!job->start)
        return;
    error = g_error_new(TU_ERROR, TU_ERROR_NO_SUCH_JOB,
                        "Job %" G_GUINT64_FORMAT " was taken off the disk", job->id);
    refuse(job, error);
}
