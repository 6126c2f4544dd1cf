#include "job/engine.h"
#include "job/inhibitor.h"
#include "job/journal.h"
#include "job/meter.h"
#include "job/runner.h"
#include "common/error.h"
#include "common/file.h"
#include "common/message.h"
#include "common/names.h"
#include "common/text.h"
#include "state/backing.h"
#include "state/boot.h"
#include "state/retention.h"

#include <systemd/sd-daemon.h>
#include <unistd.h>

#define REBOOTED    "rebooted"         /* noted of a job that the host went down under */
#define RECORD_USEC (5 * USEC_PER_SEC) /* between two tries to write what could not be written */
#define ATTEMPTS    4 /* a step begun so often without an end counts as failed (rule 5) */

/* --- finish -------------------------------------------------------------------------------------
 */

/* The error that sent the job back: the record has it as the latest failure. */
static const char *result_of_undo(const Job *job)
{
    const char *cancelled = tu_error_row(TU_ERROR_CANCELLED)->bus_name;

    for (guint i = 0; i < job->summary->steps->len; i++)
        if (((RecordStep *)job->summary->steps->pdata[i])->state == STEP_UNDO_FAILED)
            return "needs-attention";
    return g_strcmp0(job->summary->error, cancelled) == 0 ? "cancelled" : "failed";
}

void engine_wrap_up(Job *job)
{
    g_autoptr(GError) problem = NULL;

    job->interruptible = FALSE;
    run_forget_all(job);
    run_forget_outputs(job);
    backing_tidy(job->server->name);
    if (!retention_tidy(job->server->name, RETENTION_JOBS, &problem)) {
        g_warning("%s, ignoring", problem->message);
        g_clear_error(&problem);
    }
    /* The generator takes away what an unfinished job needed: start at boot, the lock on the
     * socket. */
    if (!run_daemon_reload(job, &problem) && !job->stopping)
        g_warning("%s, ignoring", problem->message);
}

/* Why the job did not get to its end, and what of it could not be taken back; g_free(). */
static char *describe_end(const Job *job)
{
    g_autoptr(GString) text = g_string_new(job->summary->cause);

    for (guint i = 0; i < job->summary->steps->len; i++) {
        const RecordStep *step = job->summary->steps->pdata[i];

        if (step->state != STEP_UNDO_FAILED)
            continue;
        if (text->len && text->str[text->len - 1] != '.')
            g_string_append_c(text, '.');
        g_string_append_printf(text, "%sThen step %s could not be undone: %s", text->len ? " " : "",
                               step->id,
                               step->undo_problem ? step->undo_problem : "no reason told");
    }
    return text->len ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

/* --- a record that cannot be written ------------------------------------------------------------
 */

/* In /run, where a worker that comes next in this boot finds that the job goes back, although its
 * record does not say so. */
static char *marker_path(const Job *job)
{
    return path_progress(job->request->id, "goes-back");
}

static void mark(const Job *job)
{
    g_autofree char *path = marker_path(job);
    g_autoptr(GError) problem = NULL;

    if (record_has_deferred(job->writer) &&
        !file_replace(path, job->summary->message, -1, 0600, &problem))
        g_message("%s, ignoring", problem->message);
}

static void unmark(const Job *job)
{
    g_autofree char *path = marker_path(job);

    unlink(path);
}

/* Everything is done but for the writing: waits until that is possible. */
static gboolean await_record(Job *job, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (!job->ready) /* nothing was begun, and somebody waits for an answer */
        return record_flush(job->writer, error);
    while (!record_flush(job->writer, &problem)) {
        sd_notifyf(0, "STATUS=ended, but the record cannot be written: %s", problem->message);
        g_clear_error(&problem);
        if (!job_sleep(job, RECORD_USEC, NULL))
            return TRUE;
    }
    engine_wrap_up(job);
    return TRUE;
}

/* An undo while nothing could be written left it; one with exports stays. */
static void remove_empty_exports(const Job *job)
{
    g_autofree char *directory = path_exports(job->request->id, NULL);

    rmdir(directory);
}

static gboolean finish(Job *job, const char *result, GError **error)
{
    g_autofree char *bus_error = g_strdup(job->summary->error);
    g_autofree char *message = describe_end(job);
    gboolean good = g_str_equal(result, "done");
    gboolean attention = g_str_equal(result, "needs-attention");

    if (!job_record(job, RECORD_FINISH, "-", error, "result", result, "error",
                    good ? NULL : bus_error, "message", good ? NULL : message, NULL))
        return FALSE;
    job->at = NULL;
    journal_line(job,
                 attention ? &(JournalFields){ LOG_ERR, MESSAGE_NEEDS_ATTENTION, result, NULL }
                           : &(JournalFields){ LOG_NOTICE, MESSAGE_JOB_FINISHED, result, NULL },
                 "Job %s finished: %s%s%s", job->tag, result, good || !message ? "" : ": ",
                 good || !message ? "" : message);
    sd_notifyf(0, "STATUS=finished: %s", result);
    engine_wrap_up(job);
    if (!await_record(job, error))
        return FALSE;
    remove_empty_exports(job);
    unmark(job);
    return TRUE;
}

/* --- undo ---------------------------------------------------------------------------------------
 */

static gboolean was_rebooted(const Job *job)
{
    return g_hash_table_contains(job->summary->values, REBOOTED);
}

/* How long connects were made to wait, by the clock that nobody sets. NULL where a reboot came in
 * between, which has only the time of day to measure by. g_free(). */
static char *held_since(const Job *job, guint64 since)
{
    if (!since || was_rebooted(job))
        return NULL;
    return g_strdup_printf("%" G_GUINT64_FORMAT, (guint64)g_get_monotonic_time() - since);
}

gboolean engine_end_outage(Job *job, GError **error)
{
    g_autofree char *held = held_since(job, job->outage_since);

    job->outage_since = 0;
    return !held || job_note_once(job, RECORD_HELD, held, error);
}

static gboolean undo_step(Job *job, const StepType *type, GError **error)
{
    g_autoptr(GError) problem = NULL;

    job->at = type->id;
    journal_line(job, &(JournalFields){ LOG_INFO, NULL, NULL, NULL }, "Undoing step %s", type->id);
    meter_step(job->meter, "undoing", type->id);
    /* Rule 5 holds for the undo too: what workers died in before counts. */
    g_set_error(&problem, TU_ERROR, TU_ERROR_FAILED,
                "Undoing step %s was begun %d times and never ended: the worker died in it each "
                "time. See journalctl -u timesten-job@%s",
                type->id, ATTEMPTS, job->tag);
    for (guint attempt = record_find_step(job->summary, type->id)->undo_attempts;
         attempt < ATTEMPTS; attempt++) {
        g_clear_error(&problem);
        if (!job_record(job, RECORD_UNDO, type->id, error, NULL))
            return FALSE;
        if (type->undo(job, &problem)) {
            g_autofree char *held =
                g_str_equal(type->id, "hold") ? held_since(job, job->outage_since) : NULL;

            return job_record(job, RECORD_UNDONE, type->id, error, RECORD_HELD, held, NULL);
        }
        if (job->stopping)
            return TRUE;
        journal_line(job, &(JournalFields){ LOG_WARNING, NULL, NULL, problem },
                     "Undoing step %s failed: %s", type->id, problem->message);
        if (!job_sleep(job, (attempt + 1) * USEC_PER_SEC, NULL))
            return TRUE;
    }
    /* The other steps are still undone: most of all the port must open again. */
    return job_record(job, RECORD_UNDO_FAILED, type->id, error, "error", tu_error_bus_name(problem),
                      "message", problem->message, NULL);
}

static gboolean wants_undo(const Job *job, const RecordStep *step, const StepType *type)
{
    if (step->state == STEP_UNDO_FAILED)
        return FALSE;
    /* Also where it was undone: the boot after that has done it anew. */
    if (type->done_by_boot && was_rebooted(job))
        return TRUE;
    return step->state != STEP_PENDING && step->state != STEP_UNDONE;
}

/* The undo of either those steps that clients wait for, or of the others. */
static gboolean undo_some(Job *job, const StepType *plan, gboolean last, GError **error)
{
    for (guint i = job->summary->steps->len; i-- > 0 && !job->stopping;) {
        const RecordStep *step = job->summary->steps->pdata[i];
        const StepType *type = plan_find(plan, step->id);

        if (type && type->undo && type->undone_last == last && wants_undo(job, step, type) &&
            !undo_step(job, type, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean undo_all(Job *job, const StepType *plan, GError **error)
{
    job->interruptible = FALSE;
    journal_line(job, &(JournalFields){ LOG_NOTICE, MESSAGE_UNDO_BEGUN, NULL, NULL },
                 "Job %s goes back: what it did is undone", job->tag);
    inhibitor_release_block(job);
    if (!undo_some(job, plan, FALSE, error))
        return FALSE;
    inhibitor_release(job); /* the port is open */
    if (!undo_some(job, plan, TRUE, error))
        return FALSE;
    return job->stopping || finish(job, result_of_undo(job), error);
}

/* --- forward ------------------------------------------------------------------------------------
 */

static gboolean record_failure(Job *job, const char *step, const GError *problem, GError **error)
{
    journal_line(job, &(JournalFields){ LOG_WARNING, MESSAGE_STEP_FAILED, NULL, problem },
                 "Step %s failed: %s", step, problem->message);
    if (!job_record(job, RECORD_FAIL, step, error, "error", tu_error_bus_name(problem), "message",
                    problem->message, NULL))
        return FALSE;
    if (!job->committed)
        mark(job);
    return TRUE;
}

/* One attempt at a step; *ret_problem tells why it failed. */
static void attempt_step(Job *job, const StepType *type, GError **ret_problem)
{
    g_autofree char *clock = NULL;
    guint64 now;

    if (type->takes_away && job_moves_server(job))
        inhibitor_take(job);
    now = g_get_monotonic_time();
    clock = g_strdup_printf("%" G_GUINT64_FORMAT, now);
    /* Before the commit a line that cannot be written is a step that cannot be done. */
    if (!job_record(job, RECORD_BEGIN, type->id, ret_problem, "monotonic", clock, NULL))
        return;
    job->at = type->id;
    job_set_trouble(job, NULL);
    journal_line(job, &(JournalFields){ LOG_INFO, NULL, NULL, NULL }, "Step %s: %s", type->id,
                 type->description);
    meter_step(job->meter, "running", type->id);
    if (type->takes_away && !job->outage_since)
        job->outage_since = now;
    if (type->run(job, ret_problem))
        job_record(job, RECORD_END, type->id, ret_problem, NULL);
}

static guint attempts_of(const Job *job, const StepType *type)
{
    const RecordStep *step = record_find_step(job->summary, type->id);

    return step ? step->attempts : 0;
}

/* One attempt by this worker; what a crash cut short is begun again, but not for ever (rule 5). */
static void run_step(Job *job, const StepType *type, GError **ret_problem)
{
    if (attempts_of(job, type) >= ATTEMPTS) {
        g_set_error(
            ret_problem, TU_ERROR, TU_ERROR_FAILED,
            "Step %s was begun %d times and never ended: the worker died in it each time. See "
            "journalctl -u timesten-job@%s%s%s",
            type->id, ATTEMPTS, job->tag, job->committed ? ", then ttctl retry " : "",
            job->committed ? job->tag : "");
        return;
    }
    attempt_step(job, type, ret_problem);
}

/* After commit: again and again, a little longer apart each time; then a person is needed. Each
 * failure stands in the record, so that it is not taken for a worker that died, and counts for a
 * later worker too. */
static void run_after_commit(Job *job, const StepType *type, GError **ret_problem)
{
    for (;;) {
        guint failures = record_find_step(job->summary, type->id)->failures + 1;

        g_clear_error(ret_problem);
        run_step(job, type, ret_problem);
        if (!*ret_problem || job->stopping || failures >= 2 * ATTEMPTS ||
            attempts_of(job, type) >= ATTEMPTS)
            return;
        journal_line(job, &(JournalFields){ LOG_WARNING, NULL, NULL, *ret_problem },
                     "Step %s failed and is tried again: %s", type->id, (*ret_problem)->message);
        job_record(job, RECORD_FAIL, type->id, NULL, "error", tu_error_bus_name(*ret_problem),
                   "message", (*ret_problem)->message, NULL);
        if (!job_sleep(job, failures * USEC_PER_SEC, NULL))
            return;
    }
}

static void accept_job(Job *job)
{
    job_accept(job);
    journal_line(job, &(JournalFields){ LOG_NOTICE, MESSAGE_JOB_STARTED, NULL, NULL },
                 "Job %s began: %s of server %s from %s to %s", job->tag, job->request->kind,
                 job->request->server, job->request->from, job->request->to);
}

static gboolean forward(Job *job, const StepType *plan, GError **error)
{
    for (const StepType *type = plan; type->id; type++) {
        const RecordStep *step = record_find_step(job->summary, type->id);
        g_autoptr(GError) problem = NULL;

        if (step && step->state == STEP_DONE && !(type->undone_by_boot && was_rebooted(job)))
            continue;
        if (job->committed)
            run_after_commit(job, type, &problem);
        else
            run_step(job, type, &problem);
        if (job->stopping)
            return TRUE;
        /* A commit may stand although its step failed: the rename is what counts. */
        if (type->commits && !job_read_commit(job, problem != NULL, &job->committed, error))
            return FALSE;
        job->interruptible = !job->committed;
        if (problem && type->commits && job->committed)
            g_clear_error(&problem);
        if (type->commits && job->committed)
            inhibitor_release_block(job);
        if (job->committed && !job->outage_since)
            inhibitor_release(job); /* resumed */
        if (type->commits && job->committed && job_moves_server(job))
            journal_line(job, &(JournalFields){ LOG_NOTICE, MESSAGE_COMMITTED, NULL, NULL },
                         "From now on instance %s backs server %s", job->request->to,
                         job->request->server);
        if (problem && !record_failure(job, type->id, problem, error))
            return FALSE;
        if (problem)
            return job->committed ? finish(job, "needs-attention", error)
                                  : undo_all(job, plan, error);
        if (g_str_equal(type->id, "check"))
            accept_job(job);
    }
    return finish(job, "done", error);
}

/* --- begin, or go on ----------------------------------------------------------------------------
 */

/* Adds what is not there yet: a crash may have cut the list short. */
static gboolean write_plan(Job *job, const StepType *plan, GError **error)
{
    for (; plan->id; plan++) {
        g_autofree char *estimate = g_strdup_printf("%" G_GUINT64_FORMAT, plan->estimate(job));

        if (!record_find_step(job->summary, plan->id) &&
            !job_record(job, RECORD_PLAN, plan->id, error, "description", plan->description,
                        "estimate", estimate, NULL))
            return FALSE;
    }
    return TRUE;
}

/* When the server was taken away, if it was: told by the first step that does so. */
static guint64 find_outage(const Job *job, const StepType *plan)
{
    guint64 begun;

    for (; plan->id; plan++) {
        const RecordStep *step = record_find_step(job->summary, plan->id);

        if (plan->takes_away && step && step->begun) {
            const char *text = g_hash_table_lookup(step->values, "monotonic");
            guint64 now = g_get_monotonic_time();

            /* Of another boot it means nothing. */
            return text_parse_uint64(text, 1, now, &begun) ? begun : now;
        }
    }
    return 0;
}

/* A job that no worker ever began is of the boot that it was asked in. */
static gboolean power_was_cut(const Job *job, const char *boot)
{
    const char *before = job->summary->boot ? job->summary->boot : job->request->boot;

    return before && !g_str_equal(before, boot);
}

/* After a power cut the service comes back soonest by going back, as long as nobody was served by
 * the new release. Stands in the record before the start of this boot: a worker that dies in
 * between must not make the next one believe that nothing happened. */
static gboolean record_power_cut(Job *job, GError **error)
{
    g_autoptr(GError) problem = NULL;

    g_set_error(&problem, TU_ERROR, TU_ERROR_FAILED,
                "The host went down before the %s was committed; it was undone",
                job->request->kind);
    /* The failure first: from then on a record that cannot be written is no hindrance. */
    if (!job->summary->undoing && !job->committed && !record_failure(job, "-", problem, error))
        return FALSE;
    return job_record(job, RECORD_NOTE, "-", error, REBOOTED, "yes", NULL);
}

static gboolean has_begun(const Job *job)
{
    for (guint i = 0; i < job->summary->steps->len; i++)
        if (((RecordStep *)job->summary->steps->pdata[i])->begun)
            return TRUE;
    return FALSE;
}

/* Why the job must go back before anything else, as far as the record does not tell; NULL: it need
 * not. */
static GError *reason_to_go_back(const Job *job, const GError *blind, const GError *unwritable)
{
    g_autofree char *path = marker_path(job);
    gboolean missing;
    g_autofree char *marked = file_read(path, 64 * 1024, &missing, NULL);

    if (job->summary->undoing || job->committed)
        return NULL;
    if (marked)
        return g_error_new_literal(TU_ERROR, TU_ERROR_FAILED, marked);
    return unwritable ? g_error_copy(unwritable) : blind ? g_error_copy(blind) : NULL;
}

gboolean engine_run(Job *job, const StepType *plan, const GError *blind, GError **error)
{
    g_autofree char *boot = boot_identity(error);
    g_autoptr(GError) unwritable = NULL, reason = NULL;
    gboolean planned;

    if (!boot || !job_read_commit(job, FALSE, &job->committed, error))
        return FALSE;
    planned = write_plan(job, plan, &unwritable);
    if (power_was_cut(job, boot) && !record_power_cut(job, error))
        return FALSE;
    if (planned)
        job_record(job, RECORD_START, "-", &unwritable, "boot", boot, NULL);
    if (unwritable && !has_begun(job) && !was_rebooted(job)) {
        g_propagate_error(error, g_steal_pointer(&unwritable));
        return FALSE;
    }
    job->outage_since = find_outage(job, plan);
    job->interruptible = !job->committed;
    if (has_begun(job) && job->summary->starts + (unwritable ? 1 : 0) > 1)
        job_accept(job); /* long ago */
    reason = reason_to_go_back(job, blind, unwritable);
    if (reason && !record_failure(job, "-", reason, error))
        return FALSE;
    /* A failure after the commit also stands in the record, but from there only forward. */
    if (job->summary->undoing && !job->committed)
        return undo_all(job, plan, error);
    return forward(job, plan, error);
}
