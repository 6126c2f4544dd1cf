/* Steps of a clean, which removes what upgrades left behind. Destroying cannot be taken back: until
 * its commit the job has changed nothing, and from there it goes on until all that was named is
 * gone. It never touches the port. */
#include "job/steps.h"
#include "job/clean.h"
#include "job/journal.h"
#include "job/runner.h"
#include "common/error.h"
#include "common/names.h"
#include "state/backing.h"

#include <unistd.h>

#define START "start-previous-daemon"

static gboolean names_databases(const Job *job)
{
    g_autoptr(CleanWish) wish = clean_wish(job);

    return wish->databases[0] != NULL;
}

/* --- the daemon that ttDestroy asks -------------------------------------------------------------
 */

gboolean step_clean_start(Job *job, GError **error)
{
    g_autofree char *state = NULL;

    if (!names_databases(job))
        return TRUE;
    state = run_unit_state(job, job->to.unit, error);
    return state &&
           job_note_once(job, "was-active", g_str_equal(state, "active") ? "yes" : "no", error) &&
           step_bring_daemon_up(job, &job->to, error);
}

static gboolean was_stopped(const Job *job)
{
    const RecordStep *start = record_find_step(job->summary, START);

    return start && g_strcmp0(g_hash_table_lookup(start->values, "was-active"), "no") == 0;
}

/* Also the undo of its start. */
gboolean step_clean_stop(Job *job, GError **error)
{
    return !was_stopped(job) || run_unit(job, UNIT_STOP, job->to.unit, error);
}

/* --- the point of no return ---------------------------------------------------------------------
 */

static gboolean may_destroy(Job *job, const char *dsn, GError **error)
{
    g_autoptr(TimesTenStatus) status = run_status(job, &job->to, error);

    return status && clean_may_destroy(job, dsn, status, error);
}

/* What stands behind it is the record alone: nothing is renamed, and nothing was touched so far. */
gboolean step_clean_commit(Job *job, GError **error)
{
    g_autoptr(CleanWish) wish = clean_wish(job);

    if (!job_survey(job, error))
        return FALSE;
    for (char **dsn = wish->databases; *dsn; dsn++)
        if (!may_destroy(job, *dsn, error))
            return FALSE;
    return TRUE;
}

/* --- the databases ------------------------------------------------------------------------------
 */

static gboolean destroy(Job *job, const char *dsn, GError **error)
{
    const DatabaseFacts *facts = facts_find_database(job->to.facts, dsn);
    UtilityArguments arguments = { .dsn = dsn };
    g_autoptr(UtilityResult) result = NULL;

    if (!facts || !facts->exists)
        return TRUE; /* by an earlier attempt */
    if (!may_destroy(job, dsn, error))
        return FALSE;
    result = run_utility_checked(job, &job->to, UTILITY_DESTROY, &arguments, error);
    if (result)
        journal_line(job, &(JournalFields){ LOG_NOTICE, NULL, NULL, NULL },
                     "Database %s of instance %s (%s) was destroyed", dsn, job->to.config->name,
                     facts->data_store);
    return result != NULL;
}

/* Nothing of the server is left there: it is no instance to go back to any more. */
static gboolean forget_previous(Job *job, GError **error)
{
    g_autoptr(Backing) backing = backing_load(job->server->name, error);

    if (!backing)
        return FALSE;
    if (g_strcmp0(backing->previous, job->to.config->name) != 0)
        return TRUE;
    for (char **dsn = job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(job->to.facts, *dsn);

        if (facts && facts->exists)
            return TRUE;
    }
    g_clear_pointer(&backing->previous, g_free);
    return backing_commit(job->server->name, backing, error);
}

gboolean step_clean_databases(Job *job, GError **error)
{
    g_autoptr(CleanWish) wish = clean_wish(job);

    if (!wish->databases[0])
        return TRUE;
    /* After a power cut nothing else has started it. */
    if (!step_bring_daemon_up(job, &job->to, error) || !job_survey(job, error))
        return FALSE;
    for (char **dsn = wish->databases; *dsn; dsn++)
        if (!destroy(job, *dsn, error))
            return FALSE;
    return job_probe_side(job, &job->to, error) && forget_previous(job, error);
}

/* --- the exports --------------------------------------------------------------------------------
 */

/* By the administrator whose they are, and only what an export of that job is called. */
static gboolean remove_files(Job *job, const Side *owner, const char *directory,
                             const char *pattern, GError **error)
{
    char *argv[] = { (char *)"/usr/bin/find",
                     (char *)directory,
                     (char *)"-maxdepth",
                     (char *)"1",
                     (char *)"-type",
                     (char *)"f",
                     (char *)"-name",
                     (char *)pattern,
                     (char *)"-print",
                     (char *)"-delete",
                     NULL };
    g_autofree char *said = run_program(job, owner, "removing exports", argv, error);

    if (said && said[0])
        journal_line(job, &(JournalFields){ LOG_NOTICE, NULL, NULL, NULL }, "Removed %s",
                     g_strdelimit(g_strchomp(said), "\n", ' '));
    return said != NULL;
}

static gboolean remove_exports(Job *job, const JobRequest *request, GError **error)
{
    g_autofree char *directory = path_exports(request->id, NULL);
    g_autofree char *pattern =
        g_strdup_printf("timesten-job-%" G_GUINT64_FORMAT "-*.migrate", request->id);
    g_auto(Side) owner = { 0 };

    if (!job_init_side(job, &owner, request->from, error))
        return FALSE;
    if (g_file_test(directory, G_FILE_TEST_IS_DIR) &&
        !remove_files(job, &owner, directory, "*.migrate", error))
        return FALSE;
    rmdir(directory); /* stays where somebody put something else into it */
    return !job->server->work_directory ||
           remove_files(job, &owner, job->server->work_directory, pattern, error);
}

gboolean step_clean_exports(Job *job, GError **error)
{
    g_autoptr(CleanWish) wish = clean_wish(job);
    g_autoptr(GPtrArray) jobs = clean_jobs(job, wish, error);

    for (guint i = 0; jobs && i < jobs->len; i++)
        if (!remove_exports(job, jobs->pdata[i], error))
            return FALSE;
    return jobs != NULL;
}
