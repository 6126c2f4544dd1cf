/* The step that makes the previous instance's databases fit for clients again, before anything is
 * switched back: what the upgrade had closed is opened, and each must answer. */
#include "job/steps.h"
#include "job/runner.h"
#include "common/error.h"
#include "state/backing.h"
#include "timesten/release.h"

static gboolean run_each(Job *job, UtilityId id, const char *dsn, const char *sql, GError **error)
{
    UtilityArguments arguments = { .dsn = dsn, .sql = sql };
    g_autoptr(UtilityResult) result = run_utility_checked(job, &job->to, id, &arguments, error);

    return result != NULL;
}

/* Whether the upgrade to the current instance stopped the cache agent of a database. */
static gboolean had_cache_agent(const RecordSummary *upgrade, const char *dsn)
{
    const RecordStep *quiesce = upgrade ? record_find_step(upgrade, "quiesce") : NULL;
    g_autofree char *key = g_strdup_printf("cache.%s", dsn);

    return quiesce && g_hash_table_contains(quiesce->values, key);
}

gboolean step_open_previous(Job *job, GError **error)
{
    gboolean closes = release_era(&job->to.facts->release)->can_close;
    g_autoptr(Backing) backing = backing_load(job->server->name, error);
    g_autoptr(RecordSummary) upgrade =
        backing && backing->job ? record_load(backing->job, NULL) : NULL;

    for (char **dsn = job->server->databases; backing && *dsn; dsn++) {
        g_autofree char *opened = g_strdup_printf("opened.%s", *dsn);
        g_autofree char *cache = g_strdup_printf("cache.%s", *dsn);

        if (closes && (!job_note(job, opened, "yes", error) ||
                       !run_each(job, UTILITY_OPEN, *dsn, NULL, error)))
            return FALSE;
        if (!run_each(job, UTILITY_SQL, *dsn, "select count(*) from sys.tables;", error))
            return FALSE;
        if (had_cache_agent(upgrade, *dsn) &&
            (!job_note(job, cache, "yes", error) ||
             !run_each(job, UTILITY_CACHE_START, *dsn, NULL, error)))
            return FALSE;
    }
    return backing != NULL;
}

gboolean step_open_previous_undo(Job *job, GError **error)
{
    for (char **dsn = job->server->databases; *dsn; dsn++) {
        g_autofree char *opened = g_strdup_printf("opened.%s", *dsn);
        g_autofree char *cache = g_strdup_printf("cache.%s", *dsn);

        if (job_noted(job, cache) && !run_each(job, UTILITY_CACHE_STOP, *dsn, NULL, error))
            return FALSE;
        if (job_noted(job, opened) && !run_each(job, UTILITY_CLOSE, *dsn, NULL, error))
            return FALSE;
    }
    return TRUE;
}
