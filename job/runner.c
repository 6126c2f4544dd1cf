#include "job/runner.h"
#include "job/hand.h"
#include "job/journal.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"
#include "common/text.h"
#include "systemd/transient.h"

#include <linux/capability.h>

#define PROGRAM_LIMIT_USEC (60 * USEC_PER_SEC)
#define OUTPUT_LIMIT       (64 * 1024 * 1024)
#define FORGET_USEC        (30 * USEC_PER_SEC)
#define POLL_USEC          (250 * USEC_PER_MSEC)

void utility_result_free(UtilityResult *result)
{
    if (!result)
        return;
    g_free(result->reason);
    g_free(result->output);
    g_free(result);
}

/* --- one transient unit -------------------------------------------------------------------------
 */

typedef struct {
    gboolean ended;
    TransientOutcome *outcome;
    GError *error;
} Waiter;

static void waiter_clear(Waiter *waiter)
{
    transient_outcome_free(waiter->outcome);
    g_clear_error(&waiter->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Waiter, waiter_clear)

static TransientOutcome *outcome_copy(const TransientOutcome *outcome)
{
    TransientOutcome *copy = g_memdup2(outcome, sizeof *outcome);

    copy->output = g_strdup(outcome->output);
    copy->result = g_strdup(outcome->result);
    return copy;
}

static void on_transient(const TransientOutcome *outcome, const GError *error, gpointer data)
{
    Waiter *waiter = data;

    waiter->ended = TRUE;
    waiter->outcome = outcome ? outcome_copy(outcome) : NULL;
    waiter->error = error ? g_error_copy(error) : NULL;
}

/* Runs SPEC to its end. An outcome with exit status -1 (it was never started) is turned into an
 * error. */
static TransientOutcome *run_transient(Job *job, const TransientSpec *spec, GError **error)
{
    guint tries = 0;

    for (;;) {
        g_auto(Waiter) waiter = { 0 };
        g_autoptr(UnitCall) call = transient_run(job->bus, spec, on_transient, &waiter);

        if (call && !job_wait(job, &waiter.ended, error)) {
            transient_forget(job->bus, spec->unit); /* nobody waits for it any more */
            return NULL;
        }
        if (waiter.outcome && waiter.outcome->exit_status >= 0)
            return g_steal_pointer(&waiter.outcome);
        if (waiter.outcome) {
            g_set_error(error, TU_ERROR, TU_ERROR_FAILED,
                        "%s could not be run as user %s: %s. See journalctl -u %s", spec->argv[0],
                        spec->user, waiter.outcome->result, spec->unit);
            return NULL;
        }
        if (job_regain_bus(job, &tries, error))
            continue;
        if (waiter.error && (!error || !*error))
            g_propagate_error(error, g_steal_pointer(&waiter.error));
        else if (error && !*error)
            g_set_error(error, TU_ERROR, TU_ERROR_FAILED, "Cannot ask systemd to run %s",
                        spec->argv[0]);
        return NULL;
    }
}

/* Where a unit's output goes: beside the progress, in /run. */
static char *output_path(const Job *job, const char *name)
{
    g_autofree char *file = g_strconcat("job/", job->tag, "/", name, ".out", NULL);

    return path_runtime(file);
}

static char *job_unit_name(const Job *job, const char *first, const char *second)
{
    return transient_name(job->tag, first, second, NULL);
}

/* Short work has units named after the job and a number: nobody looks for them after a crash. */
static char *short_name(const char *what)
{
    static guint counter;

    return g_strdup_printf("%s.%u", what, ++counter);
}

/* For tests/bench/window, and for whoever wants to know what took so long (journalctl -p debug). */
static void tell_run(const Job *job, const Side *side, const char *what,
                     const TransientOutcome *outcome)
{
    journal_line(job, &(JournalFields){ LOG_DEBUG, NULL, NULL, NULL },
                 "%s of instance %s ran for %" G_GUINT64_FORMAT " us from %" G_GUINT64_FORMAT
                 " us on",
                 what, side->config->name, outcome->usec, outcome->began_usec);
}

static TransientOutcome *run_short_as(Job *job, const Side *side, const char *user,
                                      const guint64 *capabilities, const char *tag, char **argv,
                                      char **environment, guint64 limit_usec, GError **error)
{
    g_autofree char *name = short_name(tag);
    g_autofree char *unit = job_unit_name(job, side->config->name, name);
    g_autofree char *output = output_path(job, name);
    g_autofree char *description =
        g_strdup_printf("TimesTen job %s: %s on %s", job->tag, tag, side->config->name);
    TransientSpec spec = {
        .unit = unit,
        .description = description,
        .argv = argv,
        .environment = environment,
        .user = user,
        .capabilities = capabilities,
        .output = output,
        .limit_usec = limit_usec,
        .fresh = TRUE,
    };
    TransientOutcome *outcome = run_transient(job, &spec, error);

    if (outcome)
        transient_forget(job->bus, unit);
    unlink(output);
    return outcome;
}

static TransientOutcome *run_short(Job *job, const Side *side, const char *tag, char **argv,
                                   char **environment, guint64 limit_usec, GError **error)
{
    TransientOutcome *outcome;

    if (!hand_run(job, side, argv, environment, limit_usec, &outcome, error))
        return NULL;
    if (!outcome)
        outcome =
            run_short_as(job, side, side->admin, NULL, tag, argv, environment, limit_usec, error);
    if (outcome)
        tell_run(job, side, tag, outcome);
    return outcome;
}

/* What a program printed that ended well. OUTCOME is taken over; NULL passes. */
static char *take_output(TransientOutcome *ended, const char *what, const char *user,
                         GError **error)
{
    g_autoptr(TransientOutcome) outcome = ended;
    g_autofree char *said = NULL;

    if (!outcome)
        return NULL;
    if (outcome->exit_status == 0)
        return g_steal_pointer(&outcome->output);
    said = text_one_line(outcome->output, 400);
    g_set_error(error, TU_ERROR, TU_ERROR_UTILITY_FAILED, "While %s as user %s: %s", what, user,
                outcome->timed_out ? "it did not end in time"
                : said[0]          ? said
                                   : "it failed without a word");
    return NULL;
}

char *run_program(Job *job, const Side *side, const char *what, char **argv, GError **error)
{
    g_autofree char *tag = g_path_get_basename(argv[0]);

    return take_output(run_short(job, side, tag, argv, NULL, PROGRAM_LIMIT_USEC, error), what,
                       side->admin, error);
}

/* pidfd_getfd(2) wants it where the process is of another user, and where a security module says
 * that being of the same one is not enough. */
char *run_adopter(Job *job, const Side *of, char **argv, GError **error)
{
    static const guint64 right = G_GUINT64_CONSTANT(1) << CAP_SYS_PTRACE;

    return take_output(run_short_as(job, of, "root", &right, "port-adopter", argv, NULL,
                                    PROGRAM_LIMIT_USEC, error),
                       "looking at the server's port", "root", error);
}

static gboolean run_helper_list(Job *job, const Side *side, const char *verb, va_list args,
                                GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autofree char *what =
        g_strdup_printf("changing the options of instance %s", side->config->name);
    g_autofree char *release =
        side->config->release ? g_strconcat("--release=", side->config->release, NULL) : NULL;
    g_autofree char *said = NULL;

    g_ptr_array_add(argv, LIBEXECDIR "/instance-helper");
    g_ptr_array_add(argv, (char *)verb);
    g_ptr_array_add(argv, side->config->home);
    if (release)
        g_ptr_array_add(argv, release);
    for (char *word; (word = va_arg(args, char *));)
        g_ptr_array_add(argv, word);
    g_ptr_array_add(argv, NULL);
    said = run_program(job, side, what, (char **)argv->pdata, error);
    if (said && said[0])
        g_message("%s: %s", what, g_strchomp(said));
    return said != NULL;
}

gboolean run_helper_set(Job *job, const Side *side, GError **error, ...)
{
    va_list args;
    gboolean ok;

    va_start(args, error);
    ok = run_helper_list(job, side, "set", args, error);
    va_end(args);
    return ok;
}

gboolean run_helper(Job *job, const Side *side, const char *verb, GError **error, ...)
{
    va_list args;
    gboolean ok;

    va_start(args, error);
    ok = run_helper_list(job, side, verb, args, error);
    va_end(args);
    return ok;
}

/* --- utilities ----------------------------------------------------------------------------------
 */

/* OUTPUT_KEPT: the file with all that it printed; NULL where that is gone. */
static UtilityResult *judge(const Side *side, UtilityId id, const UtilityArguments *arguments,
                            const TransientOutcome *outcome, const char *output_kept)
{
    UtilityResult *result = g_new0(UtilityResult, 1);
    g_autofree char *reason = NULL;

    result->exit_status = outcome->exit_status;
    result->output = g_strdup(outcome->output);
    result->usec = outcome->usec;
    result->verdict =
        utility_judge(id, &side->facts->release, outcome->exit_status, outcome->output, &reason);
    if (outcome->timed_out) {
        result->verdict = VERDICT_FAILED;
        g_free(reason);
        reason = g_strdup_printf("%s did not end within its time limit and was killed",
                                 utility_name(id));
    }
    if (result->verdict == VERDICT_PARTIAL || result->verdict == VERDICT_FAILED)
        result->reason = g_strdup_printf(
            "Instance %s%s%s: %s. See %s%stterrors.log in %s, mend the cause, then start again",
            side->config->name, arguments && arguments->dsn ? ", database " : "",
            arguments && arguments->dsn ? arguments->dsn : "", reason,
            output_kept ? output_kept : "", output_kept ? " and " : "", side->facts->daemon_home);
    return result;
}

UtilityResult *run_utility(Job *job, const Side *side, UtilityId id,
                           const UtilityArguments *arguments, GError **error)
{
    const char *home = side->facts->home;
    const Release *release = &side->facts->release;
    g_auto(GStrv) argv = utility_argv(id, home, release, arguments, error);
    g_auto(GStrv) environment = utility_environment(id, home, release);
    g_autofree char *tag = g_strdelimit(g_strdup(utility_name(id)), " ", '_');
    g_autoptr(TransientOutcome) outcome = NULL;

    if (!argv)
        return NULL;
    outcome = run_short(job, side, tag, argv, environment, utility_limit_usec(id), error);
    return outcome ? judge(side, id, arguments, outcome, NULL) : NULL;
}

UtilityResult *run_utility_checked(Job *job, const Side *side, UtilityId id,
                                   const UtilityArguments *arguments, GError **error)
{
    g_autoptr(UtilityResult) result = run_utility(job, side, id, arguments, error);

    if (result && result->reason) {
        g_set_error_literal(error, TU_ERROR, TU_ERROR_UTILITY_FAILED, result->reason);
        return NULL;
    }
    return g_steal_pointer(&result);
}

TimesTenStatus *run_status(Job *job, const Side *side, GError **error)
{
    g_autoptr(UtilityResult) result = run_utility(job, side, UTILITY_STATUS, NULL, error);

    return result ? status_parse(result->output, result->exit_status) : NULL;
}

/* --- several at a time --------------------------------------------------------------------------
 */

void parallel_run_clear(ParallelRun *run)
{
    g_clear_pointer(&run->call, unit_call_free);
    g_clear_pointer(&run->result, utility_result_free);
    g_clear_pointer(&run->unit, g_free);
    g_clear_pointer(&run->output_path, g_free);
    g_clear_error(&run->error);
}

char *run_output_path(const Job *job, const char *step, const char *dsn)
{
    g_autofree char *name = g_strdup_printf("%s-%s", step, dsn);

    return output_path(job, name);
}

static void on_parallel(const TransientOutcome *outcome, const GError *error, gpointer data)
{
    ParallelRun *run = data;

    *run->woken = TRUE;
    if (outcome && outcome->exit_status >= 0)
        tell_run(run->job, run->side, run->step, outcome);
    if (outcome && outcome->exit_status >= 0)
        run->result = judge(run->side, run->id, &run->arguments, outcome, run->output_path);
    else if (outcome)
        g_set_error(&run->error, TU_ERROR, TU_ERROR_FAILED,
                    "%s of instance %s could not be run on database %s: %s. See journalctl -u %s",
                    utility_name(run->id), run->side->config->name, run->dsn, outcome->result,
                    run->unit);
    else
        run->error = g_error_copy(error);
}

static gboolean start_parallel(Job *job, ParallelRun *run, GError **error)
{
    const char *home = run->side->facts->home;
    const Release *release = &run->side->facts->release;
    g_auto(GStrv) argv = utility_argv(run->id, home, release, &run->arguments, error);
    g_auto(GStrv) environment = utility_environment(run->id, home, release);
    g_autofree char *description =
        g_strdup_printf("TimesTen job %s: %s %s", job->tag, run->step, run->dsn);
    TransientSpec spec = {
        .argv = argv,
        .environment = environment,
        .user = run->side->admin,
        .description = description,
        .state_directory = run->state_directory,
        .group = run->group,
        .limit_usec = utility_limit_usec(run->id),
    };

    if (!argv)
        return FALSE;
    if (!run->unit)
        run->unit = job_unit_name(job, run->step, run->dsn);
    if (!run->output_path)
        run->output_path = run_output_path(job, run->step, run->dsn);
    spec.unit = run->unit;
    spec.output = run->output_path;
    run->call = transient_run(job->bus, &spec, on_parallel, run);
    if (!run->call)
        g_set_error(error, TU_ERROR, TU_ERROR_FAILED,
                    "Cannot ask systemd to run %s for database %s", utility_name(run->id),
                    run->dsn);
    return run->call != NULL;
}

/* One round: starts what there is room for, and tells how many are still to end. */
static gboolean keep_busy(Job *job, ParallelRun *runs, guint count, guint *ret_left, GError **error)
{
    guint busy = 0, left = 0;

    for (guint i = 0; i < count; i++) {
        left += runs[i].result == NULL;
        busy += runs[i].call && !runs[i].result;
    }
    *ret_left = left;
    for (guint i = 0; i < count && busy < job->options.parallel; i++)
        if (!runs[i].call && !runs[i].result) {
            g_autoptr(GError) problem = NULL;

            if (!start_parallel(job, &runs[i], &problem)) {
                /* Lost since something was asked last: look_at_failures() gets another one. */
                *runs[i].woken = TRUE;
                if (sd_bus_is_open(job->bus) <= 0)
                    return TRUE;
                g_propagate_error(error, g_steal_pointer(&problem));
                return FALSE;
            }
            busy++;
        }
    return TRUE;
}

/* The first run that went wrong stops the whole. Once the connection to PID 1 is lost no question
 * on it will ever be answered, whether or not it has failed yet: all are asked again, and their
 * units are found by their names. */
static gboolean look_at_failures(Job *job, ParallelRun *runs, guint count, guint *tries,
                                 GError **error)
{
    gboolean open = sd_bus_is_open(job->bus) > 0;

    for (guint i = 0; i < count; i++) {
        if (runs[i].result && runs[i].result->reason) {
            g_set_error_literal(error, TU_ERROR, TU_ERROR_UTILITY_FAILED, runs[i].result->reason);
            return FALSE;
        }
        if (runs[i].error && open) {
            g_propagate_error(error, g_steal_pointer(&runs[i].error));
            return FALSE;
        }
        if (!open) {
            g_clear_error(&runs[i].error);
            g_clear_pointer(&runs[i].call, unit_call_free);
        }
    }
    return open || job_regain_bus(job, tries, error);
}

static char *last_line(const char *path)
{
    gboolean missing;
    g_autofree char *output = file_read(path, OUTPUT_LIMIT, &missing, NULL);
    char *line = output ? strrchr(g_strchomp(output), '\n') : NULL;

    return text_one_line(line ? line + 1 : output ? output : "", 200);
}

/* A limit that passed says nothing of its cause; what was at work, and what it said last, does. */
static void name_the_running(const ParallelRun *runs, guint count, GError **error)
{
    if (!error || !g_error_matches(*error, TU_ERROR, TU_ERROR_DEADLINE_PASSED))
        return;
    for (guint i = 0; i < count; i++) {
        g_autofree char *line = NULL;
        g_autoptr(GError) limit = NULL;

        if (!runs[i].call || runs[i].result)
            continue;
        line = last_line(runs[i].output_path);
        limit = g_steal_pointer(error);
        g_set_error(
            error, TU_ERROR, TU_ERROR_DEADLINE_PASSED,
            "%s. %s of instance %s was still at work on database %s; it last printed \"%s\". "
            "Raise OutageLimitSec= if it needs longer, or see tterrors.log in %s",
            limit->message, utility_name(runs[i].id), runs[i].side->config->name, runs[i].dsn, line,
            runs[i].side->facts->daemon_home);
        return;
    }
}

gboolean run_parallel(Job *job, ParallelRun *runs, guint count, ParallelPoll poll, GError **error)
{
    guint left = count, tries = 0;
    gboolean woken = FALSE;

    for (guint i = 0; i < count; i++) {
        runs[i].job = job;
        runs[i].woken = &woken;
    }
    while (keep_busy(job, runs, count, &left, error) && left > 0) {
        /* By an end, or for the poll. */
        if (!job_doze(job, &woken, POLL_USEC, error)) {
            name_the_running(runs, count, error);
            return FALSE;
        }
        woken = FALSE;
        if (poll)
            poll(job, runs, count);
        if (!look_at_failures(job, runs, count, &tries, error))
            return FALSE;
    }
    return left == 0;
}

gboolean run_forget_unit(Job *job, const char *unit, GError **error)
{
    guint64 end = g_get_monotonic_time() + FORGET_USEC, pause = 0;

    do {
        g_autofree char *state = run_unit_state(job, unit, error);

        if (!state)
            return FALSE;
        if (g_str_equal(state, "inactive"))
            return TRUE;
        transient_forget(job->bus, unit);
        if (!job_pause(job, &pause, error))
            return FALSE;
    } while ((guint64)g_get_monotonic_time() < end);
    g_set_error(error, TU_ERROR, TU_ERROR_FAILED,
                "%s does not end. Look at it with systemctl status %s", unit, unit);
    return FALSE;
}

gboolean run_forget(Job *job, const char *step, const char *dsn, GError **error)
{
    g_autofree char *unit = job_unit_name(job, step, dsn);

    return run_forget_unit(job, unit, error);
}

gboolean run_is_known(Job *job, const char *step, gboolean *ret_known, GError **error)
{
    *ret_known = TRUE;
    for (char **dsn = job->server->databases; *dsn; dsn++) {
        g_autofree char *unit = job_unit_name(job, step, *dsn);
        g_autofree char *state = run_unit_state(job, unit, error);

        if (!state)
            return FALSE;
        *ret_known &= !g_str_equal(state, "inactive");
    }
    return TRUE;
}

/* NAME.NUMBER.out, as run_short() names them; the migrations' outputs have no number. */
static gboolean is_short_output(const char *name)
{
    g_auto(GStrv) parts = g_strsplit(name, ".", -1);
    guint count = g_strv_length(parts);
    guint64 number;

    return count >= 3 && g_str_equal(parts[count - 1], "out") &&
           text_parse_uint64(parts[count - 2], 1, G_MAXUINT, &number);
}

void run_forget_outputs(Job *job)
{
    g_autofree char *below = g_strconcat("job/", job->tag, NULL);
    g_autofree char *directory = path_runtime(below);
    g_autoptr(GDir) entries = g_dir_open(directory, 0, NULL);

    for (const char *name; entries && (name = g_dir_read_name(entries));) {
        g_autofree char *path = g_build_filename(directory, name, NULL);

        if (is_short_output(name))
            unlink(path);
    }
}
