/* Which jobs leave the disk, and which stay however old they are. */
#include "state/retention.h"
#include "common/names.h"
#include "state/backing.h"
#include "state/record.h"
#include "state/request.h"
#include "tests/unit/state/scratch.h"

#define JOBS "var/lib/timesten-upgrade/jobs/"

static guint64 make_job(const char *server, const char *result)
{
    g_autoptr(JobRequest) request = g_new0(JobRequest, 1);
    g_autoptr(RecordWriter) record = NULL;
    g_autoptr(GError) error = NULL;

    request->kind = g_strdup("upgrade");
    request->server = g_strdup(server);
    request->from = g_strdup("tt60");
    request->to = g_strdup("tt70");
    request->method = g_strdup("offline");
    g_assert_true(request_create(request, &error));
    record = record_open(request->id, &error);
    g_assert_true(record_append(record, RECORD_START, "-", &error, "boot", "b", NULL));
    if (result)
        g_assert_true(record_append(record, RECORD_FINISH, "-", &error, "result", result, NULL));
    g_assert_no_error(error);
    return request->id;
}

static char *jobs_left(void)
{
    g_autoptr(GArray) ids = request_list(NULL);
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < ids->len; i++)
        g_string_append_printf(text, "%s%" G_GUINT64_FORMAT, i ? " " : "",
                               g_array_index(ids, guint64, i));
    return g_string_free(text, FALSE);
}

static void the_newest_stay_of_each_server(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *left = NULL, *progress = NULL;

    scratch_begin();
    for (guint i = 0; i < 5; i++) {
        make_job("orders", i % 2 ? "failed" : "done");
        make_job("stock", "done");
    }
    scratch_write("run/timesten-upgrade/job/1/progress", "x");
    g_assert_true(retention_tidy("orders", 2, &error));
    left = jobs_left();
    g_assert_cmpstr(left, ==, "2 4 6 7 8 9 10");
    progress = scratch_path("run/timesten-upgrade/job/1");
    g_assert_false(g_file_test(progress, G_FILE_TEST_EXISTS));
    /* A number is not given again. */
    g_assert_cmpuint(make_job("orders", "done"), ==, 11);
}

static void what_is_still_needed_stays(void)
{
    Backing backing = { .instance = (char *)"tt70", .previous = (char *)"tt60", .job = 3 };
    g_autoptr(GError) error = NULL;
    g_autofree char *left = NULL;

    scratch_begin();
    make_job("orders", NULL);              /* 1: at work */
    make_job("orders", "needs-attention"); /* 2 */
    make_job("orders", "done");            /* 3: the last commit */
    make_job("orders", "done");            /* 4: its exports are there */
    make_job("orders", "done");            /* 5: damaged */
    make_job("orders", "done");            /* 6 */
    make_job("orders", "failed");          /* 7 */
    scratch_write("var/lib/timesten-upgrade/exports/4/orders", "x");
    scratch_write(JOBS "5/record", "no line of a record\nand another\n");
    g_assert_true(backing_commit("orders", &backing, &error));
    g_assert_true(retention_tidy("orders", 1, &error));
    left = jobs_left();
    g_assert_cmpstr(left, ==, "1 2 3 4 5 7");
}

static void what_a_crash_left_half_removed_goes(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *leaving = NULL;

    scratch_begin();
    make_job("orders", "done");
    scratch_write(JOBS ".leaving-7/request", "x");
    g_assert_true(retention_tidy("orders", 1, &error));
    leaving = scratch_path(JOBS ".leaving-7");
    g_assert_false(g_file_test(leaving, G_FILE_TEST_EXISTS));
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/retention/the-newest-stay-of-each-server", the_newest_stay_of_each_server);
    g_test_add_func("/retention/what-is-still-needed-stays", what_is_still_needed_stays);
    g_test_add_func("/retention/what-a-crash-left-half-removed-goes",
                    what_a_crash_left_half_removed_goes);
    status = g_test_run();
    scratch_end();
    return status;
}
