#include "common/error.h"
#include "common/text.h"
#include "timesten/capture.h"

#include <signal.h>

static gboolean run(const char *script, guint64 limit_usec, char **ret_output, int *ret_status,
                    GError **error)
{
    char *argv[] = { "/bin/sh", "-c", (char *)script, NULL };
    char *environment[] = { "COLOUR=red=blue", NULL };

    return capture_run(argv, environment, limit_usec, 10000, ret_output, ret_status, error);
}

static void output_and_status_come_back(void)
{
    g_autofree char *output = NULL, *killed = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    g_assert_true(run("cat; echo $COLOUR; echo complaint >&2; exit 7", 5 * USEC_PER_SEC, &output,
                      &status, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(output, ==, "red=blue\ncomplaint\n");
    g_assert_cmpint(status, ==, 7);
    g_assert_true(run("kill -TERM $$", 5 * USEC_PER_SEC, &killed, &status, &error));
    g_assert_cmpint(status, ==, 128 + SIGTERM);
}

/* A main daemon that a utility started keeps its output open; that is no reason to wait for it. */
static void open_output_of_a_child_is_not_waited_for(void)
{
    g_autofree char *output = NULL;
    g_autoptr(GError) error = NULL;
    gint64 before = g_get_monotonic_time();
    int status;

    g_assert_true(run("sleep 3 & echo done", 60 * USEC_PER_SEC, &output, &status, &error));
    g_assert_cmpstr(output, ==, "done\n");
    g_assert_cmpint(g_get_monotonic_time() - before, <, 2 * USEC_PER_SEC);
}

static void program_without_end_is_killed(void)
{
    static const char *const scripts[] = { "sleep 100", "exec >&- 2>&-; sleep 100",
                                           "trap '' TERM INT; while :; do sleep 1; done",
                                           "while :; do echo again and again; done" };

    for (guint i = 0; i < G_N_ELEMENTS(scripts); i++) {
        g_autofree char *output = NULL;
        g_autoptr(GError) error = NULL;
        gint64 before = g_get_monotonic_time();
        int status;

        g_assert_false(run(scripts[i], USEC_PER_SEC / 3, &output, &status, &error));
        g_assert_error(error, TU_ERROR, TU_ERROR_DEADLINE_PASSED);
        g_assert_cmpint(g_get_monotonic_time() - before, <, 5 * USEC_PER_SEC);
    }
}

static void missing_program_is_told(void)
{
    char *argv[] = { "/nowhere/ttVersion", NULL };
    g_autofree char *output = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    g_assert_false(capture_run(argv, NULL, USEC_PER_SEC, 100, &output, &status, &error));
    g_assert_error(error, TU_ERROR, TU_ERROR_UTILITY_FAILED);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/capture/output-and-status-come-back", output_and_status_come_back);
    g_test_add_func("/capture/open-output-of-a-child-is-not-waited-for",
                    open_output_of_a_child_is_not_waited_for);
    g_test_add_func("/capture/program-without-end-is-killed", program_without_end_is_killed);
    g_test_add_func("/capture/missing-program-is-told", missing_program_is_told);
    return g_test_run();
}
