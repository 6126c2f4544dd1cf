#include "ctl/progress.h"
#include "ctl/width.h"
#include "common/text.h"

#include <locale.h>

static Job *job_at(const char *state, const char *step, double progress)
{
    Job *job = job_new();

    g_free(job->state);
    job->state = g_strdup(state);
    g_free(job->step);
    job->step = g_strdup(step);
    job->progress = progress;
    return job;
}

static void line_never_exceeds_its_columns(void)
{
    g_autoptr(Job) job = job_at("running", "start-new-server", 0.999);
    g_autoptr(Server) server = server_new();

    job->remaining_usec = 754 * USEC_PER_SEC;
    job->held_usec = 7200 * USEC_PER_SEC;
    server->held = 100000;
    server->hold_deadline = 1;
    for (guint columns = 1; columns < 200; columns++) {
        g_autofree char *line = progress_line(job, server, 500000, columns);

        g_assert_cmpuint(width_of(line), <=, columns);
    }
}

/* Between two signals the clock runs: remaining time goes down to 0 and no further, held time goes
 * up, but only while the port is held. */
static void clock_runs_between_signals(void)
{
    g_autoptr(Job) job = job_at("running", "import", 0.5);
    g_autoptr(Server) server = server_new();
    g_autofree char *held = NULL;
    g_autofree char *open = NULL;

    job->remaining_usec = 3 * USEC_PER_SEC;
    job->held_usec = 10 * USEC_PER_SEC;
    open = progress_line(job, server, 2 * USEC_PER_SEC, 0);
    g_assert_cmpstr(open, ==, "50%  import  ETA 1.0s  held 10.0s");
    server->hold_deadline = 1;
    server->held = 4;
    held = progress_line(job, server, 5 * USEC_PER_SEC, 0);
    g_assert_cmpstr(held, ==, "50%  import  ETA 0ms  4 waiting  held 15.0s");
}

static void what_is_not_known_is_not_said(void)
{
    g_autoptr(Job) queued = job_at("queued", "", 0);
    g_autoptr(Job) undoing = job_at("undoing", "hold", 7.5);
    g_autofree char *a = progress_line(queued, NULL, 0, 0);
    g_autofree char *b = progress_line(undoing, NULL, 0, 0);

    g_assert_cmpstr(a, ==, "0%  queued");
    g_assert_cmpstr(b, ==, "100%  undoing hold");
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "C.UTF-8");
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/progress/line-never-exceeds-its-columns", line_never_exceeds_its_columns);
    g_test_add_func("/progress/clock-runs-between-signals", clock_runs_between_signals);
    g_test_add_func("/progress/what-is-not-known-is-not-said", what_is_not_known_is_not_said);
    return g_test_run();
}
