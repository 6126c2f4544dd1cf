/* upgrade-job: the worker. `upgrade-job ID` runs one job as timesten-job@ID.service; `check` and
 * `plan` answer the daemon's questions, because only this program knows the steps. */
#include "job/check.h"
#include "job/engine.h"
#include "job/journal.h"
#include "job/meter.h"
#include "job/repair.h"
#include "job/runner.h"
#include "job/steps.h"
#include "job/survey.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"
#include "timesten/belief.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* The unit does not start the worker again after this one: the record is finished, and nothing was
 * begun. */
#define EXIT_REFUSED 77

#define PREPARE_TRIES 5

#define METHOD "method" /* noted of a job: what "auto" came to */
#define REASON "method-reason"

/* One that is not decided yet begins as every other does. */
static const StepType *find_plan(const JobRequest *request, GError **error)
{
    const StepType *plan = plan_of(
        request->kind, g_str_equal(request->method, "auto") ? "offline" : request->method);

    if (!plan)
        g_set_error(error, TU_ERROR, TU_ERROR_NOT_POSSIBLE,
                    "There is no plan for a %s by method %s. Use offline", request->kind,
                    request->method);
    return plan;
}

/* --- one job ------------------------------------------------------------------------------------
 */

/* A job whose worker cannot even begin: where nothing was touched it ends "failed" here. */
static gboolean finish_unbegun(guint64 id, const char *result, const GError *problem,
                               GError **error)
{
    g_autoptr(RecordWriter) writer = record_open(id, error);

    return writer && record_append(writer, RECORD_FINISH, "-", error, "result", result, "error",
                                   tu_error_bus_name(problem), "message", problem->message, NULL);
}

/* Whether any step was begun: from then on only a later worker, or a person, may judge. */
static gboolean has_begun(guint64 id)
{
    g_autoptr(RecordSummary) summary = record_load(id, NULL);

    if (!summary || summary->damaged)
        return TRUE;
    for (guint i = 0; i < summary->steps->len; i++)
        if (((RecordStep *)summary->steps->pdata[i])->begun)
            return TRUE;
    return FALSE;
}

/* The record first: should the wish outlive a crash, there is nothing finished any more that it
 * could reopen. */
static gboolean take_retry(Job *job, GError **error)
{
    if (job->summary->reopened && !job_record(job, RECORD_RETRY, "-", error, NULL))
        return FALSE;
    return !request_wants_retry(job->request->id) || request_take_retry(job->request->id, error);
}

/* A worker may have been killed between the record's end and what comes after it. */
static void wrap_up_again(JobRequest *request)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(Job) job = job_new(request, NULL, &problem);

    if (job)
        engine_wrap_up(job);
    else /* the configuration is another one by now, and nothing of the job is needed any more */
        g_message("Nothing is left to do for a finished job: %s", problem->message);
    sd_notify(0, "READY=1\nSTATUS=finished long ago");
}

/* A job that has not begun is refused by the checks, which name what is missing and how to mend it.
 */
static gboolean look_at_sides(Job *job, GError **ret_blind, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (survey_run(job, ret_blind, &problem))
        return TRUE;
    if (g_error_matches(problem, TU_ERROR, TU_ERROR_NOT_POSSIBLE) && !has_begun(job->request->id))
        step_check(job, error);
    if (error && !*error)
        g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* Of a worker that died, or before this one leaves: its last wish to PID 1 may not have been sent. */
static void forget_short(Job *job)
{
    run_forget_short(job, &job->from);
    run_forget_short(job, &job->to);
}

/* The job, with all that its steps need to know; *ret_blind as engine_run() wants it. */
static Job *prepare(guint64 id, GError **ret_blind, GError **error)
{
    RecordSummary *summary = record_load(id, error);
    JobRequest *request = summary ? request_load(id, error) : NULL;
    g_autoptr(Job) job = NULL;

    if (!request) {
        g_clear_pointer(&summary, record_summary_free);
        return NULL;
    }
    job = job_new(request, summary, error);
    if (!job)
        return NULL;
    forget_short(job);
    if (find_plan(job->request, error) && job_make_runtime(job, error) &&
        look_at_sides(job, ret_blind, error))
        return g_steal_pointer(&job);
    forget_short(job);
    return NULL;
}

/* A job that has begun is worth some patience: PID 1 or a file system may only be slow. */
static Job *prepare_patiently(guint64 id, GError **ret_blind, GError **error)
{
    for (guint try = 1;; try++) {
        g_autoptr(GError) problem = NULL;
        Job *job = prepare(id, ret_blind, &problem);

        if (job)
            return job;
        if (try == PREPARE_TRIES || !has_begun(id) || job_told_to_stop()) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return NULL;
        }
        g_message("%s; trying again", problem->message);
        g_usleep(try * G_USEC_PER_SEC);
    }
}

/* Decided once: whoever goes on has the plan that was begun. */
static gboolean settle_method(Job *job, GError **error)
{
    const char *noted = g_hash_table_lookup(job->summary->values, METHOD);
    g_autofree char *why = NULL;

    if (!g_str_equal(job->request->method, "auto"))
        return TRUE;
    if (noted) {
        job_set_method(job, noted);
        return TRUE;
    }
    if (has_begun(job->request->id)) { /* by a release that knew offline alone */
        job_set_method(job, "offline");
        return TRUE;
    }
    if (!check_choose_method(job, &why, error))
        return FALSE;
    g_message("Method %s", why);
    return job_record(job, RECORD_NOTE, "-", error, METHOD, job->request->method, REASON, why,
                      NULL);
}

static gboolean work(Job *job, const GError *blind, GError **error)
{
    gboolean ok;

    job->writer = record_open(job->request->id, error);
    if (!job->writer || !take_retry(job, error) || !survey_remember(job, error) ||
        !settle_method(job, error))
        return FALSE;
    job->meter = meter_new(job);
    ok = engine_run(job, find_plan(job->request, NULL), blind, error);
    g_clear_pointer(&job->meter, meter_free);
    return ok;
}

static gboolean run_job(guint64 id, gboolean *ret_refused, GError **error)
{
    g_autoptr(RecordSummary) before = record_load(id, error);
    g_autoptr(JobRequest) request = before ? request_load(id, error) : NULL;
    g_autoptr(GError) problem = NULL, blind = NULL;
    g_autoptr(Job) job = NULL;

    if (!request)
        return FALSE;
    if (before->finished) {
        wrap_up_again(g_steal_pointer(&request));
        return TRUE;
    }
    job = prepare_patiently(id, &blind, &problem);
    if (job && work(job, blind, &problem) && !job->starved) {
        *ret_refused = job->summary->finished && !job->ready;
        return TRUE;
    }
    if (job && job->starved && !problem)
        tu_error_errno(&problem, EMFILE, "The worker cannot open any file; the next one goes on");
    if (job_told_to_stop() || (job && has_begun(id))) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (job) {
        forget_short(job);
        g_clear_pointer(&job->writer, record_close);
    }
    *ret_refused = TRUE;
    if (has_begun(id))
        g_warning("Job %" G_GUINT64_FORMAT
                  " cannot be gone on with: %s. Mend that, then ttctl retry "
                  "%" G_GUINT64_FORMAT,
                  id, problem->message, id);
    return finish_unbegun(id, has_begun(id) ? "needs-attention" : "failed", problem, error);
}

/* --- questions ----------------------------------------------------------------------------------
 */

static Job *job_for_question(char **words, GError **error)
{
    g_autoptr(JobRequest) request = g_new0(JobRequest, 1);
    g_autoptr(Inventory) inventory = inventory_load();
    const ServerConfig *server = NULL;
    const char *kind = "upgrade", *method = NULL, *peer;

    request->options = g_variant_parse(G_VARIANT_TYPE_VARDICT, words[2], NULL, NULL, error);
    if (!request->options)
        return NULL;
    g_variant_lookup(request->options, "kind", "&s", &kind);
    g_variant_lookup(request->options, "method", "&s", &method);
    if (g_variant_lookup(request->options, "peer", "&s", &peer))
        method = "peer";
    request->kind = g_strdup(kind);
    /* A server that is to be adopted is not there yet. */
    if (!request_adopts(request) && !(server = inventory_server(inventory, words[0], error)))
        return NULL;
    request->server = g_strdup(words[0]);
    request->from = g_strdup(server ? server->instance : words[1]);
    request->to = g_strdup(words[1]);
    request->unit = g_strdup("");
    if (!method)
        method = g_str_equal(kind, "upgrade") ? "auto" : "offline";
    request->method = g_strdup(method);
    if (request_moves_server(request) && g_str_equal(request->from, request->to)) {
        g_set_error(error, TU_ERROR, TU_ERROR_NOT_POSSIBLE,
                    "Server %s is already backed by instance %s. Name another target",
                    request->server, request->to);
        return NULL;
    }
    return job_new(g_steal_pointer(&request), NULL, error);
}

/* *ret_why: what is to be told of the choice; NULL where there was none. g_free(). */
static gboolean choose(Job *job, char **ret_why, GError **error)
{
    *ret_why = NULL;
    if (!g_str_equal(job->request->method, "auto"))
        return TRUE;
    job_survey(job, NULL); /* what cannot be looked at is told by the checks */
    return check_choose_method(job, ret_why, error);
}

static GVariant *answer_check(Job *job, GError **error)
{
    g_autofree char *why = NULL;
    g_autoptr(GPtrArray) findings = NULL;
    GVariantBuilder answer;

    if (!choose(job, &why, error) ||
        !(findings = check_run(job, find_plan(job->request, error), error)))
        return NULL;
    g_variant_builder_init(&answer, G_VARIANT_TYPE("a(sssss)"));
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = findings->pdata[i];

        g_variant_builder_add(&answer, "(sssss)", severity_nicks[finding->severity], finding->id,
                              finding->subject, finding->message, finding->remedy);
    }
    if (why)
        g_variant_builder_add(&answer, "(sssss)", severity_nicks[SEVERITY_INFO], "method",
                              job->server->name, why, "");
    return g_variant_builder_end(&answer);
}

/* Why this method is told where a reader begins: at the first step, which looks. */
static GVariant *answer_plan(Job *job, GError **error)
{
    GVariantBuilder steps;
    g_autofree char *why = NULL;
    const StepType *plan;

    if (!job_survey(job, error) || !choose(job, &why, error) ||
        !(plan = find_plan(job->request, error)))
        return NULL;
    g_variant_builder_init(&steps, G_VARIANT_TYPE("a(ssbt)"));
    for (gboolean before = TRUE; plan->id; plan++) {
        g_autofree char *told =
            why && g_str_equal(plan->id, "check")
                ? g_strdup_printf("%s. Method %s", plan->description, why)
                : g_strdup(plan->description);

        before &= !plan->commits;
        g_variant_builder_add(&steps, "(ssbt)", plan->id, told, before, plan->estimate(job));
    }
    return g_variant_new("(sa(ssbt))", job->request->method, &steps);
}

/* Each is told in the journal, too: what was printed is the answer. */
static GVariant *answer_repair(Job *job, GError **error)
{
    g_autoptr(GPtrArray) done = repair_run(job, error);
    GVariantBuilder answer;

    if (!done)
        return NULL;
    g_variant_builder_init(&answer, G_VARIANT_TYPE("a(sssss)"));
    for (guint i = 0; i < done->len; i++) {
        const Repaired *one = done->pdata[i];

        g_variant_builder_add(&answer, "(sssss)", one->id, one->subject, one->before, one->after,
                              one->undo);
        if (!repair_is_dry(job))
            journal_line(job, &(JournalFields){ .priority = LOG_NOTICE },
                         "Repair of check %s: %s was %s, is %s. Undo: %s", one->id, one->subject,
                         one->before, one->after, *one->undo ? one->undo : "-");
    }
    return g_variant_builder_end(&answer);
}

static const struct {
    const char *word;
    GVariant *(*answer)(Job *job, GError **error);
} questions[] = {
    { "check", answer_check },
    { "plan", answer_plan },
    { "repair", answer_repair },
};

static gboolean answer_question(guint which, char **words, GError **error)
{
    g_autoptr(Job) job = job_for_question(words, error);
    g_autoptr(GVariant) answer = NULL;
    g_autofree char *text = NULL;

    if (!job || !find_plan(job->request, error) || !job_make_runtime(job, error))
        return FALSE;
    answer = questions[which].answer(job, error);
    run_forget_all(job);
    job_remove_runtime(job);
    if (!answer)
        return FALSE;
    text = g_variant_print(g_variant_ref_sink(answer), TRUE);
    puts(text);
    return TRUE;
}

/* --- the command line ---------------------------------------------------------------------------
 */

static int usage(FILE *out)
{
    fputs("upgrade-job ID\n"
          "upgrade-job check SERVER TARGET OPTIONS\n"
          "upgrade-job plan SERVER TARGET OPTIONS\n"
          "upgrade-job repair SERVER TARGET OPTIONS\n\n"
          "The worker of timesten-upgrade. It is started by timesten-upgraded(8) as "
          "timesten-job@ID.service;\n"
          "OPTIONS is a{sv} in GVariant's text form, its \"kind\" what is asked about. Use "
          "ttctl(1) instead of calling it.\n",
          out);
    return out == stdout ? EXIT_SUCCESS : 2;
}

/* A job that has begun goes on with what the other files say; a new one is refused by its checks. */
static void read_facts(void)
{
    g_auto(GStrv) problems = belief_load();

    for (guint i = 0; problems[i]; i++)
        g_message("%s", problems[i]);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    gboolean refused = FALSE;
    guint64 id;

    if (argc == 2 && (g_str_equal(argv[1], "--help") || g_str_equal(argv[1], "-h")))
        return usage(stdout);
    for (guint i = 0; argc == 5 && i < G_N_ELEMENTS(questions); i++)
        if (g_str_equal(argv[1], questions[i].word)) {
            g_strfreev(belief_load()); /* the checks say what is wrong with them */
            if (answer_question(i, argv + 2, &error))
                return EXIT_SUCCESS;
            printf("error %s %s\n", tu_error_bus_name(error), error->message);
            return EXIT_FAILURE;
        }
    if (argc != 2 || !text_parse_uint64(argv[1], 1, G_MAXUINT64, &id))
        return usage(stderr);
    read_facts();
    if (run_job(id, &refused, &error))
        return refused ? EXIT_REFUSED : EXIT_SUCCESS;
    fprintf(stderr, "Job %s: %s\n", argv[1], error->message);
    if (refused) /* and not even that could be written; nothing was begun */
        return EXIT_REFUSED;
    /* The unit knows from the status whether starting again can help: a damaged record stays
     * damaged. */
    return error->domain == TU_ERROR ? tu_error_row(error->code)->exit_status : EXIT_FAILURE;
}
