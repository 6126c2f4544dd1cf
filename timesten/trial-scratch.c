/* Trials that change a database: one that was not there before and is not there afterwards. The
 * caller has looked that it is not there; nothing else is ever named in a command here. */
#include "timesten/admin.h"
#include "timesten/bench.h"
#include "timesten/migrate.h"
#include "timesten/replication.h"

#include <string.h>
#include <unistd.h>

#define TABLE  "TTUPGRADE_PROBE"
#define CREATE "create table " TABLE " (A integer not null primary key);"
#define INSERT "insert into " TABLE " values (1); insert into " TABLE " values (2);"

static Answer *order(Bench *bench, UtilityId id)
{
    const UtilityArguments arguments = { .dsn = bench->scratch };

    return bench_ask(bench, id, &arguments);
}

static void repeat(Bench *bench, UtilityId id)
{
    answer_free(order(bench, id));
}

static gboolean create(Bench *bench)
{
    g_autofree char *connection = g_strdup_printf("DSN=%s;AutoCreate=1", bench->scratch);
    g_autoptr(Answer) answer = bench_run(bench, BELIEF_LIMIT_SQL, "ttIsql", "-v", "1", "-e",
                                         CREATE " " INSERT " exit;", "-connStr", connection, NULL);
    g_autofree char *problem = isql_first_error(answer->output);

    if (answer->status == 0 && !problem)
        return TRUE;
    bench_note(bench, BELIEF_LIMIT_SQL, FALSE, answer, "the scratch database could not be made");
    return FALSE;
}

static void destroy(Bench *bench)
{
    g_autoptr(Answer) gone = NULL;

    /* It may still be on its way out of memory. */
    answer_free(bench_run(bench, BELIEF_LIMIT_DESTROY, "ttDestroy", "-wait", "-timeout", "30",
                          bench->scratch, NULL));
    gone = order(bench, UTILITY_DESTROY);
    bench_note(bench, BELIEF_SAYS_NO_DATABASE,
               gone->status == 0 || belief_is_said(BELIEF_SAYS_NO_DATABASE, gone->output), gone,
               "ttDestroy of a database that is gone");
}

/* An order that has nothing to do any more: its exit status. */
static void try_status_of(Bench *bench, UtilityId id, BeliefId belief, const char *how)
{
    g_autoptr(Answer) answer = order(bench, id);

    bench_note(bench, belief, belief_has_status(belief, answer->status), answer, how);
}

/* The same for one that tells by its words; a 0 is as good, and needs none. */
static void try_words_of(Bench *bench, UtilityId id, BeliefId belief, const char *how)
{
    g_autoptr(Answer) answer = order(bench, id);

    bench_note(bench, belief, answer->status == 0 || belief_is_said(belief, answer->output), answer,
               how);
}

static void try_closing(Bench *bench)
{
    g_autoptr(Answer) status = NULL;

    repeat(bench, UTILITY_CLOSE);
    try_words_of(bench, UTILITY_CLOSE, BELIEF_SAYS_CLOSED, "ttAdmin -close, a second time");
    status = order(bench, UTILITY_STATUS);
    bench_note(bench, BELIEF_STATUS_CLOSED, answer_has_line(status, BELIEF_STATUS_CLOSED), status,
               "ttStatus of a closed database");
    repeat(bench, UTILITY_OPEN);
    try_words_of(bench, UTILITY_OPEN, BELIEF_SAYS_OPEN, "ttAdmin -open, a second time");
}

static void try_memory(Bench *bench, const char *data_store)
{
    g_autoptr(Answer) status = NULL;

    answer_free(bench_run(bench, BELIEF_LIMIT_LOAD, "ttAdmin", "-ramPolicy", "manual",
                          bench->scratch, NULL));
    repeat(bench, UTILITY_RAM_LOAD);
    try_status_of(bench, UTILITY_RAM_LOAD, BELIEF_ADMIN_LOADED, "ttAdmin -ramLoad, a second time");
    bench_try_status(bench, data_store);
    bench_try_query(bench, bench->scratch);
    bench_try_sql(bench, bench->scratch);
    if (release_era(&bench->facts->release)->can_close)
        try_closing(bench);
    try_status_of(bench, UTILITY_REPLICATION_STOP, BELIEF_ADMIN_AGENT_STOPPED,
                  "ttAdmin -repStop, where no agent runs");
    repeat(bench, UTILITY_RAM_UNLOAD);
    try_status_of(bench, UTILITY_RAM_UNLOAD, BELIEF_ADMIN_UNLOADED,
                  "ttAdmin -ramUnload, a second time");
    status = order(bench, UTILITY_STATUS);
    if (strstr(status->output, data_store))
        bench_note(bench, BELIEF_STATUS_UNLOADED,
                   belief_is_said(BELIEF_STATUS_UNLOADED, status->output), status,
                   "ttStatus of a database that was unloaded by hand");
    else
        bench_pass(bench, BELIEF_STATUS_UNLOADED, "ttStatus does not list an unloaded database");
    repeat(bench, UTILITY_RAM_LOAD); /* so that it can be saved */
}

static void try_replication(Bench *bench)
{
    g_autoptr(Answer) answer = order(bench, UTILITY_REPLICATION_LIST);

    bench_note(bench, BELIEF_SAYS_NO_REPLICATION,
               answer->status == 0 ? replication_peers(answer->output) == 0
                                   : belief_is_said(BELIEF_SAYS_NO_REPLICATION, answer->output),
               answer, "ttRepAdmin -receiver -list of a database without replication");
}

/* Whether the parser followed both rows of our table to its end. */
static gboolean is_followed(const Answer *answer, gboolean *ret_begun)
{
    g_autoptr(GPtrArray) tables = migrate_parse(answer->output);

    *ret_begun = tables->len > 0;
    for (guint i = 0; i < tables->len; i++) {
        const MigrateTable *table = tables->pdata[i];

        if (strstr(table->name, TABLE))
            return table->finished && table->rows == 2 && table->expected == 2;
    }
    return FALSE;
}

static void try_migrate(Bench *bench, UtilityId id, const char *file, BeliefId verb,
                        const char *how)
{
    const UtilityArguments arguments = { .dsn = bench->scratch, .file = file };
    g_autoptr(Answer) answer = bench_ask(bench, id, &arguments);
    gboolean begun, followed = is_followed(answer, &begun);

    bench_note(bench, verb, begun, answer, how);
    if (begun)
        bench_note(bench, BELIEF_MIGRATE_FINISHED, followed, answer, how);
    bench_note(bench, release_era(&bench->facts->release)->unreplicated, answer->status == 0,
               answer, how);
}

static void try_migration(Bench *bench)
{
    g_autofree char *file = g_build_filename(bench->directory, "probe.ttm", NULL);
    const UtilityArguments arguments = { .dsn = bench->scratch, .file = file };
    g_autoptr(Answer) again = NULL;

    try_migrate(bench, UTILITY_EXPORT, file, BELIEF_MIGRATE_SAVING, "ttMigrate -c of two rows");
    repeat(bench, UTILITY_RAM_UNLOAD);
    destroy(bench);
    try_migrate(bench, UTILITY_IMPORT, file, BELIEF_MIGRATE_RESTORING, "ttMigrate -r of two rows");
    again = bench_ask(bench, UTILITY_IMPORT, &arguments);
    if (again->status != 0)
        bench_note(bench, BELIEF_MIGRATE_PARTIAL,
                   belief_has_status(BELIEF_MIGRATE_PARTIAL, again->status), again,
                   "ttMigrate -r of a table that is there already");
    unlink(file);
    repeat(bench, UTILITY_RAM_UNLOAD);
}

void bench_try_scratch(Bench *bench)
{
    const DatabaseFacts *database = facts_find_database(bench->facts, bench->scratch);

    if (create(bench)) {
        try_replication(bench);
        try_memory(bench, database->data_store);
        try_migration(bench);
    }
    destroy(bench);
}
