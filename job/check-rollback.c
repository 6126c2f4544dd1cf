/* Checks that only a rollback needs: are the databases of the previous instance still there, and
 * what would be lost? */
#include "job/check.h"
#include "job/runner.h"
#include "common/error.h"
#include "common/text.h"
#include "state/backing.h"
#include "timesten/admin.h"

#define TABLES_NAMED 20 /* more would hide the message */

/* Owner and name of every table that is not the system's (SYS.TABLES, System Tables reference). */
#define TABLES_SQL                                                                                 \
    "select rtrim(tblowner) || '.' || rtrim(tblname) from sys.tables "                             \
    "where rtrim(tblowner) not in ('SYS', 'TTREP', 'GRID');"

static gboolean look_previous_databases(Check *check, GError **error)
{
    const Job *job = check->job;

    for (char **dsn = job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(job->to.facts, *dsn);

        if (!facts || !facts->exists)
            check_found(check, SEVERITY_ERROR, *dsn,
                        "Restore it from a backup, or stay with the current release",
                        "Instance %s has this database no longer, so there is no way back",
                        job->to.config->name);
    }
    return TRUE;
}

/* Rows of one statement, or NULL where the database does not answer: then nothing can be counted.
 */
static char **query(Check *check, const Side *side, const char *dsn, const char *sql)
{
    UtilityArguments arguments = { .dsn = dsn, .sql = sql };
    g_autoptr(UtilityResult) result =
        run_utility_checked(check->job, side, UTILITY_SQL, &arguments, NULL);

    return result ? isql_rows(result->output) : NULL;
}

static char **count_tables(Check *check, const Side *side, const char *dsn, char **tables)
{
    g_autoptr(GString) sql = g_string_new(NULL);

    for (guint i = 0; tables[i] && i < TABLES_NAMED; i++)
        g_string_append_printf(sql, "select count(*) from %s; ", tables[i]);
    return query(check, side, dsn, sql->str);
}

/* "ORDERS.ITEMS 300120 → 300000": rows now and rows after the rollback, by table. */
static void describe_tables(Check *check, const char *dsn, GString *text)
{
    const Job *job = check->job;
    g_auto(GStrv) tables = query(check, &job->from, dsn, TABLES_SQL);
    g_auto(GStrv) now = tables && tables[0] ? count_tables(check, &job->from, dsn, tables) : NULL;
    g_auto(GStrv) then = now && check->to_status && check->to_status->daemon_running
                             ? count_tables(check, &job->to, dsn, tables)
                             : NULL;

    for (guint i = 0; now && now[i] && tables[i]; i++)
        g_string_append_printf(text, "; %s: %s has %s rows now and %s after it", dsn, tables[i],
                               now[i],
                               then && i < g_strv_length(then) ? then[i] : "an unknown number of");
}

static gboolean look_data_loss(Check *check, GError **error)
{
    const Job *job = check->job;
    g_autoptr(Backing) backing = backing_load(job->server->name, error);
    g_autoptr(GString) tables = g_string_new(NULL);
    g_autoptr(GDateTime) when = NULL;
    g_autofree char *when_text = NULL, *age = NULL;
    gboolean allowed = FALSE;

    if (!backing)
        return FALSE;
    if (job->request->options)
        g_variant_lookup(job->request->options, "allow-data-loss", "b", &allowed);
    when = g_date_time_new_from_unix_local(backing->since / USEC_PER_SEC);
    when_text = g_date_time_format(when, "%F %T");
    /* Less than nothing where the clock was set back meanwhile. */
    age = text_timespan(MAX((guint64)g_get_real_time(), backing->since) - backing->since);
    for (char **dsn = job->server->databases; *dsn; dsn++)
        describe_tables(check, *dsn, tables);
    check_found(
        check, allowed ? SEVERITY_WARNING : SEVERITY_ERROR, job->server->name,
        "Give the option allow-data-loss (ttctl rollback --allow-data-loss) if that is wanted",
        "All that was written since the switch at %s (%s ago) is lost%s", when_text, age,
        tables->str);
    return TRUE;
}

const CheckType checks_of_rollback[] = {
    { "previous-databases", "The previous instance still has the databases", NEEDS_TO,
      look_previous_databases, "rollback", .worst = SEVERITY_ERROR, .about = "database",
      .source = "sys.odbc.ini and checkpoint files of the previous instance",
      .remedy = "Restore it from a backup, or stay with the current release",
      .kept = "there would be nothing to go back to" },
    { "data-loss", "Nothing is lost", NEEDS_BOTH, look_data_loss, "rollback", "offline",
      .worst = SEVERITY_ERROR, .about = "server",
      .source = "the time of the switch; rows counted in both releases",
      .remedy = "Give the option allow-data-loss if that is wanted",
      .kept = "that is what the option allow-data-loss is for" },
    { NULL },
};
