/* ttclient --verify: every row that a load's report calls acknowledged must be in the database,
 * with the payload and the checksum that its key asks for. ttclient --fill: many rows, quickly, to
 * have something to move.
 */
#include <stdio.h>
#include <string.h>

#include "client.h"

typedef struct {
    gint64 id;
    gint64 acknowledged;
    gint64 next; /* sequence number that the next row should have */
    gint64 found;
    gint64 wrong;  /* there, but with another payload or checksum */
    gint64 beyond; /* not acknowledged, but there: sent just before a cut */
} Check;

static gint64 number_after(const char *text, const char *name)
{
    const char *found = strstr(text, name);

    return found ? g_ascii_strtoll(found + strlen(name), NULL, 10) : -1;
}

static void check_row(char **values, guint n, gpointer data)
{
    Check *check = data;
    g_autofree char *payload = NULL;
    gint64 sequence;

    if (n != 3 || !values[0] || !values[1] || !values[2]) {
        check->wrong++;
        return;
    }
    sequence = g_ascii_strtoll(values[0], NULL, 10);
    payload = payload_of(check->id, sequence);
    if (strcmp(values[1], payload) != 0 ||
        g_ascii_strtoll(values[2], NULL, 10) != checksum_of(check->id, sequence))
        check->wrong++;
    else if (sequence > check->acknowledged)
        check->beyond++;
    else
        check->found++;
}

static gboolean check_report(Application *application, const Options *options, Check *check)
{
    g_autofree char *sql = g_strdup_printf(
        "select SEQ, PAYLOAD, CHECKSUM from %s where ID = %" G_GINT64_FORMAT " order by SEQ",
        options->table, check->id);

    if (application_run(application, sql, options->statement_ms, check_row, check) == ANSWER_OK)
        return TRUE;
    fprintf(stderr, "ttclient: %s\n", application->error);
    return FALSE;
}

static gboolean read_report(const char *path, Check *check)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, &error)) {
        fprintf(stderr, "ttclient: %s\n", error->message);
        return FALSE;
    }
    check->id = number_after(text, "\"id\":");
    check->acknowledged = number_after(text, "\"acknowledged\":");
    if (check->id >= 0 && check->acknowledged >= 0)
        return TRUE;
    fprintf(stderr, "ttclient: %s is no report of a load\n", path);
    return FALSE;
}

static gboolean connect_for(Application *application, const Options *options)
{
    if (application_connect(application, &options->server, options->first_connect_ms) == ATTEMPT_OK)
        return TRUE;
    fprintf(stderr, "ttclient: cannot connect to %s: %d: %s\n", options->address,
            application->number, application->error);
    return FALSE;
}

int verify_run(const Options *options, char **reports)
{
    Application application = { 0 };
    Check sum = { 0 };
    guint clients = 0;
    gint64 lost;

    if (!connect_for(&application, options))
        return 2;
    for (; reports[clients]; clients++) {
        Check check = { 0 };

        if (!read_report(reports[clients], &check) ||
            !check_report(&application, options, &check)) {
            application_clear(&application);
            return 2;
        }
        sum.acknowledged += check.acknowledged;
        sum.found += check.found;
        sum.wrong += check.wrong;
        sum.beyond += check.beyond;
    }
    lost = sum.acknowledged - sum.found;
    printf("{\"clients\":%u,\"acknowledged\":%" G_GINT64_FORMAT ",\"found\":%" G_GINT64_FORMAT
           ",\"lost\":%" G_GINT64_FORMAT ",\"wrong\":%" G_GINT64_FORMAT
           ",\"unacknowledged_but_there\":%" G_GINT64_FORMAT ",\"release\":\"%s\"}\n",
           clients, sum.acknowledged, sum.found, lost, sum.wrong, sum.beyond, application.release);
    application_clear(&application);
    return lost > 0 || sum.wrong > 0 ? 1 : 0;
}

char *table_definition(const char *table)
{
    return g_strdup_printf("create table %s (ID integer not null, SEQ integer not null, "
                           "PAYLOAD varchar(64) not null, CHECKSUM integer not null, "
                           "primary key (ID, SEQ))",
                           table);
}

static gboolean must(Application *application, const Options *options, char *sql)
{
    g_autofree char *owned = sql;

    if (application_run(application, owned, options->statement_ms, NULL, NULL) == ANSWER_OK)
        return TRUE;
    fprintf(stderr, "ttclient: %s: %s\n", owned, application->error);
    return FALSE;
}

/* Rows 1 to ROWS of client 0, doubling what is there: few statements for many rows. */
int fill_run(const Options *options, gint64 rows)
{
    Application application = { 0 };
    gboolean good = connect_for(&application, options);
    gint64 there = 1;

    good = good && must(&application, options, table_definition(options->table)) &&
           must(&application, options,
                g_strdup_printf("insert into %s values (0, 1, 'client 0 row 1 of many', 7919)",
                                options->table));
    while (good && there < rows) {
        gint64 more = MIN(there, rows - there);

        good = must(&application, options,
                    g_strdup_printf("insert into %s select 0, SEQ + %" G_GINT64_FORMAT
                                    ", 'client 0 row ' || (SEQ + %" G_GINT64_FORMAT
                                    ") || ' of many', (SEQ + %" G_GINT64_FORMAT
                                    ") * 7919 %% 1000000007 from %s where SEQ <= %" G_GINT64_FORMAT,
                                    options->table, there, there, there, options->table, more));
        there += more;
    }
    application_clear(&application);
    return good ? 0 : 1;
}
