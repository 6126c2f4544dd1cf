/* Checks of a clean: may what was named be removed, and is it there at all? */
#include "job/check.h"
#include "job/clean.h"
#include "job/runner.h"
#include "common/names.h"
#include "common/text.h"

static gboolean look_named(Check *check, GError **error)
{
    const Job *job = check->job;
    g_autoptr(CleanWish) wish = clean_wish(job);

    for (char **dsn = wish->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(job->to.facts, *dsn);

        if (!facts || !facts->exists)
            check_found(check, SEVERITY_ERROR, *dsn, "Leave it out",
                        "Instance %s has no database of that name", job->to.config->name);
    }
    return TRUE;
}

static gboolean look_in_use(Check *check, GError **error)
{
    const Job *job = check->job;
    g_autoptr(CleanWish) wish = clean_wish(job);

    if (wish->databases[0] && g_strcmp0(job->server->previous_instance, job->to.config->name) != 0)
        check_found(check, SEVERITY_ERROR, job->to.config->name,
                    "Only databases of the instance before can be removed here",
                    "Instance %s did not back server %s before %s does", job->to.config->name,
                    job->server->name, job->server->instance);
    for (char **dsn = wish->databases; *dsn; dsn++) {
        g_autoptr(GError) problem = NULL;

        if (!clean_may_destroy(job, *dsn, check->to_status, &problem))
            check_found(check, SEVERITY_ERROR, *dsn, "Leave it out, or end its use", "%s",
                        problem->message);
    }
    return TRUE;
}

static gboolean look_irreversible(Check *check, GError **error)
{
    const Job *job = check->job;
    g_autoptr(CleanWish) wish = clean_wish(job);

    for (char **dsn = wish->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(job->to.facts, *dsn);
        g_autofree char *size = text_bytes(facts ? facts->size : 0);

        if (facts && facts->exists)
            check_found(check, SEVERITY_WARNING, *dsn,
                        "Save it with ttBackup before, if it may still be needed",
                        "The database at %s (%s) of instance %s is destroyed for good, and server "
                        "%s cannot go back to that instance any more",
                        facts->data_store, size, job->to.config->name, job->server->name);
    }
    return TRUE;
}

static gboolean look_exports(Check *check, GError **error)
{
    const Job *job = check->job;
    g_autoptr(CleanWish) wish = clean_wish(job);
    g_autoptr(GPtrArray) jobs = clean_jobs(job, wish, error);

    if (!jobs)
        return FALSE;
    for (guint i = 0; i < jobs->len; i++) {
        const JobRequest *request = jobs->pdata[i];
        const char *work = job->server->work_directory;
        g_autofree char *own = path_exports(request->id, NULL);
        g_autofree char *directory = g_strjoin(work ? ", " : "", own, work, NULL);

        if (!inventory_instance(job->inventory, request->from, NULL))
            check_found(check, SEVERITY_ERROR, request->from, "Declare it, or remove them by hand",
                        "The exports of job %" G_GUINT64_FORMAT " (%s) belong to the administrator "
                        "of instance %s, which is not declared any more",
                        request->id, directory, request->from);
        else
            check_found(check, SEVERITY_INFO, job->server->name, NULL,
                        "What is left of the exports of job %" G_GUINT64_FORMAT " is removed (%s)",
                        request->id, directory);
    }
    if (wish->only && jobs->len == 0) {
        g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, wish->only);

        check_found(check, SEVERITY_ERROR, id, "ttctl jobs lists the jobs",
                    "No upgrade of server %s with this number has come to an end",
                    job->server->name);
    }
    return TRUE;
}

const CheckType checks_of_clean[] = {
    { "databases-named", "Each named database is there", NEEDS_TO, look_named,
      .worst = SEVERITY_ERROR, .about = "database", .source = "sys.odbc.ini and checkpoint files",
      .remedy = "Leave it out" },
    { "databases-not-in-use", "Nobody uses what was named", NEEDS_BOTH, look_in_use,
      .worst = SEVERITY_ERROR, .about = "database",
      .source = "ttStatus, and which instance backs the server",
      .remedy = "Leave it out, or end its use" },
    { "irreversible", "No database is destroyed", NEEDS_TO, look_irreversible,
      .worst = SEVERITY_WARNING, .about = "database", .source = "the options of the clean",
      .remedy = "Save it with ttBackup before, if it may still be needed" },
    { "exports-named", "No export is removed", NEEDS_NOTHING, look_exports, .worst = SEVERITY_ERROR,
      .about = "job", .source = "the records of jobs",
      .remedy = "Declare the instance again, or remove the files by hand" },
    { NULL },
};
