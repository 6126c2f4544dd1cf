/* Steps that touch the databases. The old ones are read only; what is destroyed is only ever what
 * this job made. */
#include "job/steps.h"
#include "job/meter.h"
#include "job/runner.h"
#include "common/error.h"
#include "common/file.h"
#include "common/text.h"
#include "timesten/admin.h"
#include "timesten/migrate.h"

#include <errno.h>
#include <pwd.h>
#include <unistd.h>

#define QUIESCE_USEC   (15 * USEC_PER_SEC)
#define LEAVE_USEC     (3 * USEC_PER_SEC)
#define DESTROY_TRIES  40
#define OUTPUT_LIMIT   (64 * 1024 * 1024)
#define TABLES_A_QUERY 100 /* keeps ttIsql's command line well below the kernel's limit */
/* Guesses for an unknown host, in bytes per second; what really happens replaces them within a
 * tenth of the step. */
#define EXPORT_RATE (20 * 1024 * 1024)
#define IMPORT_RATE (10 * 1024 * 1024)

static guint database_count(const Job *job)
{
    return g_strv_length(job->server->databases);
}

static const DatabaseFacts *database(const Side *side, const char *dsn, GError **error)
{
    const DatabaseFacts *facts = facts_find_database(side->facts, dsn);

    if (!facts)
        g_set_error(error, TU_ERROR, TU_ERROR_NOT_POSSIBLE,
                    "Database %s is not in %s of instance %s. Add its DSN there", dsn,
                    side->facts->odbc_path, side->config->name);
    return facts;
}

/* --- quiesce ------------------------------------------------------------------------------------
 */

/* TRUE with *ret_who NULL where nobody is connected to the server's databases. */
static gboolean who_is_connected(Job *job, const TimesTenStatus *status, char **ret_who,
                                 GError **error)
{
    *ret_who = NULL;
    for (char **dsn = job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = database(&job->from, *dsn, error);
        const StatusStore *store;

        if (!facts)
            return FALSE;
        store = status_find_store(status, facts->data_store);
        if (store && status_user_connections(store) > 0) {
            g_autofree char *names = status_name_connections(store);

            *ret_who = g_strdup_printf("%s: %s", *dsn, names);
            return TRUE;
        }
    }
    return TRUE;
}

/* The ttStatus that shows nobody. */
static TimesTenStatus *await_no_connections(Job *job, guint64 limit_usec, GError **error)
{
    guint64 end = g_get_monotonic_time() + limit_usec, pause = 0;

    for (;;) {
        g_autoptr(TimesTenStatus) status = run_status(job, &job->from, error);
        g_autofree char *who = NULL;
        g_autofree char *trouble = NULL;

        if (!status || !who_is_connected(job, status, &who, error))
            return NULL;
        if (!who)
            return g_steal_pointer(&status);
        trouble = g_strdup_printf("Applications are connected to the old databases and do not "
                                  "leave: %s. End them, then start again",
                                  who);
        if ((guint64)g_get_monotonic_time() >= end) {
            g_set_error_literal(error, TU_ERROR, TU_ERROR_NOT_POSSIBLE, trouble);
            return NULL;
        }
        job_set_trouble(job, g_steal_pointer(&trouble));
        if (!job_pause(job, &pause, error))
            return NULL;
    }
}

gboolean step_await_no_connections(Job *job, GError **error)
{
    g_autoptr(TimesTenStatus) status = await_no_connections(job, QUIESCE_USEC, error);

    return status != NULL;
}

gboolean step_no_connections(Job *job, GError **error)
{
    /* What this job asked the old database last may still be on its way out. */
    guint64 patience = job_replicates(job) ? LEAVE_USEC : 0;
    g_autoptr(TimesTenStatus) status = await_no_connections(job, patience, error);

    return status != NULL;
}

/* Runs one ttAdmin verb on each database that needs it, and notes it for the undo. */
static gboolean admin_each(Job *job, UtilityId id, const char *key, GError **error)
{
    for (char **dsn = job->server->databases; *dsn; dsn++) {
        UtilityArguments arguments = { .dsn = *dsn };
        g_autofree char *noted = g_strdup_printf("%s.%s", key, *dsn);
        g_autoptr(UtilityResult) result = NULL;

        if (!job_note(job, noted, "yes", error))
            return FALSE;
        result = run_utility_checked(job, &job->from, id, &arguments, error);
        if (!result)
            return FALSE;
    }
    return TRUE;
}

static gboolean any_cache_runs(const Job *job, const TimesTenStatus *status)
{
    gboolean runs = FALSE;

    for (char **dsn = job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(job->from.facts, *dsn);
        const StatusStore *store = facts ? status_find_store(status, facts->data_store) : NULL;

        runs |= store && store->cache_running;
    }
    return runs;
}

gboolean step_quiesce(Job *job, GError **error)
{
    g_autoptr(TimesTenStatus) status = await_no_connections(job, QUIESCE_USEC, error);

    if (!status ||
        (any_cache_runs(job, status) && !admin_each(job, UTILITY_CACHE_STOP, "cache", error)))
        return FALSE;
    /* Nothing to close where the main daemon does not run, as when a rollback leaves a release that
     * died. Up to 11.2 nothing keeps a direct application out; verify and commit look once more.
     * What is to be drained yet must stay open. */
    return !status->daemon_running || job_replicates(job) ||
           !release_era(&job->from.facts->release)->can_close ||
           admin_each(job, UTILITY_CLOSE, "closed", error);
}

static gboolean admin_each_noted(Job *job, UtilityId id, const char *key, GError **error)
{
    for (char **dsn = job->server->databases; *dsn; dsn++) {
        UtilityArguments arguments = { .dsn = *dsn };
        g_autofree char *noted = g_strdup_printf("%s.%s", key, *dsn);
        g_autoptr(UtilityResult) result = NULL;

        if (!job_noted(job, noted))
            continue;
        result = run_utility_checked(job, &job->from, id, &arguments, error);
        if (!result)
            return FALSE;
    }
    return TRUE;
}

gboolean step_quiesce_undo(Job *job, GError **error)
{
    return admin_each_noted(job, UTILITY_OPEN, "closed", error) &&
           admin_each_noted(job, UTILITY_CACHE_START, "cache", error);
}

/* --- export and import --------------------------------------------------------------------------
 */

static guint64 total_size(const Job *job)
{
    guint64 total = 0;

    for (char **dsn = job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(job->from.facts, *dsn);

        total += facts ? facts->size : 0;
    }
    return total;
}

guint64 step_export_estimate(const Job *job)
{
    return USEC_PER_SEC + total_size(job) / EXPORT_RATE * USEC_PER_SEC;
}

guint64 step_import_estimate(const Job *job)
{
    return 2 * USEC_PER_SEC + total_size(job) / IMPORT_RATE * USEC_PER_SEC;
}

guint64 step_verify_estimate(const Job *job)
{
    return USEC_PER_SEC + total_size(job) / (10 * IMPORT_RATE) * USEC_PER_SEC;
}

/* Without ERROR, what cannot be read has no tables: enough to tell how far a step is. */
static GPtrArray *tables_of(const char *output_path, GError **error)
{
    gboolean missing;
    g_autoptr(GError) problem = NULL;
    g_autofree char *output = file_read(output_path, OUTPUT_LIMIT, &missing, &problem);

    if (problem && error) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    return migrate_parse(output ? output : "");
}

static guint64 count_rows(const GPtrArray *tables)
{
    guint64 rows = 0;

    for (guint i = 0; i < tables->len; i++)
        rows += ((MigrateTable *)tables->pdata[i])->rows;
    return rows;
}

/* How far a step is by time alone, never quite at its end. */
static double by_time(const Job *job)
{
    const RecordStep *at_work = record_find_step(job->summary, job->at);
    const char *text = at_work ? g_hash_table_lookup(at_work->values, "estimate") : NULL;
    guint64 estimate = 0, now = g_get_real_time();

    if (!text_parse_uint64(text, 1, G_MAXUINT64, &estimate) || now < at_work->begun)
        return 0;
    return MIN((double)(now - at_work->begun) / estimate, 0.95);
}

static void measure_export(Job *job, ParallelRun *runs, guint count)
{
    guint64 rows = 0;
    guint ended = 0;

    for (guint i = 0; i < count; i++) {
        g_autoptr(GPtrArray) tables =
            tables_of(runs[i].output_path ? runs[i].output_path : "/dev/null", NULL);

        rows += count_rows(tables);
        ended += runs[i].result != NULL;
    }
    /* ttMigrate does not tell beforehand how many rows there are. */
    meter_advance(job->meter, MAX(by_time(job), (double)ended / count),
                  "%u of %u databases saved, %" G_GUINT64_FORMAT " rows so far", ended, count,
                  rows);
}

static void measure_import(Job *job, ParallelRun *runs, guint count)
{
    guint64 restored = 0, saved = 0;

    for (guint i = 0; i < count; i++) {
        g_autofree char *export_output = run_output_path(job, "export", runs[i].dsn);
        g_autoptr(GPtrArray) before = tables_of(export_output, NULL);
        g_autoptr(GPtrArray) after =
            tables_of(runs[i].output_path ? runs[i].output_path : "/dev/null", NULL);

        saved += count_rows(before);
        restored += count_rows(after);
    }
    meter_advance(job->meter, saved ? MAX((double)restored / saved, by_time(job)) : 0,
                  "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " rows restored", restored, saved);
}

/* What the utilities themselves took, for the report: the longest, as they ran side by side. */
static gboolean note_times(Job *job, ParallelRun *runs, guint count, GError **error)
{
    guint64 longest = 0;
    g_autofree char *text = NULL;

    for (guint i = 0; i < count; i++) {
        g_autofree char *key = g_strdup_printf("rows.%s", runs[i].dsn);
        g_autoptr(GPtrArray) tables = migrate_parse(runs[i].result->output);
        g_autofree char *rows = g_strdup_printf("%" G_GUINT64_FORMAT, count_rows(tables));

        longest = MAX(longest, runs[i].result->usec);
        if (!job_note(job, key, rows, error))
            return FALSE;
    }
    text = g_strdup_printf("%" G_GUINT64_FORMAT, longest);
    return job_note(job, "utility-usec", text, error);
}

static void runs_free(ParallelRun *runs, guint count)
{
    for (guint i = 0; i < count; i++) {
        parallel_run_clear(&runs[i]);
        g_free((char *)runs[i].arguments.dsn);
        g_free((char *)runs[i].arguments.file);
    }
    g_free(runs);
}

static gboolean migrate_each(Job *job, const char *step, Side *side, UtilityId id,
                             const char *state_directory, const char *group, ParallelPoll poll,
                             GError **error)
{
    guint count = database_count(job);
    ParallelRun *runs = g_new0(ParallelRun, count);
    gboolean ok;

    for (guint i = 0; i < count; i++) {
        const char *dsn = job->server->databases[i];
        gboolean of_copy = id == UTILITY_EXPORT && job_replicates(job);

        runs[i] = (ParallelRun){
            .step = step,
            .dsn = dsn,
            .side = side,
            .id = id,
            .state_directory = state_directory,
            .group = group,
            .arguments = { .dsn = of_copy ? step_copy_dsn(job, dsn) : g_strdup(dsn),
                           .file = job_export_path(job, dsn),
                           .replicated = job_replicates(job) || job->options.peer_host },
        };
    }
    ok = run_parallel(job, runs, count, poll, error) && note_times(job, runs, count, error);
    runs_free(runs, count);
    return ok;
}

gboolean step_export(Job *job, GError **error)
{
    g_autofree char *state_directory = job_export_state_directory(job);

    return migrate_each(job, "export", &job->from, UTILITY_EXPORT, state_directory, NULL,
                        measure_export, error);
}

gboolean step_export_undo(Job *job, GError **error)
{
    g_autofree char *state_directory = job_export_state_directory(job);
    g_autofree char *directory = g_strconcat("/var/lib/", state_directory, NULL);
    g_autofree char *output = NULL;
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(argv, g_strdup("/bin/rm"));
    g_ptr_array_add(argv, g_strdup("-f"));
    for (char **dsn = job->server->databases; *dsn; dsn++) {
        if (!run_forget(job, "export", *dsn, error))
            return FALSE;
        g_ptr_array_add(argv, job_export_path(job, *dsn));
    }
    /* Nothing to remove; and where systemd was stopped between making the directory and giving it
     * to the administrator, only we could remove it. */
    if (state_directory && (rmdir(directory) == 0 || errno == ENOENT))
        return TRUE;
    g_ptr_array_add(argv, NULL);
    output = run_program(job, &job->from, "removing the export files", (char **)argv->pdata, error);
    if (output && state_directory)
        rmdir(directory);
    return output != NULL;
}

/* The new release's administrator reads what the old one's wrote: by its group, where they are two
 * users. */
static char *export_group(const Job *job)
{
    struct passwd *pw;

    if (g_str_equal(job->from.admin, job->to.admin) || !(pw = getpwnam(job->from.admin)))
        return NULL;
    return g_strdup_printf("%u", pw->pw_gid);
}

/* Only what this job made may be destroyed by it: the new databases were seen absent before the
 * first restore began. */
static gboolean own_new_databases(Job *job, GError **error)
{
    if (job_noted(job, "absent-before"))
        return TRUE;
    if (!job_probe_databases(job, &job->to, error))
        return FALSE;
    for (char **dsn = job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = database(&job->to, *dsn, error);

        if (!facts)
            return FALSE;
        if (facts->exists) {
            g_set_error(
                error, TU_ERROR, TU_ERROR_NOT_POSSIBLE,
                "Database %s of instance %s exists already at %s. Move or destroy it, then start "
                "again",
                *dsn, job->to.config->name, facts->data_store);
            return FALSE;
        }
    }
    return job_note(job, "absent-before", "yes", error);
}

gboolean step_destroy_database(Job *job, const Side *side, const char *dsn, GError **error)
{
    const UtilityArguments arguments = { .dsn = dsn };

    for (guint attempt = 0;; attempt++) {
        g_autoptr(UtilityResult) result =
            run_utility(job, side, UTILITY_DESTROY_FORCE, &arguments, error);

        if (!result)
            return FALSE;
        if (!result->reason)
            return TRUE;
        if (attempt == DESTROY_TRIES)
            return tu_error_set(error, TU_ERROR_UTILITY_FAILED, "%s", result->reason);
        if (!job_sleep(job, 500 * USEC_PER_MSEC, error))
            return FALSE;
    }
}

/* By force, because a power cut may leave a database that was just made without what tells its
 * release, and then its own release takes it for somebody else's. */
static gboolean destroy_new(Job *job, const char *dsn, GError **error)
{
    const DatabaseFacts *old = database(&job->from, dsn, error);
    const DatabaseFacts *new = old ? database(&job->to, dsn, error) : NULL;

    if (!new || !new->exists)
        return new != NULL;
    /* ttDestroy asks the main daemon, and after a power cut nothing else has started it. */
    if (!run_unit(job, UNIT_START, job->to.unit, error))
        return FALSE;
    if (g_str_equal(old->data_store, new->data_store)) { /* checked long before; never believed */
        g_set_error(error, TU_ERROR, TU_ERROR_NOT_POSSIBLE,
                    "Both releases name %s as the data store of %s; nothing is destroyed",
                    new->data_store, dsn);
        return FALSE;
    }
    return step_destroy_database(job, &job->to, dsn, error);
}

/* A restore that a crash or a power cut left half done cannot be gone on with: it begins anew. */
static gboolean remove_half_done(Job *job, GError **error)
{
    if (!job_probe_side(job, &job->to, error))
        return FALSE;
    for (char **dsn = job->server->databases; *dsn; dsn++)
        if (!run_forget(job, "import", *dsn, error) || !destroy_new(job, *dsn, error))
            return FALSE;
    return TRUE;
}

gboolean step_import(Job *job, GError **error)
{
    g_autofree char *group = export_group(job);
    /* Read before anything is noted: each line that is written makes the summary anew. */
    const gboolean again = record_find_step(job->summary, "import")->attempts > 1;
    gboolean known = TRUE;

    if (!own_new_databases(job, error))
        return FALSE;
    if (again &&
        (!run_is_known(job, "import", &known, error) || (!known && !remove_half_done(job, error))))
        return FALSE;
    return migrate_each(job, "import", &job->to, UTILITY_IMPORT, NULL, group, measure_import,
                        error);
}

gboolean step_import_undo(Job *job, GError **error)
{
    return !job_noted(job, "absent-before") || remove_half_done(job, error);
}

/* --- verify -------------------------------------------------------------------------------------
 */

/* Counts the rows of a slice of tables in the new database and compares. */
static gboolean verify_slice(Job *job, const char *dsn, const GPtrArray *tables, guint from,
                             guint to, GError **error)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    UtilityArguments arguments = { .dsn = dsn };
    g_autoptr(UtilityResult) result = NULL;
    g_auto(GStrv) rows = NULL;

    for (guint i = from; i < to; i++)
        g_string_append_printf(sql, "select count(*) from %s; ",
                               ((MigrateTable *)tables->pdata[i])->name);
    arguments.sql = sql->str;
    result = run_utility_checked(job, &job->to, UTILITY_SQL, &arguments, error);
    if (!result)
        return FALSE;
    rows = isql_rows(result->output);
    for (guint i = from; i < to; i++) {
        const MigrateTable *table = tables->pdata[i];
        guint64 count = 0;
        const char *row = i - from < g_strv_length(rows) ? rows[i - from] : NULL;

        if (!text_parse_uint64(row, 0, G_MAXUINT64, &count) || count != table->rows) {
            g_set_error(
                error, TU_ERROR, TU_ERROR_UTILITY_FAILED,
                "Table %s of database %s: %" G_GUINT64_FORMAT
                " rows were saved, but the new database answers %s. The old database is untouched. "
                "See tterrors.log in %s, mend the cause, then start again",
                table->name, dsn, table->rows, row ? row : "nothing", job->to.facts->daemon_home);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean verify_database(Job *job, const char *dsn, GError **error)
{
    g_autofree char *export_output = run_output_path(job, "export", dsn);
    g_autofree char *import_output = run_output_path(job, "import", dsn);
    g_autoptr(GPtrArray) saved = tables_of(export_output, error);
    g_autoptr(GPtrArray) restored = saved ? tables_of(import_output, error) : NULL;
    g_autofree char *difference = NULL;

    /* Two lists that cannot be read, or are gone, would be equal. */
    if (!restored)
        return FALSE;
    if (!g_file_test(export_output, G_FILE_TEST_EXISTS) ||
        !g_file_test(import_output, G_FILE_TEST_EXISTS)) {
        g_set_error(error, TU_ERROR, TU_ERROR_FAILED,
                    "What ttMigrate printed of database %s is gone (%s, %s), so nobody can tell "
                    "whether all rows were restored. Nothing was switched; start again",
                    dsn, export_output, import_output);
        return FALSE;
    }
    if (!migrate_compare(saved, restored, &difference)) {
        g_set_error(
            error, TU_ERROR, TU_ERROR_UTILITY_FAILED,
            "Database %s was not restored as it was saved: %s. The old database is untouched. See "
            "%s and tterrors.log in %s, mend the cause, then start again",
            dsn, difference, import_output, job->to.facts->daemon_home);
        return FALSE;
    }
    if (saved->len == 0) { /* nothing to count: a connect and a query all the same */
        UtilityArguments arguments = { .dsn = dsn, .sql = "select count(*) from sys.tables;" };
        g_autoptr(UtilityResult) result =
            run_utility_checked(job, &job->to, UTILITY_SQL, &arguments, error);

        return result != NULL;
    }
    for (guint i = 0; i < saved->len; i += TABLES_A_QUERY)
        if (!verify_slice(job, dsn, saved, i, MIN(i + TABLES_A_QUERY, saved->len), error))
            return FALSE;
    return TRUE;
}

gboolean step_verify(Job *job, GError **error)
{
    guint count = database_count(job);

    for (guint i = 0; i < count; i++) {
        meter_advance(job->meter, (double)i / count, "%s", job->server->databases[i]);
        if (!verify_database(job, job->server->databases[i], error))
            return FALSE;
    }
    /* Clients go on with the old database of an online upgrade. */
    return job_replicates(job) || step_no_connections(job, error);
}
