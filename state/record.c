/* Reading a record, and folding it to what is true now. The daemon and the generator read records
 * while a worker appends to them: whatever lies in the file, reading never blocks and never
 * crashes. */
#include "state/record-line.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"
#include "state/request.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

const char *const step_state_nicks[] = { "pending", "running", "done",        "failed",
                                         "undoing", "undone",  "undo-failed", NULL };
G_STATIC_ASSERT(G_N_ELEMENTS(step_state_nicks) == STEP_UNDO_FAILED + 2);

/* A record may hold zero bytes after a power cut, so it is read by length. NULL and no error:
 * missing. */
static GString *slurp(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    g_autoptr(GString) text = g_string_new(NULL);
    char block[16384];
    ssize_t count;
    int problem = 0;

    if (fd < 0) {
        if (errno != ENOENT)
            tu_error_errno(error, errno, "Cannot open %s", path);
        return NULL;
    }
    while ((count = read(fd, block, sizeof block)) != 0 && text->len <= RECORD_LIMIT) {
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            problem = errno;
            break;
        }
        g_string_append_len(text, block, count);
    }
    close(fd);
    if (problem != 0) {
        tu_error_errno(error, problem, "Cannot read %s", path);
        return NULL;
    }
    if (text->len > RECORD_LIMIT) {
        g_set_error(error, TU_ERROR, TU_ERROR_RECORD_DAMAGED,
                    "%s has more than %d bytes, which no record of a job has", path, RECORD_LIMIT);
        return NULL;
    }
    return g_steal_pointer(&text);
}

GPtrArray *record_read(guint64 id, gboolean *ret_damaged, GError **error)
{
    g_autofree char *path = path_job(id, "record");
    g_autoptr(GError) local = NULL;
    g_autoptr(GString) text = slurp(path, &local);
    RecordScan scan;

    if (local) {
        g_propagate_error(error, g_steal_pointer(&local));
        return NULL;
    }
    scan = record_scan(text ? text->str : "", text ? text->len : 0);
    if (ret_damaged)
        *ret_damaged = scan.damaged != 0;
    return scan.lines;
}

static void step_free(RecordStep *step)
{
    g_free(step->id);
    g_free(step->description);
    g_hash_table_unref(step->values);
    g_free(step->undo_problem);
    g_free(step);
}

static GHashTable *values_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static void values_merge(GHashTable *into, GHashTable *from)
{
    GHashTableIter iter;
    gpointer key, value;

    g_hash_table_iter_init(&iter, from);
    while (g_hash_table_iter_next(&iter, &key, &value))
        g_hash_table_replace(into, g_strdup(key), g_strdup(value));
}

RecordStep *record_find_step(const RecordSummary *summary, const char *step)
{
    for (guint i = 0; i < summary->steps->len; i++) {
        RecordStep *row = g_ptr_array_index(summary->steps, i);

        if (g_str_equal(row->id, step))
            return row;
    }
    return NULL;
}

/* The step of a line; one that the plan does not know is added at the end. NULL for "-". */
static RecordStep *step_of(RecordSummary *summary, const RecordLine *line)
{
    RecordStep *step = record_find_step(summary, line->step);

    if (step || g_str_equal(line->step, "-"))
        return step;
    step = g_new0(RecordStep, 1);
    *step = (RecordStep){ .id = g_strdup(line->step),
                          .description = g_strdup(""),
                          .values = values_new() };
    g_ptr_array_add(summary->steps, step);
    return step;
}

static void take_problem(RecordSummary *summary, GHashTable *values)
{
    g_free(summary->error);
    g_free(summary->message);
    summary->error = g_strdup(g_hash_table_lookup(values, "error"));
    summary->message = g_strdup(g_hash_table_lookup(values, "message"));
}

/* What a line means for its step. */
static void fold_step(RecordStep *step, const RecordLine *line)
{
    switch (line->event) {
    case RECORD_PLAN:
        g_free(step->description);
        step->description = g_strdup(g_hash_table_lookup(line->values, "description"));
        if (!step->description)
            step->description = g_strdup("");
        values_merge(step->values, line->values);
        break;
    case RECORD_BEGIN:
        step->state = STEP_RUNNING;
        step->attempts++;
        if (step->begun == 0) {
            step->begun = line->usec;
            values_merge(step->values, line->values);
        }
        break;
    case RECORD_END:
        step->state = STEP_DONE;
        step->attempts = 0;
        step->failures = 0;
        step->ended = line->usec;
        values_merge(step->values, line->values);
        break;
    case RECORD_FAIL:
        step->state = STEP_FAILED;
        step->attempts = 0;
        step->failures++;
        break;
    case RECORD_UNDO:
        step->state = STEP_UNDOING;
        step->undo_attempts++;
        break;
    case RECORD_UNDONE:
        step->state = STEP_UNDONE;
        step->undo_attempts = 0;
        step->ended = line->usec;
        values_merge(step->values, line->values);
        break;
    case RECORD_UNDO_FAILED:
        step->state = STEP_UNDO_FAILED;
        g_free(step->undo_problem);
        step->undo_problem = g_strdup(g_hash_table_lookup(line->values, "message"));
        break;
    case RECORD_NOTE:
        values_merge(step->values, line->values);
        break;
    case RECORD_START:
    case RECORD_FINISH:
    case RECORD_RETRY:
    case N_RECORD_EVENTS:
        break;
    }
}

/* A new chance for what could not be done or undone. */
static void fold_retry(RecordSummary *summary)
{
    summary->finished = FALSE;
    summary->finished_usec = 0;
    g_clear_pointer(&summary->result, g_free);
    for (guint i = 0; i < summary->steps->len; i++) {
        RecordStep *step = g_ptr_array_index(summary->steps, i);

        step->attempts = 0;
        step->failures = 0;
        step->undo_attempts = 0;
        if (step->state == STEP_UNDO_FAILED)
            step->state = STEP_UNDOING;
    }
}

/* What it means for the job. */
static void fold_job(RecordSummary *summary, const RecordLine *line)
{
    const RecordStep *commit;
    const char *boot;

    switch (line->event) {
    case RECORD_START:
        summary->starts++;
        if ((boot = g_hash_table_lookup(line->values, "boot"))) {
            g_free(summary->boot);
            summary->boot = g_strdup(boot);
        }
        break;
    case RECORD_FAIL:
        take_problem(summary, line->values);
        g_free(summary->cause);
        summary->cause = g_strdup(summary->message);
        commit = record_find_step(summary, "commit");
        if (!commit || commit->state != STEP_DONE)
            summary->undoing = TRUE;
        break;
    case RECORD_UNDO:
        summary->undoing = TRUE;
        break;
    case RECORD_NOTE:
        if (g_str_equal(line->step, "-"))
            values_merge(summary->values, line->values);
        break;
    case RECORD_FINISH:
        summary->finished = TRUE;
        summary->finished_usec = line->usec;
        summary->result = g_strdup(g_hash_table_lookup(line->values, "result"));
        /* A step that failed, was retried and got there is no error of a job that is done. */
        if (g_hash_table_contains(line->values, "error") || g_strcmp0(summary->result, "done") == 0)
            take_problem(summary, line->values);
        break;
    case RECORD_RETRY:
        fold_retry(summary);
        break;
    default:
        break;
    }
}

RecordSummary *record_fold(const GPtrArray *lines)
{
    RecordSummary *summary = g_new0(RecordSummary, 1);

    summary->steps = g_ptr_array_new_with_free_func((GDestroyNotify)step_free);
    summary->values = values_new();
    for (guint i = 0; i < lines->len; i++) {
        const RecordLine *line = g_ptr_array_index(lines, i);
        RecordStep *step;

        if (summary->finished && line->event != RECORD_RETRY)
            break;
        step = step_of(summary, line);
        if (i == 0)
            summary->started = line->usec;
        if (step)
            fold_step(step, line);
        fold_job(summary, line);
    }
    return summary;
}

RecordSummary *record_load(guint64 id, GError **error)
{
    /* Looked at first: the worker writes the line before it takes the wish off. */
    gboolean wished = request_wants_retry(id), damaged;
    g_autoptr(GPtrArray) lines = record_read(id, &damaged, error);
    RecordSummary *summary;

    if (!lines)
        return NULL;
    summary = record_fold(lines);
    summary->damaged = damaged;
    if (wished && summary->finished && g_strcmp0(summary->result, "needs-attention") == 0) {
        fold_retry(summary);
        summary->reopened = TRUE;
    }
    return summary;
}

void record_summary_free(RecordSummary *summary)
{
    if (!summary)
        return;
    g_ptr_array_unref(summary->steps);
    g_hash_table_unref(summary->values);
    g_free(summary->boot);
    g_free(summary->result);
    g_free(summary->error);
    g_free(summary->message);
    g_free(summary->cause);
    g_free(summary);
}
