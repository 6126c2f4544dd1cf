/* ttctl upgrade, rollback, confirm, clean, adopt: begin a job and follow it. The job belongs to the service: it
 * goes on whatever becomes of this process. */
#include "ctl/change.h"
#include "ctl/bus.h"
#include "ctl/check.h"
#include "ctl/job.h"
#include "ctl/object-json.h"
#include "ctl/pager.h"
#include "ctl/plan.h"
#include "ctl/terminal.h"
#include "ctl/verbs.h"
#include "ctl/words.h"
#include "common/error.h"

const ChangeKind change_upgrade = { "upgrade", "Upgrade", "an upgrade" };
const ChangeKind change_rollback = { "rollback", "Rollback", "a rollback",
                                     "Let {server} go back from {from} to {to}?", "warning" };
const ChangeKind change_confirm = {
    "confirm", "Confirm", "a confirmation",
    "Let {server} stay with {from}? Going back to {to} loses what is written from then on.", "warning"
};
const ChangeKind change_clean = { "clean", "Clean", "a clean", "Remove all this for good?" };

const ChangeKind change_adopt = { "adopt", "Adopt", "an adoption" };

/* --- before it begins --------------------------------------------------------------------------
 */

/* A refusal names the checks that failed; each with its remedy is what helps. */
static void explain_refusal(Session *session, const Change *change)
{
    g_autoptr(GPtrArray) findings = NULL;

    if (session->options->quiet || session->options->output != OUTPUT_TEXT)
        return;
    findings = check_ask(session, change, NULL);
    if (findings)
        check_print(findings, "error", stderr);
}

static int preview(Session *session, const Change *change, GError **error)
{
    g_autoptr(GPtrArray) findings = check_ask(session, change, error);
    g_autoptr(Pager) pager = NULL;

    if (!findings)
        return 1;
    if (session->options->output == OUTPUT_TEXT) {
        pager = pager_open(session->options);
        if (!plan_print(session, change, error))
            return 1;
        putchar('\n');
    }
    return check_report(session, change, findings);
}

static gboolean says_yes(const Change *change, const char *from, const char *to)
{
    g_autoptr(GString) question = g_string_new(change->kind->question);
    char answer[16] = "";

    g_string_replace(question, "{server}", change->server, 0);
    g_string_replace(question, "{from}", from, 0);
    g_string_replace(question, "{to}", to, 0);
    printf("\n%s [y/N] ", question->str);
    fflush(stdout);
    return fgets(answer, sizeof answer, stdin) &&
           (g_ascii_strcasecmp(g_strstrip(answer), "y") == 0 ||
            g_ascii_strcasecmp(answer, "yes") == 0);
}

/* Shows what it would cost and asks. A script is not asked: it has nobody who could answer, and
 * said by its options what it wants. */
static gboolean ask_person(Session *session, const Change *change, GError **error)
{
    g_autofree char *path = NULL;
    g_autoptr(Server) server = NULL;
    g_autoptr(GPtrArray) findings = NULL;

    if (!change->kind->question || session->options->yes ||
        session->options->output != OUTPUT_TEXT || !terminal_is(stdin) || !terminal_is(stdout))
        return TRUE;
    path = server_path(session, change->server, error);
    server = path ? server_load(session, path, error) : NULL;
    findings = server ? check_ask(session, change, error) : NULL;
    if (!findings)
        return FALSE;
    check_print(findings, "error", stderr);
    if (check_count(findings, "error") > 0) {
        g_set_error(error, TU_ERROR, TU_ERROR_CHECKS_FAILED,
                    "%u checks say that it cannot be done; nothing was changed",
                    check_count(findings, "error"));
        return FALSE;
    }
    check_print(findings, change->kind->shown, stdout);
    if (says_yes(change, server->instance, server->previous_instance))
        return TRUE;
    g_set_error(error, TU_ERROR, TU_ERROR_CANCELLED, "It was not confirmed; nothing was changed");
    return FALSE;
}

/* --- the job -----------------------------------------------------------------------------------
 */

/* The service answers when the job has passed its checks and runs, or has been refused. */
static sd_bus_message *ask(Session *session, const Change *change, GError **error)
{
    g_autoptr(sd_bus_message) call = request_change(session, change, error);

    if (!call)
        return NULL;
    if (!session->options->quiet && session->options->output == OUTPUT_TEXT) {
        printf("Checking %s%s%s before anything is changed...\n", change->server,
               change->target ? " and " : "", change->target ? change->target : "");
        fflush(stdout);
    }
    return bus_send_patiently(session, call, CALL_CHANGE_USEC, error);
}

static void announce(Session *session, const Change *change, guint64 id, const char *path)
{
    g_autoptr(Job) job = job_load(session, path, NULL);
    g_autofree char *title = job ? word_job(job) : NULL;

    if (session->options->quiet || session->options->output != OUTPUT_TEXT)
        return;
    printf("Job %" G_GUINT64_FORMAT ": %s of %s\n", id, change->kind->word,
           title ? title : change->server);
    fflush(stdout);
}

void change_print_begun(Session *session, guint64 id, const char *path)
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

static int begin(Session *session, const Change *change, GError **error)
{
    g_autoptr(GError) refusal = NULL;
    g_autoptr(sd_bus_message) answer = ask(session, change, &refusal);
    const char *path;
    guint64 id;
    int r;

    if (!answer && !refusal) {
        fputs("The service was asked and may still begin the job: ttctl jobs tells.\n", stderr);
        return EXIT_DETACHED;
    }
    if (!answer) {
        if (g_error_matches(refusal, TU_ERROR, TU_ERROR_CHECKS_FAILED))
            explain_refusal(session, change);
        g_propagate_error(error, g_steal_pointer(&refusal));
        return 1;
    }
    r = sd_bus_message_read(answer, "to", &id, &path);
    if (r < 0) {
        bus_fail(error, r, "Cannot read the service's answer");
        return 1;
    }
    announce(session, change, id, path);
    if (session->options->no_wait) {
        change_print_begun(session, id, path);
        return 0;
    }
    return job_follow(session, id, path, error);
}

int change_run(Session *session, const Change *change, GError **error)
{
    if (session->options->dry_run)
        return preview(session, change, error);
    return ask_person(session, change, error) ? begin(session, change, error) : 1;
}

int upgrade_run(Session *session, char **arguments, GError **error)
{
    return change_run(session, &(Change){ &change_upgrade, arguments[0], arguments[1] }, error);
}

int rollback_run(Session *session, char **arguments, GError **error)
{
    return change_run(session, &(Change){ &change_rollback, arguments[0], NULL }, error);
}

int confirm_run(Session *session, char **arguments, GError **error)
{
    return change_run(session, &(Change){ &change_confirm, arguments[0], NULL }, error);
}

int clean_run(Session *session, char **arguments, GError **error)
{
    return change_run(session, &(Change){ &change_clean, arguments[0], NULL }, error);
}

int adopt_run(Session *session, char **arguments, GError **error)
{
    if (!session->options->instance) {
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                    "Whose server is it? Give --instance=INSTANCE; ttctl list shows them");
        return 1;
    }
    return change_run(
        session, &(Change){ &change_adopt, arguments[0], session->options->instance }, error);
}
