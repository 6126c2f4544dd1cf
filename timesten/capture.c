#include "timesten/capture.h"
#include "common/error.h"
#include "common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <glib-unix.h>

#define TICK_MSEC 50 /* how late the end of a program that left its output open is noticed */

/* Its own process group, so that killing it kills what it started. */
static void lead_group(gpointer data)
{
    setpgid(0, 0);
}

static char **environment_with(char **environment)
{
    char **all = g_get_environ();

    for (guint i = 0; environment && environment[i]; i++) {
        g_auto(GStrv) pair = g_strsplit(environment[i], "=", 2);

        if (pair[0] && pair[1])
            all = g_environ_setenv(all, pair[0], pair[1], TRUE);
    }
    return all;
}

/* Reads what is there. FALSE at the end of the output. */
static gboolean read_some(int fd, GString *output)
{
    char block[4096];
    ssize_t count = read(fd, block, sizeof block);

    if (count > 0)
        g_string_append_len(output, block, count);
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Until the program has ended and nothing of its output is left, or a limit is reached. Another
 * process that keeps the output open is not waited for. */
static gboolean follow(GPid pid, int fd, gint64 deadline, gsize limit, GString *output,
                       int *ret_wait)
{
    gboolean open = TRUE, ended = FALSE;

    while (!ended || open) {
        struct pollfd poller = { .fd = open ? fd : -1, .events = POLLIN };
        int ready;

        if (!ended)
            ended = waitpid(pid, ret_wait, WNOHANG) == pid;
        ready = poll(&poller, 1, ended ? 0 : TICK_MSEC);
        if (ready > 0)
            open = read_some(fd, output);
        else if (ended)
            break;
        if (output->len > limit || g_get_monotonic_time() >= deadline)
            return ended && !open;
    }
    return TRUE;
}

gboolean capture_run(char **argv, char **environment, guint64 limit_usec, gsize limit,
                     char **ret_output, int *ret_status, GError **error)
{
    g_auto(GStrv) all = environment_with(environment);
    g_autoptr(GString) output = g_string_new(NULL);
    g_autoptr(GError) problem = NULL;
    g_autofree char *time = text_timespan(limit_usec);
    int pipe_fds[2], status = 0;
    GPid pid;
    gboolean whole;

    if (!g_unix_open_pipe(pipe_fds, FD_CLOEXEC, &problem)) {
        g_set_error(error, TU_ERROR, TU_ERROR_FAILED, "Cannot run %s: %s", argv[0],
                    problem->message);
        return FALSE;
    }
    g_unix_set_fd_nonblocking(pipe_fds[0], TRUE, NULL);
    if (!g_spawn_async_with_fds("/", argv, all, G_SPAWN_DO_NOT_REAP_CHILD, lead_group, NULL, &pid,
                                -1, pipe_fds[1], pipe_fds[1], &problem)) {
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        g_set_error(error, TU_ERROR, TU_ERROR_UTILITY_FAILED, "Cannot run %s: %s", argv[0],
                    problem->message);
        return FALSE;
    }
    close(pipe_fds[1]);
    whole = follow(pid, pipe_fds[0], g_get_monotonic_time() + (gint64)limit_usec, limit, output,
                   &status);
    close(pipe_fds[0]);
    if (!whole) {
        kill(-pid, SIGKILL);
        waitpid(pid, &status, 0);
        g_set_error(error, TU_ERROR, TU_ERROR_DEADLINE_PASSED,
                    "%s did not end within %s or printed too much, and was killed. Run it by hand "
                    "as the instance's administrator to see why",
                    argv[0], time);
        return FALSE;
    }
    *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    *ret_output = g_string_free(g_steal_pointer(&output), FALSE);
    return TRUE;
}
