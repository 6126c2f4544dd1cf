/* ttctl jobs, job, cancel, retry: looking at jobs, ending them and going on with them. */
#include "ctl/job.h"
#include "ctl/bus.h"
#include "ctl/change.h"
#include "ctl/follow.h"
#include "ctl/object-json.h"
#include "ctl/pager.h"
#include "ctl/progress.h"
#include "ctl/report.h"
#include "ctl/table.h"
#include "ctl/verbs.h"
#include "ctl/words.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"

/* "main is served by …": for stderr where the job went wrong, so that "2>" has what matters. */
static FILE *report_file(const Job *job)
{
    return g_str_equal(job->result, "done") ? stdout : stderr;
}

/* The release of an instance; NULL where it cannot be told. */
static char *release_of(Session *session, const char *name)
{
    g_autofree char *path = *name ? instance_path(session, name, NULL) : NULL;
    g_autoptr(Instance) instance = path ? instance_load(session, path, NULL) : NULL;

    return instance && *instance->release ? g_strdup(instance->release) : NULL;
}

static void print_problem(const Job *job, FILE *file)
{
    TuError code;
    const char *hint = tu_error_from_bus_name(job->error, &code) ? report_hint(code) : NULL;
    g_autoptr(GString) text = g_string_new(hint ? hint : "");
    g_autofree char *id = g_strdup_printf("@%" G_GUINT64_FORMAT, job->id);

    if (*job->message)
        terminal_paragraph(file, "  ", STYLE_PLAIN, job->message);
    g_string_replace(text, "@ID", id, 0);
    g_string_replace(text, "SERVER", job->server, 0);
    g_string_replace(text, "TARGET", job->to, 0);
    if (text->len > 0)
        terminal_paragraph(file, "  ", STYLE_PLAIN, text->str);
}

static void print_left_to_do(const Job *job)
{
    for (char **line = job->left_to_do; line && *line; line++)
        terminal_paragraph(stdout, "  Left to do: ", STYLE_PLAIN, *line);
}

void job_report(Session *session, const Job *job)
{
    FILE *file = report_file(job);
    g_autofree char *title = g_strdup_printf("Job %" G_GUINT64_FORMAT, job->id);
    g_autofree char *outcome = word_outcome(job);
    g_autofree char *from = release_of(session, job->from);
    g_autofree char *to = release_of(session, job->to);
    g_autofree char *held = text_timespan(job->held_usec);
    g_autofree char *took =
        text_timespan(job->finished > job->started ? job->finished - job->started : 0);

    terminal_put(file, word_style(job->result), title);
    fputs(": ", file);
    terminal_paragraph(file, "", STYLE_PLAIN, outcome);
    if (job_stays(job)) {
        fprintf(file, "  Took %s.\n", took);
    } else {
        fprintf(file, "  Release: %s %s %s\n", from ? from : job->from,
                g_str_equal(job->result, "done") ? terminal_glyph("→", "->") : "stays, instead of",
                to ? to : job->to);
        fprintf(file, "  Took %s; the port was held for %s.\n", took, held);
    }
    print_problem(job, file);
    print_left_to_do(job);
}

static int report_lost(Session *session, guint64 id, GError **error)
{
    g_prefix_error(error,
                   "Lost sight of job %" G_GUINT64_FORMAT
                   ", which goes on by itself (systemctl status timesten-job@%" G_GUINT64_FORMAT
                   "): ",
                   id, id);
    return 1;
}

int job_follow(Session *session, guint64 id, const char *path, GError **error)
{
    g_autoptr(Job) job = NULL;

    switch (follow_job(session, path, &job, error)) {
    case FOLLOW_FINISHED:
        break;
    case FOLLOW_DETACHED:
        fprintf(stderr,
                "Job %" G_GUINT64_FORMAT " goes on without this display.\n"
                "Watch it again: ttctl job %" G_GUINT64_FORMAT " --follow\n"
                "Cancel it:      ttctl cancel %" G_GUINT64_FORMAT "\n",
                id, id, id);
        return EXIT_DETACHED;
    case FOLLOW_FAILED:
        return report_lost(session, id, error);
    }
    if (session->options->output != OUTPUT_TEXT) {
        g_autoptr(Json) json = json_begin(session->options);

        json_job(json, "job", job);
        json_finish(json);
    } else if (!session->options->quiet || job_exit_status(job) != 0) {
        job_report(session, job);
    }
    return job_exit_status(job);
}

static GPtrArray *job_paths(Session *session, GError **error)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(sd_bus_message) answer = bus_call(session, TU_ROOT_PATH, TU_MANAGER_INTERFACE,
                                                "ListJobs", CALL_READ_USEC, error, NULL);
    const char *path;
    int r;

    if (!answer)
        return NULL;
    r = sd_bus_message_enter_container(answer, 'a', "(tsssdo)");
    while (r >= 0 &&
           (r = sd_bus_message_read(answer, "(tsssdo)", NULL, NULL, NULL, NULL, NULL, &path)) > 0)
        g_ptr_array_add(paths, g_strdup(path));
    if (r >= 0)
        return g_steal_pointer(&paths);
    bus_fail(error, r, "Cannot read the service's answer");
    return NULL;
}

/* ListJobs has no results; they are read from the jobs. A job that cannot be read is passed over
 * here: "ttctl job ID" says why. */
static GPtrArray *load_jobs(Session *session, GError **error)
{
    g_autoptr(GPtrArray) paths = job_paths(session, error);
    g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func((GDestroyNotify)job_free);

    if (!paths)
        return NULL;
    for (guint i = 0; i < paths->len; i++) {
        Job *job = job_load(session, paths->pdata[i], NULL);

        if (job)
            g_ptr_array_add(jobs, job);
    }
    return g_steal_pointer(&jobs);
}

static void print_jobs(GPtrArray *jobs)
{
    g_autoptr(Table) table = table_new(">ID", "KIND", "SERVER", "FROM", "TO", "METHOD", "STATE",
                                       ">PROGRESS", "STARTED", ">HELD", NULL);

    for (guint i = 0; i < jobs->len; i++) {
        const Job *job = jobs->pdata[i];
        const char *state = job_is_finished(job) ? job->result : job->state;
        g_autofree char *progress = g_strdup_printf("%.0f%%", CLAMP(job->progress, 0, 1) * 100);
        g_autofree char *started = word_time(job->started);
        g_autofree char *held = text_timespan(job->held_usec);

        table_add_uint(table, job->id);
        table_add(table, job->kind);
        table_add(table, job->server);
        table_add(table, job->from);
        table_add(table, job->to);
        table_add(table, job->method);
        table_add_styled(table, word_style(state), state);
        table_add(table, progress);
        table_add(table, started);
        table_add(table, job->held_usec > 0 ? held : NULL);
    }
    table_print(table, stdout);
}

int jobs_run(Session *session, char **arguments, GError **error)
{
    g_autoptr(GPtrArray) jobs = load_jobs(session, error);
    g_autoptr(Pager) pager = NULL;

    if (!jobs)
        return 1;
    if (session->options->output != OUTPUT_TEXT) {
        g_autoptr(Json) json = json_begin(session->options);

        json_array_begin(json, "jobs");
        for (guint i = 0; i < jobs->len; i++)
            json_job(json, NULL, jobs->pdata[i]);
        json_end(json);
        json_finish(json);
        return 0;
    }
    pager = pager_open(session->options);
    if (jobs->len > 0)
        print_jobs(jobs);
    else
        puts("There are no jobs.");
    return 0;
}

static void print_job(Session *session, const Job *job)
{
    g_autoptr(Table) table = table_new("STEP", "STATE", "DOES", NULL);
    g_autofree char *name = g_strdup_printf("Job %" G_GUINT64_FORMAT, job->id);
    g_autofree char *title = word_job(job);
    g_autofree char *user = word_user(job->started_by);
    g_autofree char *started = word_time(job->started);
    g_autofree char *line = progress_line(job, NULL, 0, 0);

    terminal_put(stdout, STYLE_BOLD, name);
    printf(": %s of %s\n", job->kind, title);
    printf("  Started %s by %s\n", started, user);
    if (!job_is_finished(job))
        printf("  %s\n", line);
    putchar('\n');
    for (guint i = 0; i < job->steps->len; i++) {
        const JobStep *step = job->steps->pdata[i];

        table_add(table, step->id);
        table_add_styled(table, word_style(step->state), step->state);
        table_add(table, step->description);
    }
    table_print(table, stdout);
    if (job_is_finished(job)) {
        g_autofree char *outcome = word_outcome(job);
        g_autofree char *finished = word_time(job->finished);
        g_autofree char *held = text_timespan(job->held_usec);

        printf("\nFinished %s; the port was held for %s.\n", finished, held);
        terminal_paragraph(stdout, "", word_style(job->result), outcome);
    }
    if (*job->message)
        print_problem(job, stdout);
}

int job_run(Session *session, char **arguments, GError **error)
{
    g_autofree char *path = job_path(session, arguments[0], error);
    g_autoptr(Job) job = path ? job_load(session, path, error) : NULL;
    g_autoptr(Pager) pager = NULL;

    if (!job)
        return 1;
    if (session->options->follow)
        return job_follow(session, job->id, path, error);
    if (session->options->output != OUTPUT_TEXT) {
        g_autoptr(Json) json = json_begin(session->options);

        json_job(json, "job", job);
        json_finish(json);
        return 0;
    }
    pager = pager_open(session->options);
    print_job(session, job);
    return 0;
}

int cancel_run(Session *session, char **arguments, GError **error)
{
    g_autofree char *path = job_path(session, arguments[0], error);
    g_autoptr(sd_bus_message) answer = path ? bus_call(session, path, TU_JOB_INTERFACE, "Cancel",
                                                       CALL_CHANGE_USEC, error, "a{sv}", 0)
                                            : NULL;

    if (!answer)
        return 1;
    if (session->options->output != OUTPUT_TEXT) {
        g_autoptr(Job) job = job_load(session, path, error);
        g_autoptr(Json) json = json_begin(session->options);

        if (!job)
            return 1;
        json_job(json, "job", job);
        json_finish(json);
    } else if (!session->options->quiet) {
        printf("Job %s is being cancelled; what it did is undone.\n"
               "Watch it: ttctl job %s --follow\n",
               arguments[0], arguments[0]);
    }
    return 0;
}

/* The service answers when the job is at work again. */
int retry_run(Session *session, char **arguments, GError **error)
{
    g_autofree char *path = job_path(session, arguments[0], error);
    g_autoptr(sd_bus_message) call =
        path ? bus_message(session, path, TU_JOB_INTERFACE, "Retry", error) : NULL;
    g_autoptr(sd_bus_message) answer = NULL;
    g_autoptr(GError) refusal = NULL;
    g_autoptr(Job) job = NULL;
    int r;

    if (!call)
        return 1;
    r = sd_bus_message_append(call, "a{sv}", 0);
    if (r < 0) {
        bus_fail(error, r, "Cannot write a call to the service");
        return 1;
    }
    answer = bus_send_patiently(session, call, CALL_CHANGE_USEC, &refusal);
    if (!answer && !refusal) {
        fputs("The service was asked and may still go on with the job: ttctl jobs tells.\n",
              stderr);
        return EXIT_DETACHED;
    }
    if (!answer) {
        g_propagate_error(error, g_steal_pointer(&refusal));
        return 1;
    }
    job = job_load(session, path, error);
    if (!job)
        return 1;
    if (session->options->no_wait) {
        change_print_begun(session, job->id, path);
        return 0;
    }
    return job_follow(session, job->id, path, error);
}
