/* What a record's lines mean together. */
#include "common/error.h"
#include "common/names.h"
#include "common/nick.h"
#include "state/record.h"
#include "tests/unit/state/scratch.h"

#define BUS_ERROR "org.timesten.Upgrade1.Error.UtilityFailed"

static RecordWriter *begin(guint64 *ret_id)
{
    g_autoptr(GError) error = NULL;
    RecordWriter *writer;

    scratch_begin();
    *ret_id = scratch_job();
    writer = record_open(*ret_id, &error);
    g_assert_no_error(error);
    return writer;
}

static RecordSummary *load(guint64 id)
{
    g_autoptr(GError) error = NULL;
    RecordSummary *summary = record_load(id, &error);

    g_assert_no_error(error);
    return summary;
}

static void add(RecordWriter *writer, RecordEvent event, const char *step)
{
    g_autoptr(GError) error = NULL;

    record_append(writer, event, step, &error, NULL);
    g_assert_no_error(error);
}

static void fail(RecordWriter *writer, RecordEvent event, const char *step, const char *message)
{
    g_autoptr(GError) error = NULL;

    record_append(writer, event, step, &error, "error", BUS_ERROR, "message", message, NULL);
    g_assert_no_error(error);
}

static void finish(RecordWriter *writer, const char *result)
{
    g_autoptr(GError) error = NULL;

    record_append(writer, RECORD_FINISH, "-", &error, "result", result, NULL);
    g_assert_no_error(error);
}

/* One row per event: the state of a step after it. */
static void each_event_sets_the_state_of_its_step(void)
{
    static const struct {
        RecordEvent event;
        StepState state;
        guint attempts, undo_attempts;
    } rows[] = {
        { RECORD_PLAN, STEP_PENDING, 0, 0 },  { RECORD_BEGIN, STEP_RUNNING, 1, 0 },
        { RECORD_BEGIN, STEP_RUNNING, 2, 0 }, { RECORD_NOTE, STEP_RUNNING, 2, 0 },
        { RECORD_END, STEP_DONE, 0, 0 },      { RECORD_BEGIN, STEP_RUNNING, 1, 0 },
        { RECORD_FAIL, STEP_FAILED, 0, 0 },   { RECORD_UNDO, STEP_UNDOING, 0, 1 },
        { RECORD_UNDO, STEP_UNDOING, 0, 2 },  { RECORD_UNDO_FAILED, STEP_UNDO_FAILED, 0, 2 },
        { RECORD_UNDO, STEP_UNDOING, 0, 3 },  { RECORD_UNDONE, STEP_UNDONE, 0, 0 },
    };
    guint64 id;
    g_autoptr(RecordWriter) writer = begin(&id);

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(RecordSummary) summary = NULL;
        const RecordStep *step;

        add(writer, rows[i].event, "export");
        summary = load(id);
        step = record_find_step(summary, "export");
        g_assert_cmpstr(nick_of(step_state_nicks, step->state), ==,
                        nick_of(step_state_nicks, rows[i].state));
        g_assert_cmpuint(step->attempts, ==, rows[i].attempts);
        g_assert_cmpuint(step->undo_attempts, ==, rows[i].undo_attempts);
        g_assert_cmpuint(summary->steps->len, ==, 1);
    }
}

static void steps_keep_the_order_of_the_plan(void)
{
    static const char *const plan[] = { "check", "hold", "export", "commit" };
    guint64 id;
    g_autoptr(RecordWriter) writer = begin(&id);
    g_autoptr(RecordSummary) summary = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(plan); i++)
        add(writer, RECORD_PLAN, plan[i]);
    add(writer, RECORD_BEGIN, "hold");
    add(writer, RECORD_BEGIN, "unplanned");
    summary = load(id);
    g_assert_cmpuint(summary->steps->len, ==, G_N_ELEMENTS(plan) + 1);
    for (guint i = 0; i < G_N_ELEMENTS(plan); i++)
        g_assert_cmpstr(((RecordStep *)g_ptr_array_index(summary->steps, i))->id, ==, plan[i]);
    g_assert_null(record_find_step(summary, "-"));
    g_assert_null(record_find_step(summary, "import"));
}

static void values_go_to_their_step_and_later_ones_win(void)
{
    guint64 id;
    g_autoptr(RecordWriter) writer = begin(&id);
    g_autoptr(RecordSummary) summary = NULL;
    const RecordStep *step;

    record_append(writer, RECORD_NOTE, "-", NULL, "port", "26002", NULL);
    record_append(writer, RECORD_NOTE, "export", NULL, "rows", "1", "file", "/a", NULL);
    record_append(writer, RECORD_END, "export", NULL, "rows", "2", NULL);
    record_append(writer, RECORD_START, "-", NULL, "boot", "first", NULL);
    record_append(writer, RECORD_START, "-", NULL, "boot", "second", NULL);
    summary = load(id);
    step = record_find_step(summary, "export");
    g_assert_cmpstr(g_hash_table_lookup(step->values, "rows"), ==, "2");
    g_assert_cmpstr(g_hash_table_lookup(step->values, "file"), ==, "/a");
    g_assert_cmpstr(g_hash_table_lookup(summary->values, "port"), ==, "26002");
    g_assert_null(g_hash_table_lookup(summary->values, "rows"));
    g_assert_cmpuint(summary->starts, ==, 2);
    g_assert_cmpstr(summary->boot, ==, "second");
    g_assert_cmpuint(summary->started, >, 0);
}

static void a_failure_before_the_commit_is_undone(void)
{
    guint64 id;
    g_autoptr(RecordWriter) writer = begin(&id);
    g_autoptr(RecordSummary) summary = NULL, after = NULL;

    add(writer, RECORD_PLAN, "commit");
    add(writer, RECORD_BEGIN, "commit");
    summary = load(id);
    g_assert_false(summary->undoing);
    fail(writer, RECORD_FAIL, "export", "disk full");
    after = load(id);
    g_assert_true(after->undoing);
    g_assert_cmpstr(after->error, ==, BUS_ERROR);
    g_assert_cmpstr(after->message, ==, "disk full");
    g_assert_false(after->finished);
}

static void a_failure_after_the_commit_is_not(void)
{
    guint64 id;
    g_autoptr(RecordWriter) writer = begin(&id);
    g_autoptr(RecordSummary) summary = NULL, after = NULL;

    add(writer, RECORD_BEGIN, "commit");
    add(writer, RECORD_END, "commit");
    fail(writer, RECORD_FAIL, "resume", "no answer");
    summary = load(id);
    g_assert_false(summary->undoing);
    add(writer, RECORD_UNDO, "commit"); /* inherit mode may */
    after = load(id);
    g_assert_true(after->undoing);
}

/* What the end says, and what a failure that was overcome leaves. */
static void the_end_tells_the_result(void)
{
    guint64 id;
    g_autoptr(RecordWriter) writer = begin(&id);
    g_autoptr(RecordSummary) done = NULL, failed = NULL;

    fail(writer, RECORD_FAIL, "resume", "no answer");
    finish(writer, "done");
    done = load(id);
    g_assert_true(done->finished);
    g_assert_cmpstr(done->result, ==, "done");
    g_assert_null(done->error);
    g_assert_null(done->message);
    g_assert_cmpuint(done->finished_usec, >=, done->started);
    g_clear_pointer(&writer, record_close);

    writer = begin(&id);
    fail(writer, RECORD_FAIL, "import", "exit 2");
    fail(writer, RECORD_UNDO_FAILED, "hold", "another matter");
    finish(writer, "failed");
    failed = load(id);
    g_assert_cmpstr(failed->result, ==, "failed");
    g_assert_cmpstr(failed->message, ==, "exit 2");
}

/* A person repaired what was in the way: the job goes on where it stopped. */
static void a_retry_takes_the_end_back(void)
{
    guint64 id;
    g_autoptr(RecordWriter) writer = begin(&id);
    g_autoptr(RecordSummary) ended = NULL, again = NULL;

    add(writer, RECORD_UNDO, "hold");
    fail(writer, RECORD_UNDO_FAILED, "hold", "no keeper");
    finish(writer, "needs-attention");
    ended = load(id);
    g_assert_true(ended->finished);
    g_assert_cmpint(record_find_step(ended, "hold")->state, ==, STEP_UNDO_FAILED);

    add(writer, RECORD_RETRY, "-");
    add(writer, RECORD_NOTE, "hold"); /* after it the record goes on as any other */
    again = load(id);
    g_assert_false(again->finished);
    g_assert_null(again->result);
    g_assert_true(again->undoing);
    g_assert_false(again->damaged);
    g_assert_cmpint(record_find_step(again, "hold")->state, ==, STEP_UNDOING);
    g_assert_cmpuint(record_find_step(again, "hold")->undo_attempts, ==, 0);
}

static void an_empty_record_has_begun_nothing(void)
{
    guint64 id;
    g_autoptr(RecordSummary) summary = NULL;

    record_close(begin(&id));
    summary = load(id);
    g_assert_cmpuint(summary->steps->len, ==, 0);
    g_assert_cmpuint(summary->started, ==, 0);
    g_assert_false(summary->finished);
    g_assert_false(summary->undoing);
    g_assert_false(summary->damaged);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fold/a-retry-takes-the-end-back", a_retry_takes_the_end_back);
    g_test_add_func("/fold/each-event-sets-the-state-of-its-step",
                    each_event_sets_the_state_of_its_step);
    g_test_add_func("/fold/steps-keep-the-order-of-the-plan", steps_keep_the_order_of_the_plan);
    g_test_add_func("/fold/values-go-to-their-step-and-later-ones-win",
                    values_go_to_their_step_and_later_ones_win);
    g_test_add_func("/fold/a-failure-before-the-commit-is-undone",
                    a_failure_before_the_commit_is_undone);
    g_test_add_func("/fold/a-failure-after-the-commit-is-not", a_failure_after_the_commit_is_not);
    g_test_add_func("/fold/the-end-tells-the-result", the_end_tells_the_result);
    g_test_add_func("/fold/an-empty-record-has-begun-nothing", an_empty_record_has_begun_nothing);
    status = g_test_run();
    scratch_end();
    return status;
}
