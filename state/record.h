/* The record of a job: an append-only text file, one event a line, each line checksummed and synced
 * before the work goes on. A torn last line is what a power cut leaves: it is dropped. Damage
 * elsewhere is RECORD_DAMAGED, and what could be read before it is still returned.
 *
 *     SUM SEQ USEC EVENT STEP [KEY="escaped value"]…
 *
 * EVENT: plan (lists the steps), begin, end, fail, undo, undone, undo-failed, note, finish.
 * STEP is "-" for events of the whole job.
 */
#pragma once

#include <glib.h>

typedef enum {
    RECORD_PLAN,  /* one per step, in order; keys "description", "estimate" (µs) */
    RECORD_START, /* a worker began or went on; key "boot" (boot id), STEP "-" */
    RECORD_BEGIN, /* intent; key "monotonic": this boot's clock (µs), which nobody sets */
    RECORD_END,   /* result */
    RECORD_FAIL,  /* keys "error" (bus name), "message" */
    RECORD_UNDO,  /* intent to undo */
    RECORD_UNDONE,
    RECORD_UNDO_FAILED, /* keys as FAIL */
    RECORD_NOTE,        /* facts worth keeping: any keys */
    RECORD_FINISH,      /* keys "result", "error", "message"; the last line of a record */
    RECORD_RETRY,       /* a person asked to go on; alone may follow a FINISH, and takes it back */
    N_RECORD_EVENTS,
} RecordEvent;

/* Key of the END of "resume" and of the UNDONE of "hold": for how long (µs) connects had been made to
 * wait, by a clock that nobody sets; missing where a reboot came in between. */
#define RECORD_HELD "held"
/* Noted of the whole job: what a person has still to do when it is done, a sentence a line. */
#define RECORD_LEFT_TO_DO "left-to-do"

typedef struct {
    guint64 seq;
    guint64 usec; /* µs since the epoch */
    RecordEvent event;
    char *step;         /* "-" for none */
    GHashTable *values; /* string → string */
} RecordLine;

/* Reading. LINES of RecordLine. *ret_damaged (may be NULL) tells damage before the end; the lines
 * up to it come back in any case. A job without a record has none yet: an empty array. */
GPtrArray *record_read(guint64 id, gboolean *ret_damaged, GError **error);

typedef enum {
    STEP_PENDING,
    STEP_RUNNING,
    STEP_DONE,
    STEP_FAILED,
    STEP_UNDOING,
    STEP_UNDONE,
    STEP_UNDO_FAILED,
} StepState;
extern const char *const step_state_nicks[]; /* "pending", "running", … */

typedef struct {
    char *id;
    char *description;
    StepState state;
    guint attempts; /* begins since the last end or failure: what workers died in */
    guint failures; /* since the last end */
    guint undo_attempts;
    guint64 begun;      /* µs since the epoch, first begin; 0 not yet */
    guint64 ended;      /* last end or undone; 0 not yet */
    GHashTable *values; /* keys of its PLAN, first BEGIN, END, UNDONE and NOTE lines, later ones win */
    char *undo_problem; /* why it could not be undone; NULL: nobody gave up */
} RecordStep;

/* The same, folded to what is true now. */
typedef struct {
    GPtrArray *steps;   /* RecordStep in plan order */
    GHashTable *values; /* NOTE keys with step "-" */
    guint starts;       /* how often a worker began */
    char *boot;         /* boot id of the latest start; NULL none */
    gboolean undoing;   /* an UNDO was begun, or a FAIL came while the step "commit" was not done */
    gboolean finished;
    gboolean reopened; /* it was finished, and a person's wish to go on waits for the worker */
    char *result;      /* of FINISH; NULL until then */
    char *error;       /* bus name, NULL none; of FINISH or else the last FAIL */
    char *message;
    char *cause;     /* message of the last FAIL, whatever FINISH made of it */
    guint64 started; /* first line's time; 0 none */
    guint64 finished_usec;
    gboolean damaged;
} RecordSummary;

/* Of RecordLine in their order; never NULL. What stands behind a FINISH counts from a RETRY on. */
RecordSummary *record_fold(const GPtrArray *lines);
/* Read and folded; a wish to go on (request_retry()) counts like the line that the worker will
 * write for it. */
RecordSummary *record_load(guint64 id, GError **error);
void record_summary_free(RecordSummary *summary);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RecordSummary, record_summary_free)
RecordStep *record_find_step(const RecordSummary *summary, const char *step);

/* Writing: only the worker. Opening truncates a torn tail; a damaged record is refused. One that
 * can only be read, because its file system is read-only, full or broken, is opened too: then
 * appending fails until that is mended. */
typedef struct RecordWriter RecordWriter;
RecordWriter *record_open(guint64 id, GError **error);
void record_close(RecordWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RecordWriter, record_close)

/* Appends one line and syncs it; only after TRUE may the work go on. VALUES: key, value, …, NULL.
 */
gboolean record_append(RecordWriter *writer, RecordEvent event, const char *step, GError **error,
                       ...) G_GNUC_NULL_TERMINATED;
gboolean record_append_table(RecordWriter *writer, RecordEvent event, const char *step,
                             GHashTable *values, GError **error);

/* Keeps a line in memory that could not be written: for a worker that must go on, back or behind
 * the commit, whatever becomes of its record. The next append, or record_flush(), writes all such
 * lines first, in order. */
void record_defer(RecordWriter *writer, RecordEvent event, const char *step, GHashTable *values);
gboolean record_has_deferred(const RecordWriter *writer);
gboolean record_flush(RecordWriter *writer, GError **error);

/* All lines, written and deferred, for record_fold(); owned by the writer. */
const GPtrArray *record_lines(const RecordWriter *writer);
