/* One job on the bus: its properties, Cancel and Retry. What it is made of is in jobs.h. */
#include "daemon/jobs.h"
#include "daemon/call.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/server.h"
#include "daemon/start.h"
#include "common/error.h"
#include "common/names.h"
#include "common/nick.h"
#include "common/text.h"

/* --- what is true of a job -------------------------------------------------------------------- */

/* Asked for, cancelled, and its worker never wrote a line: nothing was changed, and nothing will
 * be. */
static gboolean never_began(const Job *job)
{
    return job->summary && job->cancelled && !job->start && job->summary->starts == 0 &&
           job->summary->steps->len == 0 && !unit_watch_runs(job->unit);
}

gboolean job_is_finished(const Job *job)
{
    return job->damage || !job->summary || job->summary->finished || never_began(job);
}

const char *job_state(const Job *job)
{
    static const char *const words[] = { "waiting", "running", "cancelling", "undoing", NULL };
    gboolean runs = unit_watch_runs(job->unit);
    const char *word = "running";

    if (job_is_finished(job))
        return "finished";
    if (job->summary->starts == 0 && job->summary->steps->len == 0)
        return "queued";
    if (job->summary->undoing)
        word = "undoing";
    for (guint i = 0; runs && job->progress && words[i]; i++)
        if (g_strcmp0(job->progress->state, words[i]) == 0)
            word = words[i];
    /* The wish is on disk; the worker may not have seen it yet. */
    if (job->cancelled && (g_str_equal(word, "running") || g_str_equal(word, "waiting")))
        return "cancelling";
    return runs || !unit_watch_answered(job->unit) || job->summary->undoing ? word : "waiting";
}

const char *job_result(const Job *job)
{
    if (!job_is_finished(job))
        return "";
    if (job->damage || !job->summary)
        return "needs-attention";
    if (never_began(job))
        return "failed";
    return job->summary->result ? job->summary->result : "needs-attention";
}

const char *job_error_name(const Job *job)
{
    if (job->damage)
        return tu_error_row(TU_ERROR_RECORD_DAMAGED)->bus_name;
    if (never_began(job))
        return tu_error_row(TU_ERROR_FAILED)->bus_name;
    return job->summary && job->summary->error ? job->summary->error : "";
}

const char *job_error_message(const Job *job)
{
    if (job->damage)
        return job->damage;
    if (never_began(job))
        return "The worker of the job could not be started; nothing was changed";
    return job->summary && job->summary->message ? job->summary->message : "";
}

guint64 job_finished_usec(const Job *job)
{
    if (!job_is_finished(job) || !job->summary)
        return 0;
    if (job->summary->finished)
        return job->summary->finished_usec;
    return job->request ? job->request->created : 0;
}

double job_progress(const Job *job)
{
    if (job_is_finished(job))
        return g_str_equal(job_result(job), "done") ? 1 : 0;
    return job->progress ? CLAMP(job->progress->fraction, 0, 1) : 0;
}

gboolean job_can_cancel(const Job *job, GError **error)
{
    const RecordStep *commit = job->summary ? record_find_step(job->summary, "commit") : NULL;
    const char *why = NULL;
    int code = TU_ERROR_TOO_LATE;

    if (job->damage) {
        why = job->damage;
        code = TU_ERROR_RECORD_DAMAGED;
    } else if (job_is_finished(job)) {
        why = "it has ended";
    } else if (commit && commit->state != STEP_PENDING) {
        /* Already the intent: whether the rename behind it happened, only the worker can see. */
        why = "the change was committed, so it only goes forward";
    } else if (job->summary->undoing && !job->cancelled) {
        why = "it is undoing itself already";
    }
    if (!why)
        return TRUE;
    g_set_error(error, TU_ERROR, code, "Job %" G_GUINT64_FORMAT " cannot be cancelled: %s", job->id,
                why);
    return FALSE;
}

/* Its record tells of more than checks: from then on the world is no longer as another job left it.
 */
static gboolean has_worked(const Job *job)
{
    if (job->damage || !job->summary)
        return TRUE;
    for (guint i = 0; i < job->summary->steps->len; i++) {
        const RecordStep *step = job->summary->steps->pdata[i];

        if (step->begun && !g_str_equal(step->id, "check"))
            return TRUE;
    }
    return FALSE;
}

/* Another job of the same server that is in the way of JOB: one at work, or one that did something
 * since; NULL none. */
static const Job *find_other(const Job *job)
{
    const GPtrArray *jobs = jobs_all(job->object.daemon);

    for (guint i = jobs->len; i-- > 0;) {
        const Job *other = jobs->pdata[i];

        if (other != job && other->request &&
            g_str_equal(other->request->server, job->request->server) &&
            (!job_is_finished(other) || (other->id > job->id && has_worked(other))))
            return other;
    }
    return NULL;
}

static gboolean not_retried(const Job *job, int code, GError **error, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
static gboolean not_retried(const Job *job, int code, GError **error, const char *format, ...)
{
    g_autofree char *why = NULL;
    va_list args;

    va_start(args, format);
    why = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, TU_ERROR, code, "Job %" G_GUINT64_FORMAT " cannot go on: %s", job->id, why);
    return FALSE;
}

gboolean job_can_retry(const Job *job, GError **error)
{
    const Job *other;
    const char *instance = NULL;

    if (job->damage)
        return not_retried(job, TU_ERROR_RECORD_DAMAGED, error, "%s", job->damage);
    if (!job_is_finished(job))
        return not_retried(job, TU_ERROR_NOT_POSSIBLE, error, "it is at work already");
    if (!g_str_equal(job_result(job), "needs-attention"))
        return not_retried(job, TU_ERROR_NOT_POSSIBLE, error,
                           "it ended with the result \"%s\", and only one that needs attention "
                           "has something left to do. To try again, ask for a new job",
                           job_result(job));
    other = jobs_rival(job->object.daemon, job->request, &instance);
    if (other)
        return not_retried(job, TU_ERROR_BUSY, error,
                           "job %" G_GUINT64_FORMAT " on server %s works with instance %s at this "
                           "moment. Wait for its end",
                           other->id, other->request->server, instance);
    other = find_other(job);
    if (!other)
        return TRUE;
    if (!job_is_finished(other))
        return not_retried(job, TU_ERROR_BUSY, error,
                           "job %" G_GUINT64_FORMAT " works on server %s. Wait for its end, or "
                           "cancel it",
                           other->id, job->request->server);
    return not_retried(job, TU_ERROR_TOO_LATE, error,
                       "job %" G_GUINT64_FORMAT " has changed server %s since", other->id,
                       job->request->server);
}

/* --- properties ------------------------------------------------------------------------------- */

#define JOB(object) ((const Job *)(object))

static GVariant *text(const char *value)
{
    g_autofree char *valid = value ? g_utf8_make_valid(value, -1) : NULL;

    return g_variant_new_string(valid ? valid : "");
}

static GVariant *get_id(const Object *object)
{
    return g_variant_new_uint64(JOB(object)->id);
}

static GVariant *get_kind(const Object *object)
{
    return text(JOB(object)->request ? JOB(object)->request->kind : NULL);
}

static GVariant *get_server(const Object *object)
{
    return text(JOB(object)->request ? JOB(object)->request->server : NULL);
}

static GVariant *get_from(const Object *object)
{
    return text(JOB(object)->request ? JOB(object)->request->from : NULL);
}

static GVariant *get_to(const Object *object)
{
    return text(JOB(object)->request ? JOB(object)->request->to : NULL);
}

/* What "auto" came to stands in the record. */
const char *job_method(const Job *job)
{
    const char *settled =
        job->summary ? g_hash_table_lookup(job->summary->values, "method") : NULL;

    return !job->request ? "" : settled ? settled : job->request->method;
}

static GVariant *get_method(const Object *object)
{
    return text(job_method(JOB(object)));
}

static GVariant *get_state(const Object *object)
{
    return text(job_state(JOB(object)));
}

static GVariant *get_result(const Object *object)
{
    return text(job_result(JOB(object)));
}

static GVariant *get_step(const Object *object)
{
    const Job *job = JOB(object);

    if (job_is_finished(job))
        return text(NULL);
    for (guint i = 0; i < job->summary->steps->len; i++) {
        const RecordStep *step = job->summary->steps->pdata[i];

        if (step->state == STEP_RUNNING || step->state == STEP_UNDOING)
            return text(step->id);
    }
    return text(job->progress ? job->progress->step : NULL);
}

static GVariant *get_steps(const Object *object)
{
    const RecordSummary *summary = JOB(object)->summary;
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(sss)"));

    for (guint i = 0; summary && i < summary->steps->len; i++) {
        const RecordStep *step = summary->steps->pdata[i];

        g_variant_builder_add(&list, "(@s@ss)", text(step->id), text(step->description),
                              nick_of(step_state_nicks, step->state));
    }
    return g_variant_builder_end(&list);
}

static GVariant *get_progress(const Object *object)
{
    return g_variant_new_double(job_progress(JOB(object)));
}

static GVariant *get_remaining(const Object *object)
{
    const Job *job = JOB(object);

    return g_variant_new_uint64(job_is_finished(job) ? 0
                                : job->progress      ? job->progress->remaining_usec
                                                     : USEC_NEVER);
}

/* From the intent to hold until the port was open again, as the record tells it: by "resume", or by
 * the undoing of "hold". The time of day is all there is where a reboot came in between. */
static guint64 held_by_record(const Job *job)
{
    const RecordStep *hold = job->summary ? record_find_step(job->summary, "hold") : NULL;
    const RecordStep *resume = job->summary ? record_find_step(job->summary, "resume") : NULL;
    const RecordStep *last = NULL;
    guint64 end = job_finished_usec(job), held;

    if (!hold || !hold->begun)
        return 0;
    if (resume && resume->state == STEP_DONE)
        last = resume;
    else if (hold->state == STEP_UNDONE)
        last = hold;
    if (last &&
        text_parse_uint64(g_hash_table_lookup(last->values, RECORD_HELD), 0, G_MAXUINT64, &held))
        return held;
    if (last)
        end = last->ended;
    return end > hold->begun ? end - hold->begun : 0;
}

static GVariant *get_held(const Object *object)
{
    const Job *job = JOB(object);

    return g_variant_new_uint64(job_is_finished(job) ? held_by_record(job)
                                : job->progress      ? job->progress->held_usec
                                                     : 0);
}

static GVariant *get_error(const Object *object)
{
    return g_variant_new("(@s@s)", text(job_error_name(JOB(object))),
                         text(job_error_message(JOB(object))));
}

static GVariant *get_left_to_do(const Object *object)
{
    const RecordSummary *summary = JOB(object)->summary;
    const char *text =
        summary ? g_hash_table_lookup(summary->values, RECORD_LEFT_TO_DO) : NULL;
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);

    return g_variant_new_strv((const char *const *)lines, -1);
}

static GVariant *get_started_by(const Object *object)
{
    return g_variant_new_uint32(JOB(object)->request ? JOB(object)->request->uid : G_MAXUINT32);
}

static GVariant *get_started(const Object *object)
{
    return g_variant_new_uint64(JOB(object)->request ? JOB(object)->request->created : 0);
}

static GVariant *get_finished(const Object *object)
{
    return g_variant_new_uint64(job_finished_usec(JOB(object)));
}

static GVariant *get_can_cancel(const Object *object)
{
    const Job *job = JOB(object);

    return g_variant_new_boolean(!job->cancelled && job_can_cancel(job, NULL));
}

/* What polkit's question names. */
static void name_in(Call *call, const JobRequest *request)
{
    call_set(&call->server, request->server);
    call_set(&call->from, request->from);
    call_set(&call->to, request->to);
    call_set(&call->method, request->method);
}

/* --- Cancel ----------------------------------------------------------------------------------- */

static gboolean prepare_cancel(Call *call, GError **error)
{
    Job *job = (Job *)call->object;
    g_autoptr(GVariant) options = g_variant_get_child_value(call->arguments, 0);

    if (!options_take(call, options, OPTIONS_NONE, error) || !job_can_cancel(job, error))
        return FALSE;
    name_in(call, job->request);
    return TRUE;
}

static void act_cancel(Call *call)
{
    Job *job = (Job *)call->object;
    g_autoptr(Object) keep G_GNUC_UNUSED = object_ref(job);
    g_autoptr(GError) error = NULL;
    guint32 uid = call_person(call);

    if (job->cancelled || request_cancel(job->id, uid, &error)) {
        if (!job->cancelled)
            log_line(LOG_NOTICE, &(LogFields){ .server = job->request->server, .job = job->id },
                     "User %u asked to cancel job %" G_GUINT64_FORMAT, uid, job->id);
        call_reply(call, NULL);
        job_refresh(job);
    } else {
        call_fail(call, error);
    }
}

/* --- Retry ------------------------------------------------------------------------------------ */

static gboolean prepare_retry(Call *call, GError **error)
{
    Job *job = (Job *)call->object;
    const Inventory *inventory = call->object->daemon->inventory;
    g_autoptr(GVariant) options = g_variant_get_child_value(call->arguments, 0);
    const Server *server =
        job->request ? server_find(job->object.daemon, job->request->server) : NULL;

    if (!options_take(call, options, OPTIONS_NONE, error) ||
        /* Two at the same time are one wish. */
        (!start_is_retry(job) && !job_can_retry(job, error)) ||
        !inventory_server(inventory, job->request->server, error) ||
        !inventory_instance(inventory, job->request->from, error) ||
        !inventory_instance(inventory, job->request->to, error))
        return FALSE;
    if (server && server->under_control) {
        g_set_error(error, TU_ERROR, TU_ERROR_BUSY,
                    "Server %s is being held or resumed at this moment. Try again",
                    job->request->server);
        return FALSE;
    }
    name_in(call, job->request);
    return TRUE;
}

static void act_retry(Call *call)
{
    Job *job = (Job *)call->object;
    g_autoptr(Object) keep G_GNUC_UNUSED = object_ref(job);
    g_autoptr(GError) error = NULL;
    guint32 uid = call_person(call);

    if (start_is_retry(job)) {
        start_join(job, call);
    } else if (request_retry(job->id, uid, &error)) {
        log_line(LOG_NOTICE, &(LogFields){ .server = call->server, .job = job->id },
                 "User %u asked to go on with job %" G_GUINT64_FORMAT, uid, job->id);
        job_reopen(job);
        start_worker(job, call, TRUE);
        job_refresh(job);
    } else {
        call_fail(call, error);
    }
}

static const MethodRow methods[] = {
    { "Cancel", "a{sv}", "", SD_BUS_PARAM(options), "org.timesten.upgrade1.cancel", prepare_cancel,
      act_cancel },
    { "Retry", "a{sv}", "", SD_BUS_PARAM(options), "org.timesten.upgrade1.upgrade", prepare_retry,
      act_retry },
    { NULL },
};

static const PropertyRow properties[] = {
    { "Id", "t", get_id, .constant = TRUE },
    { "Kind", "s", get_kind },
    { "Server", "s", get_server },
    { "From", "s", get_from },
    { "To", "s", get_to },
    { "Method", "s", get_method },
    { "State", "s", get_state },
    { "Result", "s", get_result },
    { "Step", "s", get_step },
    { "Steps", "a(sss)", get_steps },
    { "Progress", "d", get_progress },
    { "RemainingUSec", "t", get_remaining },
    { "HeldUSec", "t", get_held },
    { "Error", "(ss)", get_error },
    { "LeftToDo", "as", get_left_to_do },
    { "StartedByUID", "u", get_started_by, .constant = TRUE },
    { "Started", "t", get_started, .constant = TRUE },
    { "Finished", "t", get_finished },
    { "CanCancel", "b", get_can_cancel },
    { NULL },
};

const Interface job_interface = {
    .name = TU_JOB_INTERFACE,
    .methods = methods,
    .properties = properties,
};
