#include "daemon/jobs.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/publish.h"
#include "daemon/server.h"
#include "daemon/start.h"
#include "daemon/world.h"
#include "common/error.h"
#include "common/names.h"

struct JobTable {
    GPtrArray *jobs; /* Job, referenced, ascending by id */
    Watch *watch;
};

const GPtrArray *jobs_all(const Daemon *daemon)
{
    return daemon->jobs->jobs;
}

Job *jobs_find(const Daemon *daemon, guint64 id)
{
    const GPtrArray *jobs = jobs_all(daemon);

    for (guint i = jobs->len; i-- > 0;)
        if (((Job *)jobs->pdata[i])->id == id)
            return jobs->pdata[i];
    return NULL;
}

static gboolean works_on(const Job *job, const char *server)
{
    return job->request && g_str_equal(job->request->server, server);
}

Job *jobs_unfinished(const Daemon *daemon, const char *server)
{
    const GPtrArray *jobs = jobs_all(daemon);

    for (guint i = jobs->len; i-- > 0;)
        if (works_on(jobs->pdata[i], server) && !job_is_finished(jobs->pdata[i]))
            return jobs->pdata[i];
    return NULL;
}

Job *jobs_rival(const Daemon *daemon, const JobRequest *request, const char **ret_instance)
{
    const char *const instances[] = { request->from, request->to };
    const GPtrArray *jobs = jobs_all(daemon);

    for (guint i = jobs->len; i-- > 0;) {
        Job *job = jobs->pdata[i];

        if (!job->request || works_on(job, request->server) || job_is_finished(job))
            continue;
        for (guint k = 0; k < G_N_ELEMENTS(instances); k++)
            if (request_uses(request, instances[k]) && request_uses(job->request, instances[k])) {
                *ret_instance = instances[k];
                return job;
            }
    }
    return NULL;
}

Job *jobs_last_finished(const Daemon *daemon, const char *server)
{
    const GPtrArray *jobs = jobs_all(daemon);

    for (guint i = jobs->len; i-- > 0;)
        if (works_on(jobs->pdata[i], server) && job_is_finished(jobs->pdata[i]))
            return jobs->pdata[i];
    return NULL;
}

gboolean jobs_any_alive(const Daemon *daemon)
{
    const GPtrArray *jobs = jobs_all(daemon);

    for (guint i = 0; i < jobs->len; i++) {
        const Job *job = jobs->pdata[i];

        if (!job_is_finished(job) && (job->start || unit_watch_runs(job->unit)))
            return TRUE;
    }
    return FALSE;
}

gboolean jobs_known(const Daemon *daemon)
{
    const GPtrArray *jobs = jobs_all(daemon);

    for (guint i = 0; i < jobs->len; i++) {
        const Job *job = jobs->pdata[i];

        if (job->unit && !unit_watch_answered(job->unit))
            return FALSE;
    }
    return TRUE;
}

/* --- reading a job ---------------------------------------------------------------------------- */

static void take_damage(Job *job, const char *message)
{
    g_autofree char *directory = path_job(job->id, NULL);

    g_free(job->damage);
    job->damage =
        g_strdup_printf("%s. Look at %s and at the server, and remove that directory when "
                        "the server is as it should be",
                        message, directory);
}

static void read_files(Job *job)
{
    g_autoptr(GError) error = NULL;

    g_clear_pointer(&job->damage, g_free);
    g_clear_pointer(&job->summary, record_summary_free);
    g_clear_pointer(&job->progress, progress_free);
    if (!job->request)
        job->request = request_load(job->id, &error);
    if (!error)
        job->summary = record_load(job->id, &error);
    if (error)
        take_damage(job, error->message);
    else if (job->summary->damaged)
        take_damage(job, "The record of the job is damaged");
    job->cancelled = request_is_cancelled(job->id);
    if (!job_is_finished(job))
        job->progress = progress_read(job->id);
}

static gboolean is_announced(const Job *job)
{
    const RecordStep *step =
        job->summary && !job_is_finished(job) ? record_find_step(job->summary, "announce") : NULL;

    return step && (step->state == STEP_RUNNING || step->state == STEP_DONE);
}

static const char *server_name(const Job *job)
{
    return job->request ? job->request->server : "";
}

static void tell_announcement(Job *job)
{
    gboolean announced = is_announced(job);

    if (announced == job->announced)
        return;
    job->announced = announced;
    object_emit(job->object.daemon->manager, "PrepareForUpgrade",
                g_variant_new("(sb)", server_name(job), announced));
}

/* Whoever hears the end may read what it changed, also which instance backs the server by now. */
static void tell_end(Job *job, const char *result)
{
    world_look_again(job->object.daemon);
    publish_flush(job->object.daemon);
    object_emit(job->object.daemon->manager, "JobRemoved",
                g_variant_new("(toss)", job->id, job->object.path, server_name(job), result));
}

/* A worker that systemd does not run although its job is not finished: somebody stopped it, or it
 * could not be started. Nothing will go on until it is started. */
static void tell_standstill(Job *job)
{
    const char *state = unit_watch_state(job->unit);
    gboolean still = g_str_equal(state, "inactive") || g_str_equal(state, "failed");

    job->seen_running |= unit_watch_runs(job->unit);
    still = still && job->seen_running && !job->start;
    if (still && !job->stop_told)
        log_line(LOG_WARNING, &(LogFields){ .server = server_name(job), .job = job->id },
                 "Job %" G_GUINT64_FORMAT " is not finished, but its worker is %s. "
                 "To go on: systemctl start timesten-job@%" G_GUINT64_FORMAT ".service",
                 job->id, state, job->id);
    job->stop_told = still;
}

/* A request, or the wish to go on, whose daemon died before systemd had heard of it: no worker will
 * come by itself, and a server with an unfinished job would wait for it for ever. Tried once by each
 * daemon. */
static void start_forgotten(Job *job)
{
    const char *state = unit_watch_state(job->unit);
    gboolean retry = request_wants_retry(job->id);

    if (job->start || job->start_asked || !job->request || !job->summary || job->summary->damaged ||
        (job->summary->starts > 0 && !retry) ||
        !(g_str_equal(state, "inactive") || (retry && g_str_equal(state, "failed"))))
        return;
    log_line(LOG_NOTICE, &(LogFields){ .server = server_name(job), .job = job->id },
             "Job %" G_GUINT64_FORMAT " was asked %s; it %s now", job->id,
             retry ? "to go on and did not" : "for and never begun", retry ? "goes on" : "begins");
    start_worker(job, NULL, retry);
}

static void mark(Job *job)
{
    Server *server = server_find(job->object.daemon, server_name(job));

    publish_mark(&job->object);
    if (server)
        publish_mark(&server->object);
}

static void stop_watching(Job *job)
{
    g_clear_pointer(&job->unit, unit_watch_free);
    g_clear_pointer(&job->record_watch, watch_free);
    g_clear_pointer(&job->progress_watch, watch_free);
}

void job_refresh(Job *job)
{
    g_autoptr(Object) keep G_GNUC_UNUSED = object_ref(job);

    if (job->object.gone)
        return;
    read_files(job);
    mark(job);
    tell_announcement(job);
    if (job_is_finished(job) && !job->ended) {
        job->ended = TRUE;
        stop_watching(job);
        log_line(LOG_INFO, &(LogFields){ .server = server_name(job), .job = job->id },
                 "Job %" G_GUINT64_FORMAT " on server %s ended: %s", job->id, server_name(job),
                 job_result(job));
        tell_end(job, job_result(job));
    } else if (!job->ended) {
        start_forgotten(job);
        tell_standstill(job);
    }
    start_look(job);
}

static void on_change(gpointer data)
{
    job_refresh(data);
}

static void follow(Job *job)
{
    Daemon *daemon = job->object.daemon;
    g_autofree char *unit = unit_job(job->id);
    g_autofree char *record = path_job(job->id, NULL);
    g_autofree char *progress = path_progress(job->id, NULL);

    job->record_watch = watch_new(daemon->event, record, on_change, job);
    job->progress_watch = watch_new(daemon->event, progress, on_change, job);
    job->unit = unit_watch_new(daemon, unit, on_change, job);
}

void job_reopen(Job *job)
{
    job->ended = job->seen_running = job->stop_told = FALSE;
    follow(job);
}

/* --- the table -------------------------------------------------------------------------------- */

static void clear(gpointer data)
{
    Job *job = data;

    start_drop(job);
    stop_watching(job);
    request_free(job->request);
    record_summary_free(job->summary);
    progress_free(job->progress);
    g_free(job->damage);
}

static int by_id(gconstpointer a, gconstpointer b)
{
    const Job *left = *(Job *const *)a, *right = *(Job *const *)b;

    return left->id < right->id ? -1 : left->id > right->id;
}

/* An object for a job, in the state that it is in: nothing is told, because nothing happened. */
static Job *adopt(Daemon *daemon, guint64 id)
{
    /* Not encoded: a number is a good part of a path as it is. */
    g_autofree char *path = g_strdup_printf(TU_JOB_PATH "/%" G_GUINT64_FORMAT, id);
    Job *job = object_new(sizeof *job, daemon, &job_interface, path, clear);
    guint n = daemon->jobs->jobs->len;

    job->id = id;
    read_files(job);
    if (!job_is_finished(job)) {
        follow(job);
        /* What was written between the first look and the watch. */
        read_files(job);
    }
    job->announced = is_announced(job);
    job->ended = job_is_finished(job);
    g_ptr_array_add(daemon->jobs->jobs, job);
    if (n > 0 && ((Job *)daemon->jobs->jobs->pdata[n - 1])->id > id)
        g_ptr_array_sort(daemon->jobs->jobs, by_id);
    publish_added(&job->object);
    mark(job);
    if (job->damage)
        log_line(LOG_WARNING,
                 &(LogFields){ .server = server_name(job), .job = id, .code = "RecordDamaged" },
                 "Job %" G_GUINT64_FORMAT ": %s", id, job->damage);
    return job;
}

Job *jobs_add(Daemon *daemon, guint64 id)
{
    Job *job = jobs_find(daemon, id);

    if (job)
        return job;
    job = adopt(daemon, id);
    object_emit(daemon->manager, "JobNew",
                g_variant_new("(tos)", id, job->object.path, server_name(job)));
    if (job->announced) {
        /* Somebody else's job, which we see late. */
        job->announced = FALSE;
        tell_announcement(job);
    }
    return job;
}

static void take_off(Daemon *daemon, Job *job)
{
    g_autoptr(Object) keep G_GNUC_UNUSED = object_ref(job);

    start_forget(job);
    mark(job);
    publish_removed(&job->object);
    stop_watching(job);
    g_ptr_array_remove(daemon->jobs->jobs, job);
    if (!job->ended)
        tell_end(job, "");
}

static gboolean contains(const GArray *ids, guint64 id)
{
    for (guint i = 0; i < ids->len; i++)
        if (g_array_index(ids, guint64, i) == id)
            return TRUE;
    return FALSE;
}

static void on_directory(gpointer data)
{
    Daemon *daemon = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) ids = request_list(&error);

    if (!ids) {
        log_line(LOG_WARNING, &(LogFields){ .code = log_code(error) }, "%s, ignoring",
                 error->message);
        return;
    }
    for (guint i = daemon->jobs->jobs->len; i-- > 0;) {
        Job *job = daemon->jobs->jobs->pdata[i];

        if (!contains(ids, job->id))
            take_off(daemon, job);
    }
    for (guint i = 0; i < ids->len; i++)
        jobs_add(daemon, g_array_index(ids, guint64, i));
}

JobTable *jobs_new(Daemon *daemon)
{
    g_autofree char *directory = path_jobs_directory();
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) ids = NULL;

    daemon->jobs = g_new0(JobTable, 1);
    daemon->jobs->jobs = g_ptr_array_new_with_free_func(object_unref);
    daemon->jobs->watch = watch_new(daemon->event, directory, on_directory, daemon);
    ids = request_list(&error);
    if (!ids)
        log_line(LOG_WARNING, &(LogFields){ .code = log_code(error) }, "%s, ignoring",
                 error->message);
    for (guint i = 0; ids && i < ids->len; i++)
        adopt(daemon, g_array_index(ids, guint64, i))->seen_running = TRUE;
    return daemon->jobs;
}

void jobs_free(JobTable *table)
{
    if (!table)
        return;
    watch_free(table->watch);
    g_ptr_array_unref(table->jobs);
    g_free(table);
}
