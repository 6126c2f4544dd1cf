/* Steps of an online upgrade that make the new databases out of a copy of the old ones, while
 * clients write to those. The copy is this job's own: it is made, saved and destroyed, and nothing
 * is ever read from it by anybody else. */
#include "job/steps.h"
#include "job/replication.h"
#include "job/runner.h"
#include "common/error.h"
#include "common/text.h"

#define COPY_TRIES    3
#define COPY_RATE     (30 * 1024 * 1024) /* bytes per second; a guess, as for export and import */

guint64 step_copy_estimate(const Job *job)
{
    guint64 total = 0;

    for (char **dsn = job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(job->from.facts, *dsn);

        total += facts ? facts->size : 0;
    }
    return 2 * USEC_PER_SEC + total / COPY_RATE * USEC_PER_SEC;
}

/* Short enough for ODBC (32 characters), whatever the database is called; its own of this job. */
char *step_copy_dsn(const Job *job, const char *dsn)
{
    guint i = 0;

    while (job->server->databases[i] && !g_str_equal(job->server->databases[i], dsn))
        i++;
    return g_strdup_printf("ttupgrade-%s-%u", job->tag, i);
}

/* Beside the old database, in a directory of its own: it must have the name that replication knows
 * the new one by. */
static char *copy_store(const Job *job, const char *dsn, GError **error)
{
    const DatabaseFacts *old = facts_find_database(job->from.facts, dsn);
    const DatabaseFacts *new = facts_find_database(job->to.facts, dsn);
    g_autofree char *directory = old ? g_path_get_dirname(old->data_store) : NULL;
    g_autofree char *name = new ? g_path_get_basename(new->data_store) : NULL;
    g_autofree char *below = g_strdup_printf("ttupgrade-%s", job->tag);

    if (old && new)
        return g_build_filename(directory, below, name, NULL);
    tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                 "Database %s is not known to both releases. Add its DSN where it is missing", dsn);
    return NULL;
}

static gboolean add_dsn(Job *job, const char *dsn, GError **error)
{
    g_autofree char *copy = step_copy_dsn(job, dsn);
    g_autofree char *store = copy_store(job, dsn, error);
    g_autofree char *name = g_strconcat("--dsn=", copy, NULL);
    g_autofree char *like = g_strconcat("--like=", dsn, NULL);
    g_autofree char *place = g_strconcat("--data-store=", store, NULL);

    return store && run_helper(job, &job->from, "add-dsn", error, name, like, place, NULL);
}

static gboolean remove_dsn(Job *job, const char *dsn, GError **error)
{
    g_autofree char *copy = step_copy_dsn(job, dsn);
    g_autofree char *name = g_strconcat("--dsn=", copy, NULL);

    return run_helper(job, &job->from, "remove-dsn", error, name, NULL);
}

/* All that a copy may have left. The DSN comes back for it: without one ttDestroy has no name. */
static gboolean remove_copies(Job *job, GError **error)
{
    if (!step_bring_daemon_up(job, &job->from, error))
        return FALSE;
    for (char **dsn = job->server->databases; *dsn; dsn++) {
        g_autofree char *copy = step_copy_dsn(job, *dsn);

        if (!run_forget(job, "copy", *dsn, error) || !add_dsn(job, *dsn, error) ||
            !step_destroy_database(job, &job->from, copy, error) || !remove_dsn(job, *dsn, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean run_copies(Job *job, GError **error)
{
    guint count = g_strv_length(job->server->databases);
    ParallelRun *runs = g_new0(ParallelRun, count);
    gboolean ok = TRUE;

    for (guint i = 0; i < count; i++) {
        const char *dsn = job->server->databases[i];

        runs[i] = (ParallelRun){
            .step = "copy",
            .dsn = dsn,
            .side = &job->from,
            .id = UTILITY_DUPLICATE,
            .arguments = { .dsn = step_copy_dsn(job, dsn),
                           .peer = replica_name(&job->from, dsn, ok ? error : NULL) },
        };
        ok &= runs[i].arguments.peer != NULL;
    }
    ok = ok && run_parallel(job, runs, count, NULL, error);
    for (guint i = 0; i < count; i++) {
        parallel_run_clear(&runs[i]);
        g_free((char *)runs[i].arguments.dsn);
        g_free((char *)runs[i].arguments.peer);
    }
    g_free(runs);
    return ok;
}

/* From here on the old side keeps its log for the copy, and so for the new database. The copy's own
 * agent is never started, so it stays as it was at that moment. */
gboolean step_copy(Job *job, GError **error)
{
    gboolean half = record_find_step(job->summary, "copy")->attempts > 1, known = FALSE;

    if (!job_note_once(job, "touched", "yes", error) ||
        (half && !run_is_known(job, "copy", &known, error)))
        return FALSE;
    half &= !known;
    for (guint attempt = 1;; attempt++) {
        g_autoptr(GError) problem = NULL;

        if (half && !remove_copies(job, error))
            return FALSE;
        for (char **dsn = job->server->databases; *dsn; dsn++)
            if (!add_dsn(job, *dsn, error))
                return FALSE;
        if (run_copies(job, &problem))
            return TRUE;
        /* The source's agent may not listen yet although ttStatus shows it. */
        if (attempt == COPY_TRIES || job->stopping ||
            !g_error_matches(problem, TU_ERROR, TU_ERROR_UTILITY_FAILED)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        g_message("%s. It is tried again", problem->message);
        if (!job_sleep(job, attempt * USEC_PER_SEC, error))
            return FALSE;
        half = TRUE;
    }
}

gboolean step_copy_undo(Job *job, GError **error)
{
    return !job_noted(job, "touched") || remove_copies(job, error);
}

gboolean step_destroy_copy(Job *job, GError **error)
{
    return remove_copies(job, error);
}
