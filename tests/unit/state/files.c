/* Requests and their numbers, commits, progress: the small files of the state. */
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"
#include "state/backing.h"
#include "state/progress.h"
#include "state/request.h"
#include "tests/unit/state/scratch.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

#define JOBS "var/lib/timesten-upgrade/jobs/"

static JobRequest *make_request(void)
{
    JobRequest *request = g_new0(JobRequest, 1);

    request->kind = g_strdup("upgrade");
    request->server = g_strdup("orders");
    request->from = g_strdup("tt60");
    request->to = g_strdup("tt70");
    request->method = g_strdup("offline");
    request->unit = g_strdup("session-3.scope\nwith a \377 byte");
    request->options = g_variant_ref_sink(g_variant_new_parsed(
        "{'hold-limit-usec': <uint64 90000000>, 'parallel': <uint32 2>, 'method': <'auto'>}"));
    request->uid = 1000;
    request->pid = 4711;
    return request;
}

static void a_request_comes_back_as_it_was(void)
{
    g_autoptr(JobRequest) request = make_request(), loaded = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    struct stat file;

    scratch_begin();
    g_assert_true(request_create(request, &error));
    g_assert_cmpuint(request->id, ==, 1);
    loaded = request_load(1, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(loaded->kind, ==, "upgrade");
    g_assert_cmpstr(loaded->server, ==, "orders");
    g_assert_cmpstr(loaded->from, ==, "tt60");
    g_assert_cmpstr(loaded->to, ==, "tt70");
    g_assert_cmpstr(loaded->method, ==, "offline");
    g_assert_true(g_utf8_validate(loaded->unit, -1, NULL));
    g_assert_true(g_str_has_prefix(loaded->unit, "session-3.scope\n"));
    g_assert_true(g_variant_equal(loaded->options, request->options));
    g_assert_cmpuint(loaded->uid, ==, 1000);
    g_assert_cmpuint(loaded->pid, ==, 4711);
    g_assert_cmpuint(loaded->created, ==, request->created);
    g_assert_cmpuint(loaded->created, >, 0);
    path = path_job(1, "request");
    g_assert_cmpint(stat(path, &file), ==, 0);
    g_assert_cmpint(file.st_mode & 0777, ==, 0600);
}

static void a_wrong_request_is_refused_and_takes_no_number(void)
{
    static const struct {
        const char *server, *from, *to, *method, *options;
        TuError code;
    } rows[] = {
        { "../x", "tt60", "tt70", "offline", NULL, TU_ERROR_NO_SUCH_SERVER },
        { "orders", "", "tt70", "offline", NULL, TU_ERROR_NO_SUCH_INSTANCE },
        { "orders", "tt60", "tt-70", "offline", NULL, TU_ERROR_NO_SUCH_INSTANCE },
        { "orders", "tt60", "tt70", "", NULL, TU_ERROR_INVALID_OPTION },
        { "orders", "tt60", "tt70", "offline", "'text'", TU_ERROR_INVALID_OPTION },
    };

    scratch_begin();
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        JobRequest request = { .kind = (char *)"upgrade",
                               .server = (char *)rows[i].server,
                               .from = (char *)rows[i].from,
                               .to = (char *)rows[i].to,
                               .method = (char *)rows[i].method };
        g_autoptr(GVariant) options =
            rows[i].options ? g_variant_ref_sink(g_variant_new_parsed(rows[i].options)) : NULL;
        g_autoptr(GError) error = NULL;

        request.options = options;
        g_assert_false(request_create(&request, &error));
        g_assert_error(error, TU_ERROR, (int)rows[i].code);
    }
    g_assert_cmpuint(scratch_job(), ==, 1);
}

static void a_damaged_request_is_told(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(JobRequest) request = NULL;
    g_autofree char *path = NULL, *text = NULL;
    gsize length;

    scratch_begin();
    scratch_job();
    path = path_job(1, "request");
    g_assert_true(g_file_get_contents(path, &text, &length, NULL));
    for (gsize at = 0; at < length; at++) {
        g_autofree char *broken = g_memdup2(text, length + 1);

        broken[at] ^= 1;
        g_assert_true(g_file_set_contents(path, broken, length, NULL));
        request = request_load(1, &error);
        g_assert_null(request);
        g_assert_error(error, TU_ERROR, TU_ERROR_RECORD_DAMAGED);
        g_clear_error(&error);
        g_assert_true(g_file_set_contents(path, text, at, NULL));
        request = request_load(1, &error);
        g_assert_null(request);
        g_assert_error(error, TU_ERROR, TU_ERROR_RECORD_DAMAGED);
        g_clear_error(&error);
    }
    request = request_load(2, &error);
    g_assert_null(request);
    g_assert_error(error, TU_ERROR, TU_ERROR_NO_SUCH_JOB);
}

/* A request that was copied into the directory of another job is not that job's. */
static void a_request_belongs_to_its_number(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(JobRequest) request = NULL;
    g_autofree char *path = NULL, *text = NULL;

    scratch_begin();
    scratch_job();
    path = path_job(1, "request");
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    scratch_write(JOBS "7/request", text);
    request = request_load(7, &error);
    g_assert_null(request);
    g_assert_error(error, TU_ERROR, TU_ERROR_RECORD_DAMAGED);
}

static void numbers_never_repeat(void)
{
    scratch_begin();
    g_assert_cmpuint(scratch_job(), ==, 1);
    g_assert_cmpuint(scratch_job(), ==, 2);
    scratch_remove(JOBS "2");
    g_assert_cmpuint(scratch_job(), ==, 3);
    scratch_remove(JOBS "3");
    scratch_remove(JOBS "1");
    g_assert_cmpuint(scratch_job(), ==, 4);
}

/* The counter is gone or wrong: the directories tell. */
static void a_damaged_counter_gives_no_number_twice(void)
{
    static const char *const damages[] = {
        "",   "x", "2", "-1", "0", "07", "99999999999999999999999", "3 4", "18446744073709551615",
        "\n", NULL
    };

    for (guint i = 0; damages[i]; i++) {
        scratch_begin();
        for (guint job = 1; job <= 5; job++)
            g_assert_cmpuint(scratch_job(), ==, job);
        scratch_write(JOBS "next-id", damages[i]);
        g_assert_cmpuint(scratch_job(), ==, 6);
        g_assert_cmpuint(scratch_job(), ==, 7);
    }
    scratch_remove(JOBS "next-id");
    g_assert_cmpuint(scratch_job(), ==, 8);
}

/* The power went between the directory and the request: the number is used up, and there is no job.
 */
static void half_a_job_is_none(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) ids = NULL;
    g_autoptr(JobRequest) request = NULL;

    scratch_begin();
    scratch_write(JOBS "9/.keep", "");
    ids = request_list(&error);
    g_assert_no_error(error);
    g_assert_cmpuint(ids->len, ==, 0);
    request = request_load(9, &error);
    g_assert_null(request);
    g_assert_error(error, TU_ERROR, TU_ERROR_NO_SUCH_JOB);
    g_assert_cmpuint(scratch_job(), ==, 10);
}

static void the_list_is_ascending_and_ignores_foreign_names(void)
{
    static const char *const foreign[] = { "x/request",          "07/request",
                                           "7.old/request",      "-1/request",
                                           "0/request",          "99999999999999999999/request",
                                           "lost+found/request", NULL };
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) none = NULL, ids = NULL;

    scratch_begin();
    none = request_list(&error);
    g_assert_no_error(error);
    g_assert_cmpuint(none->len, ==, 0);
    for (guint i = 0; foreign[i]; i++) {
        g_autofree char *path = g_strconcat(JOBS, foreign[i], NULL);

        scratch_write(path, "");
    }
    for (guint job = 1; job <= 11; job++)
        g_assert_cmpuint(scratch_job(), ==, job);
    ids = request_list(&error);
    g_assert_no_error(error);
    g_assert_cmpuint(ids->len, ==, 11);
    for (guint i = 0; i < ids->len; i++)
        g_assert_cmpuint(g_array_index(ids, guint64, i), ==, i + 1);
}

static void a_wish_to_cancel_stays(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL, *text = NULL;
    guint64 id;

    scratch_begin();
    id = scratch_job();
    g_assert_false(request_is_cancelled(id));
    g_assert_true(request_cancel(id, 1000, &error));
    g_assert_true(request_cancel(id, 0, &error));
    g_assert_true(request_is_cancelled(id));
    path = path_job(id, "cancel");
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "Uid=1000\n");
    g_assert_false(request_cancel(id + 1, 0, &error));
    g_assert_error(error, TU_ERROR, TU_ERROR_NO_SUCH_JOB);
    g_assert_false(request_is_cancelled(id + 1));
}

static void before_the_first_commit_nothing_is_known(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Backing) backing = NULL;

    scratch_begin();
    backing = backing_load("orders", &error);
    g_assert_no_error(error);
    g_assert_null(backing->instance);
    g_assert_null(backing->previous);
    g_assert_cmpuint(backing->job, ==, 0);
}

static void a_commit_comes_back(void)
{
    const Backing commit = {
        .instance = (char *)"tt70", .previous = (char *)"tt60", .job = 7, .since = 1700000000000000
    };
    const Backing first = { .instance = (char *)"tt60" };
    g_autoptr(GError) error = NULL;
    g_autoptr(Backing) backing = NULL, again = NULL;

    scratch_begin();
    scratch_remove("var/lib/timesten-upgrade/servers"); /* made where it is missing */
    g_assert_true(backing_commit("orders", &commit, &error));
    backing = backing_load("orders", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(backing->instance, ==, "tt70");
    g_assert_cmpstr(backing->previous, ==, "tt60");
    g_assert_cmpuint(backing->job, ==, 7);
    g_assert_cmpuint(backing->since, ==, 1700000000000000);
    g_assert_true(backing_commit("orders", &first, &error));
    again = backing_load("orders", &error);
    g_assert_cmpstr(again->instance, ==, "tt60");
    g_assert_null(again->previous);
}

/* Nothing in between: a damaged commit must never pass for another instance. */
static void a_commit_damaged_at_any_byte_is_told(void)
{
    const Backing commit = {
        .instance = (char *)"tt70", .previous = (char *)"tt60", .job = 7, .since = 1700000000000000
    };
    g_autofree char *path = NULL, *text = NULL;
    gsize length;

    scratch_begin();
    g_assert_true(backing_commit("orders", &commit, NULL));
    path = path_backing("orders");
    g_assert_true(g_file_get_contents(path, &text, &length, NULL));
    for (gsize at = 0; at < length; at++) {
        g_autofree char *broken = g_memdup2(text, length + 1);
        g_autoptr(GError) error = NULL, cut_error = NULL;
        g_autoptr(Backing) backing = NULL, cut = NULL;

        broken[at] ^= 1;
        g_assert_true(g_file_set_contents(path, broken, length, NULL));
        backing = backing_load("orders", &error);
        g_assert_null(backing);
        g_assert_error(error, TU_ERROR, TU_ERROR_RECORD_DAMAGED);
        g_assert_true(g_file_set_contents(path, text, at, NULL));
        cut = backing_load("orders", &cut_error);
        g_assert_null(cut);
        g_assert_error(cut_error, TU_ERROR, TU_ERROR_RECORD_DAMAGED);
    }
}

static void a_commit_to_nothing_is_refused(void)
{
    const Backing none = { .previous = (char *)"tt60", .job = 7 },
                  wrong = { .instance = (char *)"tt70\nJob=1", .job = 7 };
    const Backing good = { .instance = (char *)"tt70", .job = 7 };
    g_autoptr(GError) error = NULL;

    scratch_begin();
    g_assert_false(backing_commit("orders", &none, &error));
    g_assert_error(error, TU_ERROR, TU_ERROR_NO_SUCH_INSTANCE);
    g_clear_error(&error);
    g_assert_false(backing_commit("orders", &wrong, &error));
    g_assert_error(error, TU_ERROR, TU_ERROR_NO_SUCH_INSTANCE);
    g_clear_error(&error);
    g_assert_false(backing_commit("../orders", &good, &error));
    g_assert_error(error, TU_ERROR, TU_ERROR_NO_SUCH_SERVER);
}

static void progress_comes_back(void)
{
    const JobProgress progress = { .state = (char *)"running",
                                   .step = (char *)"export",
                                   .fraction = 0.25,
                                   .remaining_usec = G_MAXUINT64,
                                   .held_usec = 12,
                                   .held = 3,
                                   .detail = (char *)"orders: 120000 of 300000 rows\nand \377",
                                   .can_cancel = TRUE };
    g_autoptr(GError) error = NULL;
    g_autoptr(JobProgress) none = NULL, read = NULL;

    scratch_begin();
    none = progress_read(1);
    g_assert_null(none);
    g_assert_true(progress_write(1, &progress, &error));
    read = progress_read(1);
    g_assert_cmpstr(read->state, ==, "running");
    g_assert_cmpstr(read->step, ==, "export");
    g_assert_cmpfloat(read->fraction, ==, 0.25);
    g_assert_cmpuint(read->remaining_usec, ==, G_MAXUINT64);
    g_assert_cmpuint(read->held_usec, ==, 12);
    g_assert_cmpuint(read->held, ==, 3);
    g_assert_true(g_str_has_prefix(read->detail, "orders: 120000 of 300000 rows\n"));
    g_assert_true(g_utf8_validate(read->detail, -1, NULL));
    g_assert_true(read->can_cancel);
}

static void progress_that_makes_no_sense_is_none(void)
{
    static const char *const garbage[] = { "", "x", "[Progress]\nState=running\n", "\377\376",
                                           NULL };

    scratch_begin();
    for (guint i = 0; garbage[i]; i++) {
        g_autoptr(JobProgress) read = NULL;

        scratch_write("run/timesten-upgrade/job/1/progress", garbage[i]);
        read = progress_read(1);
        g_assert_null(read);
    }
    scratch_write("run/timesten-upgrade/job/1/progress",
                  "[Progress]\nState=running\nStep=export\nDetail=\nFraction=nan\n");
    g_autoptr(JobProgress) odd = progress_read(1);

    g_assert_cmpfloat(odd->fraction, ==, 0.0);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/request/comes-back-as-it-was", a_request_comes_back_as_it_was);
    g_test_add_func("/request/a-wrong-one-is-refused-and-takes-no-number",
                    a_wrong_request_is_refused_and_takes_no_number);
    g_test_add_func("/request/a-damaged-one-is-told", a_damaged_request_is_told);
    g_test_add_func("/request/belongs-to-its-number", a_request_belongs_to_its_number);
    g_test_add_func("/request/numbers-never-repeat", numbers_never_repeat);
    g_test_add_func("/request/a-damaged-counter-gives-no-number-twice",
                    a_damaged_counter_gives_no_number_twice);
    g_test_add_func("/request/half-a-job-is-none", half_a_job_is_none);
    g_test_add_func("/request/the-list-is-ascending-and-ignores-foreign-names",
                    the_list_is_ascending_and_ignores_foreign_names);
    g_test_add_func("/request/a-wish-to-cancel-stays", a_wish_to_cancel_stays);
    g_test_add_func("/backing/before-the-first-commit-nothing-is-known",
                    before_the_first_commit_nothing_is_known);
    g_test_add_func("/backing/a-commit-comes-back", a_commit_comes_back);
    g_test_add_func("/backing/a-commit-damaged-at-any-byte-is-told",
                    a_commit_damaged_at_any_byte_is_told);
    g_test_add_func("/backing/a-commit-to-nothing-is-refused", a_commit_to_nothing_is_refused);
    g_test_add_func("/progress/comes-back", progress_comes_back);
    g_test_add_func("/progress/that-makes-no-sense-is-none", progress_that_makes_no_sense_is_none);
    status = g_test_run();
    scratch_end();
    return status;
}
