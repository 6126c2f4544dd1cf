#include "job/check.h"
#include "job/meter.h"
#include "job/runner.h"
#include "job/steps.h"
#include "common/error.h"
#include "timesten/rules.h"

const char *const severity_nicks[] = { "error", "warning", "info", NULL };

static void finding_free(gpointer data)
{
    Finding *finding = data;

    g_free(finding->subject);
    g_free(finding->message);
    g_free(finding->remedy);
    g_free(finding);
}

GPtrArray *check_findings_new(void)
{
    return g_ptr_array_new_with_free_func(finding_free);
}

void check_found(Check *check, Severity severity, const char *subject, const char *remedy,
                 const char *format, ...)
{
    Finding *finding = g_new0(Finding, 1);
    va_list args;

    va_start(args, format);
    finding->message = g_strdup_vprintf(format, args);
    va_end(args);
    finding->severity = severity;
    finding->id = check->id;
    finding->subject = g_strdup(subject);
    finding->remedy = g_strdup(remedy ? remedy : "");
    g_ptr_array_add(check->findings, finding);
}

static gint by_severity(gconstpointer a, gconstpointer b)
{
    return (*(Finding *const *)a)->severity - (*(Finding *const *)b)->severity;
}

/* A wrong word of the system is a finding like any other; only an interruption ends the checks. */
static gboolean is_interruption(const Job *job, const GError *error)
{
    return job->stopping || g_error_matches(error, TU_ERROR, TU_ERROR_CANCELLED) ||
           g_error_matches(error, TU_ERROR, TU_ERROR_DEADLINE_PASSED);
}

static gboolean probe(Check *check, Side *side, const char *id, GError **error)
{
    g_autoptr(GError) problem = NULL;

    check->id = id;
    if (job_probe_side(check->job, side, &problem))
        return TRUE;
    if (is_interruption(check->job, problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    /* A missing user has a check of its own. */
    if (job_moves_server(check->job) && g_error_matches(problem, TU_ERROR, TU_ERROR_NOT_POSSIBLE))
        return TRUE;
    check_found(check, SEVERITY_ERROR, side->config->name,
                "Correct Home= (and Admin=, Release= where needed) in the instance's file, then "
                "check again",
                "The installation cannot be read: %s", problem->message);
    return TRUE;
}

static gboolean have(const Check *check, gint needs)
{
    const Job *job = check->job;

    return (!(needs & NEEDS_FROM) || job->from.facts) && (!(needs & NEEDS_TO) || job->to.facts) &&
           (!(needs & NEEDS_FROM_DAEMON) ||
            (check->from_status && check->from_status->daemon_running));
}

static gboolean is_named(char **ids, const char *id)
{
    return ids && g_strv_contains((const char *const *)ids, id);
}

static void clear_choice(Check *check)
{
    g_clear_pointer(&check->only, g_strfreev);
    g_clear_pointer(&check->skip, g_strfreev);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Check, clear_choice)

static void read_choice(Check *check, const char *key, char ***ret)
{
    if (check->job->request->options)
        g_variant_lookup(check->job->request->options, key, "^as", ret);
}

/* The daemon has refused to skip what is kept; a request that was written by another hand is not
 * believed either. */
static gboolean is_skipped(Check *check, const CheckType *row)
{
    if (row->kept || !is_named(check->skip, row->id))
        return FALSE;
    check_found(check, SEVERITY_WARNING, check->job->server->name,
                "Leave it out of the option skip to have it looked at",
                "It was skipped, as the option skip asks");
    return TRUE;
}

/* Who names a check wants to hear of it. */
static void tell_unmet(Check *check)
{
    for (char **id = check->only; id && *id; id++) {
        gboolean told = !check_id(*id); /* of another release */

        for (guint i = 0; i < check->findings->len; i++)
            told |= g_str_equal(((Finding *)check->findings->pdata[i])->id, *id);
        if (told)
            continue;
        check->id = check_id(*id);
        check_found(check, SEVERITY_WARNING, check->job->server->name,
                    "ttctl check --list tells what it is for; run all checks to see what is missing",
                    "It was not run: it is for another kind of job or method, or it needs what is "
                    "not there");
    }
}

static gboolean run_rows(Check *check, const CheckType *row, GError **error)
{
    for (; row->id; row++) {
        guint before = check->findings->len;
        g_autoptr(GError) problem = NULL;

        if (!have(check, row->needs) ||
            (row->only && !g_str_equal(row->only, check->job->request->kind)) ||
            (row->method && !g_str_equal(row->method, check->job->request->method)) ||
            (check->only && !is_named(check->only, row->id)))
            continue;
        check->id = row->id;
        if (is_skipped(check, row))
            continue;
        if (!row->look(check, &problem)) {
            if (is_interruption(check->job, problem)) {
                g_propagate_error(error, g_steal_pointer(&problem));
                return FALSE;
            }
            check_found(check, SEVERITY_ERROR, check->job->server->name,
                        "Look at the journal, mend what it says, then check again",
                        "This could not be checked: %s", problem->message);
        }
        if (check->findings->len == before)
            check_found(check, SEVERITY_INFO, check->job->server->name, NULL, "%s", row->fine);
    }
    return TRUE;
}

GPtrArray *check_run(Job *job, const StepType *plan, GError **error)
{
    const CheckType *const moving[] = {
        checks_of_instances, checks_of_databases, checks_of_copies, checks_of_rollback,
        checks_of_online,    checks_of_host,      checks_of_kernel, checks_of_system,
        NULL,
    };
    const CheckType *const in_place[] = { checks_of_instances, checks_of_databases,
                                          checks_of_rollback,  checks_of_in_place,
                                          checks_of_host,      checks_of_kernel,
                                          checks_of_system,    NULL };
    const CheckType *const beside_peer[] = { checks_of_instances, checks_of_databases,
                                             checks_of_copies,    checks_of_peer,
                                             checks_of_host,      checks_of_kernel,
                                             checks_of_system,    NULL };
    const CheckType *const cleaning[] = { checks_of_clean, NULL };
    const CheckType *const adopting[] = { checks_of_adopt, NULL };
    const CheckType *const confirming[] = { checks_of_confirm, NULL };
    const CheckType *const *tables = job->options.peer_host           ? beside_peer
                                     : job_in_place(job)              ? in_place
                                     : job_moves_server(job)          ? moving
                                     : request_adopts(job->request)   ? adopting
                                     : request_confirms(job->request) ? confirming
                                                                      : cleaning;
    g_auto(Check) check = { .job = job, .plan = plan };
    g_autoptr(GPtrArray) findings = check_findings_new();
    g_autoptr(TimesTenStatus) from = NULL, to = NULL;

    check.findings = findings;
    read_choice(&check, "only", &check.only);
    read_choice(&check, "skip", &check.skip);
    if (!run_rows(&check, checks_of_facts, error) ||
        !probe(&check, &job->from, "installation-readable", error) ||
        !probe(&check, &job->to, "installation-readable", error))
        return NULL;
    check.from_status = from = job->from.facts ? run_status(job, &job->from, NULL) : NULL;
    check.to_status = to = job->to.facts ? run_status(job, &job->to, NULL) : NULL;
    for (; *tables; tables++)
        if (!run_rows(&check, *tables, error))
            return NULL;
    tell_unmet(&check);
    g_ptr_array_sort(findings, by_severity);
    return g_steal_pointer(&findings);
}

/* The methods that "auto" tries, the best first; what is left is offline. */
static const struct {
    Method method;
    const CheckType *checks;
    gboolean target; /* whether they look at what runs of the target: who asks a daemon's port that
                        a silent stranger has waits long, and the caller with him */
} candidates[] = {
    { METHOD_IN_PLACE, checks_of_in_place, .target = TRUE },
    { METHOD_ONLINE, checks_of_online },
};

/* Asks the rows of a method alone: what else an upgrade needs it needs by every method. *ret_reason:
 * the first error, NULL none; *ret_far: the releases themselves rule it out. */
static gboolean try_method(Job *job, guint which, char **ret_reason, gboolean *ret_far,
                           GError **error)
{
    g_auto(Check) check = { .job = job };
    g_autoptr(GPtrArray) findings = check_findings_new();
    g_autoptr(TimesTenStatus) from = NULL, to = NULL;
    g_autoptr(RuleAnswer) rule = NULL;

    check.findings = findings;
    read_choice(&check, "skip", &check.skip);
    job_set_method(job, method_nicks[candidates[which].method]);
    rule = rules_ask(candidates[which].method, &job->from.facts->release, &job->to.facts->release);
    *ret_far = !rule->possible;
    if (*ret_far) {
        *ret_reason = g_strdup_printf("release-path: %s", rule->reason);
        return TRUE;
    }
    check.from_status = from = run_status(job, &job->from, NULL);
    check.to_status = to = candidates[which].target ? run_status(job, &job->to, NULL) : NULL;
    for (const CheckType *row = candidates[which].checks; row->id && !*ret_reason; row++) {
        const CheckType one[] = { *row, { NULL } };

        if (!run_rows(&check, one, error))
            return FALSE;
        for (guint i = 0; i < findings->len && !*ret_reason; i++) {
            const Finding *finding = findings->pdata[i];

            if (finding->severity == SEVERITY_ERROR)
                *ret_reason = g_strdup_printf("%s: %s: %s", finding->id, finding->subject,
                                              finding->message);
        }
    }
    if (!from || !from->daemon_running) {
        g_free(*ret_reason);
        *ret_reason = g_strdup("old-daemon-reachable: the old main daemon does not answer");
    }
    return TRUE;
}

gboolean check_choose_method(Job *job, char **ret_why, GError **error)
{
    g_autoptr(GString) against = g_string_new(NULL);

    *ret_why = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(candidates); i++) {
        const char *method = method_nicks[candidates[i].method];
        g_autofree char *reason = NULL;
        gboolean far = FALSE;

        if (!job->from.facts || !job->to.facts)
            reason = g_strdup("installation-readable: the installations cannot be read");
        else if (!try_method(job, i, &reason, &far, error)) {
            job_set_method(job, "auto");
            return FALSE;
        }
        if (!reason) {
            *ret_why = g_strdup_printf("%s, because its checks allow it%s", method, against->str);
            return TRUE;
        }
        /* That two major releases are two is no news. */
        if (!far || candidates[i].method != METHOD_IN_PLACE)
            g_string_append_printf(against, "%s%s is not possible: %s",
                                   against->len ? "; " : ", because ", method, reason);
    }
    job_set_method(job, method_nicks[METHOD_OFFLINE]);
    *ret_why = g_strdup_printf("%s%s", method_nicks[METHOD_OFFLINE], against->str);
    return TRUE;
}

guint check_errors(const GPtrArray *findings)
{
    guint errors = 0;

    for (guint i = 0; i < findings->len; i++)
        errors += ((Finding *)findings->pdata[i])->severity == SEVERITY_ERROR;
    return errors;
}

/* --- the step -----------------------------------------------------------------------------------
 */

gboolean step_check(Job *job, GError **error)
{
    gboolean open = g_str_equal(job->request->method, "auto"); /* nobody could look yet */
    const StepType *plan = plan_of(job->request->kind, open ? "offline" : job->request->method);
    g_autoptr(GPtrArray) findings = check_run(job, plan, error);
    g_autoptr(GString) errors = g_string_new(NULL);

    if (!findings)
        return FALSE;
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = findings->pdata[i];

        if (finding->severity == SEVERITY_WARNING)
            g_message("Check %s (%s): %s", finding->id, finding->subject, finding->message);
        if (finding->severity == SEVERITY_ERROR)
            g_string_append_printf(errors, "%s%s (%s): %s. %s.", errors->len ? " " : "",
                                   finding->id, finding->subject, finding->message,
                                   finding->remedy);
    }
    if (errors->len == 0)
        return TRUE;
    g_set_error(error, TU_ERROR, TU_ERROR_CHECKS_FAILED, "%s", errors->str);
    return FALSE;
}
