/* ttclient --load: an ODBC application in its own loop. One row per transaction, key (ID, SEQ); the
 * next one is written only when the last is known to be there, so a report's N means rows 1 to N.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "failure.h"

typedef struct {
    const Options *options;
    Application application;
    gint64 end; /* monotonic; G_MAXINT64: when told */
    gint64 tried;
    gint64 attempts[N_ATTEMPTS];
    gint64 cut;
    gint64 ended; /* sessions that the client ended itself */
    gint64 statement_timeouts;
    gint64 acknowledged;
    gint64 unknown; /* how often a row was sent and no answer came */
    gint64 already; /* of those, found to be there when sent again */
    gint64 rejected;
    gint64 unresolved; /* 1: the last row was never resolved */
    gint64 longest_connect_us;
    gint64 longest_statement_us;
    char *first_release;
    char *last_release;
    GHashTable *served; /* release → number of connects */
    char *last_error;
    gboolean waits; /* for the answer to a row whose fate is unknown */
} Load;

static volatile sig_atomic_t told_to_end;

static void on_term(int signal_number)
{
    told_to_end = 1;
}

static gboolean is_over(const Load *load)
{
    return told_to_end || g_get_monotonic_time() >= load->end;
}

static void nap(gint64 milliseconds)
{
    g_usleep((gulong)(milliseconds * 1000));
}

static void keep_error(Load *load, const char *what)
{
    g_free(load->last_error);
    load->last_error = g_strdup_printf("%s: %d: %s", what, load->application.number,
                                       load->application.error ? load->application.error : "");
}

static void note_release(Load *load)
{
    const char *release = load->application.release ? load->application.release : "unknown";
    gint64 *count = g_hash_table_lookup(load->served, release);

    if (!count) {
        count = g_new0(gint64, 1);
        g_hash_table_insert(load->served, g_strdup(release), count);
    }
    ++*count;
    if (!load->first_release)
        load->first_release = g_strdup(release);
    g_free(load->last_release);
    load->last_release = g_strdup(release);
}

/* One attempt. */
static gboolean connect_once(Load *load)
{
    static const char *const words[] = {
        "", "refused", "reset", "timed out", "rejected", "failed"
    };
    gint64 limit = load->tried == 0 ? load->options->first_connect_ms : load->options->connect_ms;
    gint64 began = g_get_monotonic_time();
    Attempt attempt;

    load->tried++;
    attempt = application_connect(&load->application, &load->options->server, limit);
    load->attempts[attempt]++;
    load->longest_connect_us = MAX(load->longest_connect_us, g_get_monotonic_time() - began);
    if (attempt == ATTEMPT_OK) {
        note_release(load);
        return TRUE;
    }
    keep_error(load, words[attempt]);
    return FALSE;
}

static Answer run_timed(Load *load, const char *sql)
{
    gint64 began = g_get_monotonic_time();
    Answer answer =
        application_run(&load->application, sql, load->options->statement_ms, NULL, NULL);

    load->longest_statement_us = MAX(load->longest_statement_us, g_get_monotonic_time() - began);
    if (answer != ANSWER_OK)
        keep_error(load, "statement");
    load->cut += answer == ANSWER_CUT;
    load->statement_timeouts += answer == ANSWER_TIMED_OUT;
    return answer;
}

static void make_table(Load *load)
{
    g_autofree char *sql = table_definition(load->options->table);

    if (run_timed(load, sql) == ANSWER_ERROR && load->application.number != TT_TABLE_EXISTS)
        fprintf(stderr, "ttclient: cannot make the table: %s\n", load->application.error);
}

/* Sends the row after the last acknowledged one. */
static void write_row(Load *load)
{
    gint64 sequence = load->acknowledged + 1;
    g_autofree char *payload = payload_of(load->options->id, sequence);
    g_autofree char *sql = g_strdup_printf("insert into %s values (%" G_GINT64_FORMAT
                                           ", %" G_GINT64_FORMAT ", '%s', %" G_GINT64_FORMAT ")",
                                           load->options->table, load->options->id, sequence,
                                           payload, checksum_of(load->options->id, sequence));
    Answer answer = run_timed(load, sql);

    if (answer == ANSWER_OK) {
        load->acknowledged++;
        load->waits = FALSE;
    } else if (answer == ANSWER_ERROR && load->application.number == TT_UNIQUE) {
        /* Only our own earlier try can have written it. */
        load->acknowledged++;
        load->already++;
        load->waits = FALSE;
    } else if (answer == ANSWER_ERROR) {
        load->rejected++;
        if (load->application.number == TT_CONNECTION_LOST) {
            application_close(&load->application);
            load->cut++;
        }
        nap(load->options->retry_ms);
    } else {
        load->unknown++;
        load->waits = TRUE;
    }
}

static void work(Load *load)
{
    gint64 in_session = 0;
    gint64 settle_end = G_MAXINT64;
    gboolean create = load->options->create;

    while (TRUE) {
        if (is_over(load)) {
            if (settle_end == G_MAXINT64)
                settle_end = g_get_monotonic_time() + load->options->settle_ms * 1000;
            if (!load->waits || g_get_monotonic_time() >= settle_end)
                return;
        }
        if (!load->application.wire) {
            in_session = 0;
            if (!connect_once(load)) {
                nap(load->options->retry_ms);
                continue;
            }
            if (create)
                make_table(load);
            create = FALSE;
        }
        write_row(load);
        if (!load->application.wire)
            continue;
        if (load->options->reconnect_every > 0 && ++in_session >= load->options->reconnect_every) {
            application_close(&load->application);
            load->ended++;
        }
        if (!is_over(load))
            nap(load->options->think_ms);
    }
}

static char *json_string(const char *text)
{
    g_autofree char *escaped = text ? g_strescape(text, NULL) : NULL;

    return text ? g_strdup_printf("\"%s\"", escaped) : g_strdup("null");
}

static void append_number(GString *json, const char *name, gint64 value, const char *end)
{
    g_string_append_printf(json, "\"%s\":%" G_GINT64_FORMAT "%s", name, value, end);
}

static char *report_of(Load *load)
{
    g_autofree char *first = json_string(load->first_release);
    g_autofree char *last = json_string(load->last_release);
    g_autofree char *table = json_string(load->options->table);
    g_autofree char *error = json_string(load->last_error);
    GString *json = g_string_new("{");
    GHashTableIter iter;
    gpointer release;
    gpointer count;
    const char *comma = "";

    append_number(json, "id", load->options->id, ",");
    g_string_append_printf(json, "\"table\":%s,\"connects\":{", table);
    append_number(json, "tried", load->tried, ",");
    append_number(json, "ok", load->attempts[ATTEMPT_OK], ",");
    append_number(json, "refused", load->attempts[ATTEMPT_REFUSED], ",");
    append_number(json, "reset", load->attempts[ATTEMPT_RESET], ",");
    append_number(json, "timed_out", load->attempts[ATTEMPT_TIMED_OUT], ",");
    append_number(json, "rejected", load->attempts[ATTEMPT_REJECTED], ",");
    append_number(json, "failed", load->attempts[ATTEMPT_FAILED], "},\"sessions\":{");
    append_number(json, "cut", load->cut, ",");
    append_number(json, "ended", load->ended, ",");
    append_number(json, "statement_timeouts", load->statement_timeouts, "},\"rows\":{");
    append_number(json, "acknowledged", load->acknowledged, ",");
    append_number(json, "unknown", load->unknown, ",");
    append_number(json, "already_there", load->already, ",");
    append_number(json, "rejected", load->rejected, ",");
    append_number(json, "unresolved", load->waits ? 1 : 0, "},\"longest_wait_ms\":{");
    append_number(json, "connect", load->longest_connect_us / 1000, ",");
    append_number(json, "statement", load->longest_statement_us / 1000, "},");
    g_string_append_printf(json, "\"release\":{\"first\":%s,\"last\":%s},\"connects_by_release\":{",
                           first, last);
    g_hash_table_iter_init(&iter, load->served);
    while (g_hash_table_iter_next(&iter, &release, &count)) {
        g_string_append_printf(json, "%s\"%s\":%" G_GINT64_FORMAT, comma, (char *)release,
                               *(gint64 *)count);
        comma = ",";
    }
    g_string_append_printf(json, "},\"last_error\":%s}\n", error);
    return g_string_free(json, FALSE);
}

int load_run(const Options *options)
{
    const struct sigaction term = { .sa_handler = on_term };
    Load load = { .options = options, .end = G_MAXINT64 };
    g_autofree char *report = NULL;
    g_autoptr(GError) error = NULL;

    sigaction(SIGTERM, &term, NULL);
    sigaction(SIGINT, &term, NULL);
    load.served = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (options->seconds > 0)
        load.end = g_get_monotonic_time() + (gint64)(options->seconds * G_USEC_PER_SEC);
    work(&load);
    application_clear(&load.application);
    report = report_of(&load);
    if (!options->report) {
        fputs(report, stdout);
        return 0;
    }
    if (g_file_set_contents(options->report, report, -1, &error))
        return 0;
    fprintf(stderr, "ttclient: %s\n", error->message);
    return 1;
}
