/* ttctl upgrade: begins a job and follows it. The job belongs to the service: it goes on whatever
 * becomes of this process. */
#include "ctl/bus.h"
#include "ctl/check.h"
#include "ctl/job.h"
#include "ctl/object-json.h"
#include "ctl/request.h"
#include "ctl/terminal.h"
#include "ctl/verbs.h"
#include "ctl/words.h"
#include "common/error.h"

/* A refusal names the checks that failed; each with its remedy is what helps. */
static void explain_refusal(Session *session, char **arguments)
{
    g_autoptr(GPtrArray) findings = NULL;

    if (session->options->quiet || session->options->output != OUTPUT_TEXT)
        return;
    findings = check_ask(session, arguments[0], arguments[1], NULL);
    if (findings)
        check_print(findings, "error", stderr);
}

/* The service answers when the job has passed its checks and runs, or has been refused. */
static sd_bus_message *ask(Session *session, char **arguments, GError **error)
{
    g_autoptr(sd_bus_message) call =
        request_new(session, "Upgrade", arguments[0], arguments[1], error);

    if (!call)
        return NULL;
    if (!session->options->quiet && session->options->output == OUTPUT_TEXT) {
        printf("Checking %s and %s before anything is changed...\n", arguments[0], arguments[1]);
        fflush(stdout);
    }
    return bus_send_patiently(session, call, CALL_CHANGE_USEC, error);
}

static void announce(Session *session, guint64 id, const char *path)
{
    g_autoptr(Job) job = job_load(session, path, NULL);
    g_autofree char *title = job ? word_job(job) : NULL;

    if (session->options->quiet || session->options->output != OUTPUT_TEXT)
        return;
    printf("Job %" G_GUINT64_FORMAT "%s%s\n", id, title ? ": upgrade of " : "", title ? title : "");
    fflush(stdout);
}

/* With --no-wait: what was begun. */
static void print_begun(Session *session, guint64 id, const char *path)
{
    if (session->options->output != OUTPUT_TEXT) {
        g_autoptr(Json) json = json_begin(session->options);

        json_object_begin(json, "begun");
        json_uint(json, "id", id);
        json_string(json, "path", path);
        json_end(json);
        json_finish(json);
    } else if (!session->options->quiet) {
        printf("Watch it: ttctl job %" G_GUINT64_FORMAT " --follow\n", id);
    }
}

int upgrade_run(Session *session, char **arguments, GError **error)
{
    g_autoptr(GError) refusal = NULL;
    g_autoptr(sd_bus_message) answer = ask(session, arguments, &refusal);
    const char *path;
    guint64 id;
    int r;

    if (!answer && !refusal) {
        fputs("The service was asked and may still begin the job: ttctl jobs tells.\n", stderr);
        return EXIT_DETACHED;
    }
    if (!answer) {
        if (g_error_matches(refusal, TU_ERROR, TU_ERROR_CHECKS_FAILED))
            explain_refusal(session, arguments);
        g_propagate_error(error, g_steal_pointer(&refusal));
        return 1;
    }
    r = sd_bus_message_read(answer, "to", &id, &path);
    if (r < 0) {
        bus_fail(error, r, "Cannot read the service's answer");
        return 1;
    }
    announce(session, id, path);
    if (session->options->no_wait) {
        print_begun(session, id, path);
        return 0;
    }
    return job_follow(session, id, path, error);
}
