/* utility-runner as the worker uses it: one order after the other, each with its own output, end
 * and limit; gone when the worker is. */
#include "systemd/order.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    pid_t pid;
    int socket;
} Runner;

/* Without a runner: what is sent waits for one. */
static int runner_connect(Runner *runner)
{
    int ends[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), ==, 0);
    runner->socket = ends[0];
    return ends[1];
}

static void runner_spawn(Runner *runner, int input)
{
    runner->pid = fork();
    if (runner->pid == 0) {
        const char *program = g_getenv("UTILITY_RUNNER");

        dup2(input, STDIN_FILENO);
        close_range(STDERR_FILENO + 1, ~0U, 0); /* whoever runs this test may have left some open */
        execl(program, program, NULL);
        _exit(127);
    }
    close(input);
}

static void runner_start(Runner *runner)
{
    runner_spawn(runner, runner_connect(runner));
}

/* What it ends with once nobody gives orders any more. */
static int runner_end(Runner *runner)
{
    int status = -1;

    close(runner->socket);
    g_assert_cmpint(waitpid(runner->pid, &status, 0), ==, runner->pid);
    return status;
}

static void send_bytes(const Runner *runner, const void *bytes, gsize length, int output)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { 0 };
    struct iovec part = { (void *)bytes, length };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

    if (output >= 0) {
        struct cmsghdr *descriptor;

        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        descriptor = CMSG_FIRSTHDR(&message);
        descriptor->cmsg_level = SOL_SOCKET;
        descriptor->cmsg_type = SCM_RIGHTS;
        descriptor->cmsg_len = CMSG_LEN(sizeof output);
        memcpy(CMSG_DATA(descriptor), &output, sizeof output);
    }
    g_assert_cmpint(sendmsg(runner->socket, &message, 0), ==, length);
}

static void order(const Runner *runner, const char *const *words, const char *variable,
                  guint64 limit_usec, int output)
{
    g_autoptr(GByteArray) text = g_byte_array_new();
    OrderHead head = { .mark = ORDER_MARK,
                       .limit_usec = limit_usec,
                       .variables = variable != NULL };

    g_byte_array_append(text, (const guint8 *)&head, sizeof head);
    for (; words[head.words]; head.words++)
        g_byte_array_append(text, (const guint8 *)words[head.words], strlen(words[head.words]) + 1);
    if (variable)
        g_byte_array_append(text, (const guint8 *)variable, strlen(variable) + 1);
    memcpy(text->data, &head, sizeof head);
    send_bytes(runner, text->data, text->len, output);
}

static OrderEnd answer(const Runner *runner)
{
    OrderEnd end = { 0 };

    g_assert_cmpint(recv(runner->socket, &end, sizeof end, 0), ==, sizeof end);
    return end;
}

static char *printed(int fd)
{
    char *text = g_malloc0(4096);

    g_assert_cmpint(pread(fd, text, 4095, 0), >=, 0);
    close(fd);
    return text;
}

static OrderEnd run_shell(const Runner *runner, const char *script, const char *variable,
                          guint64 limit_usec, char **ret_printed)
{
    const char *const words[] = { "/bin/sh", "-c", script, NULL };
    int output = memfd_create("output", MFD_CLOEXEC);
    OrderEnd end;

    order(runner, words, variable, limit_usec, output);
    end = answer(runner);
    *ret_printed = printed(output);
    return end;
}

static void test_one_after_the_other(void)
{
    Runner runner;
    g_autofree char *first = NULL, *second = NULL, *third = NULL;
    OrderEnd end;
    guint64 before = g_get_monotonic_time();

    runner_start(&runner);
    end = run_shell(&runner, "echo out; echo err >&2; echo \"$A\"; exit 7", "A=a b", UINT64_MAX,
                    &first);
    g_assert_cmpstr(first, ==, "out\nerr\na b\n");
    g_assert_true(WIFEXITED(end.status));
    g_assert_cmpint(WEXITSTATUS(end.status), ==, 7);
    g_assert_cmpuint(end.began_usec, >=, before);
    g_assert_cmpuint(end.ended_usec, >=, end.began_usec);
    g_assert_cmpuint(end.ended_usec, <=, g_get_monotonic_time());
    /* Nothing of an order is left for the next one. */
    end = run_shell(&runner, "echo \"<$A>\"; cat; ls /proc/self/fd | wc -w", NULL, UINT64_MAX,
                    &second);
    g_assert_cmpstr(second, ==, "<>\n4\n");
    g_assert_cmpint(end.status, ==, 0);
    end = run_shell(&runner, "kill -9 $$", NULL, UINT64_MAX, &third);
    g_assert_true(WIFSIGNALED(end.status));
    g_assert_cmpint(WTERMSIG(end.status), ==, SIGKILL);
    g_assert_cmpint(runner_end(&runner), ==, 0);
}

static void test_limit_ends_all_of_it(void)
{
    Runner runner;
    g_autofree char *said = NULL, *next = NULL;
    OrderEnd end;
    pid_t grandchild;

    runner_start(&runner);
    end = run_shell(&runner, "(trap '' TERM; exec sleep 600) & echo $!; wait", NULL, 200 * 1000,
                    &said);
    g_assert_cmpuint(end.timed_out, ==, 1);
    g_assert_cmpint(end.problem, ==, 0);
    g_assert_true(WIFSIGNALED(end.status));
    grandchild = atoi(said);
    g_assert_cmpint(grandchild, >, 1);
    g_assert_cmpint(kill(grandchild, 0), ==, -1);
    end = run_shell(&runner, "echo on", NULL, UINT64_MAX, &next);
    g_assert_cmpstr(next, ==, "on\n");
    g_assert_cmpuint(end.timed_out, ==, 0);
    g_assert_cmpint(runner_end(&runner), ==, 0);
}

/* Neither in its group nor beside it, whatever it made of signals. */
static void test_nothing_of_an_order_is_left(void)
{
    Runner runner;
    g_autofree char *said = NULL;
    g_auto(GStrv) left = NULL;
    OrderEnd end;

    runner_start(&runner);
    end = run_shell(&runner,
                    "trap '' TERM; sleep 600 & echo $!; setsid sleep 600 & echo $!; "
                    "setsid sh -c 'sleep 600 & echo $!'; exit 5",
                    NULL, UINT64_MAX, &said);
    g_assert_cmpint(WEXITSTATUS(end.status), ==, 5);
    left = g_strsplit(g_strchomp(said), "\n", -1);
    g_assert_cmpuint(g_strv_length(left), ==, 3);
    for (guint i = 0; left[i]; i++) {
        g_assert_cmpint(atoi(left[i]), >, 1);
        g_assert_cmpint(kill(atoi(left[i]), 0), ==, -1);
    }
    g_assert_cmpint(runner_end(&runner), ==, 0);
}

static void test_what_cannot_be_run_is_told(void)
{
    static const char *const absent[] = { "/nowhere/ttStatus", NULL };
    Runner runner;
    int output = memfd_create("output", MFD_CLOEXEC);

    runner_start(&runner);
    order(&runner, absent, NULL, UINT64_MAX, output);
    g_assert_cmpint(answer(&runner).problem, ==, ENOENT);
    close(output);
    g_assert_cmpint(runner_end(&runner), ==, 0);
}

static void test_what_is_no_order_is_not_obeyed(void)
{
    OrderHead heads[] = {
        { .mark = 0, .words = 1 },
        { .mark = ORDER_MARK, .words = 0 },
        { .mark = ORDER_MARK, .words = 1 }, /* and none is there */
        { .mark = ORDER_MARK, .words = 1, .variables = 1 },
        { .mark = ORDER_MARK, .words = UINT32_MAX, .variables = UINT32_MAX },
    };
    static const struct {
        OrderHead head;
        char word[16];
    } unmarked = { { .mark = 1, .words = 1 }, "/bin/true" };
    static const char *const words[] = { "/bin/true", NULL };
    const OrderHead countless = { .mark = ORDER_MARK, .words = 100 * 1000 };
    g_autofree char *many = g_malloc0(sizeof countless + countless.words); /* empty ones */
    Runner runner;
    g_autofree char *next = NULL;
    int output = open("/dev/null", O_WRONLY | O_CLOEXEC);

    runner_start(&runner);
    send_bytes(&runner, &unmarked, sizeof unmarked, output);
    g_assert_cmpint(answer(&runner).problem, ==, EBADMSG);
    for (guint i = 0; i < G_N_ELEMENTS(heads); i++) {
        send_bytes(&runner, &heads[i], sizeof heads[i], output);
        g_assert_cmpint(answer(&runner).problem, ==, EBADMSG);
    }
    send_bytes(&runner, "x", 1, output);
    g_assert_cmpint(answer(&runner).problem, ==, EBADMSG);
    order(&runner, words, NULL, UINT64_MAX, -1); /* nothing to print to */
    g_assert_cmpint(answer(&runner).problem, ==, EBADMSG);
    memcpy(many, &countless, sizeof countless);
    send_bytes(&runner, many, sizeof countless + countless.words, output);
    g_assert_cmpint(answer(&runner).problem, ==, EBADMSG);
    run_shell(&runner, "echo on", NULL, UINT64_MAX, &next);
    g_assert_cmpstr(next, ==, "on\n");
    close(output);
    g_assert_cmpint(runner_end(&runner), ==, 0);
}

/* systemd ends what still runs in the unit once this process has ended; here the test does. */
static void test_ends_with_the_worker(void)
{
    static const char *const words[] = { "/bin/sh", "-c", "echo $$; exec sleep 600", NULL };
    Runner runner;
    g_autofree char *said = NULL;
    int output = memfd_create("output", MFD_CLOEXEC);

    runner_start(&runner);
    order(&runner, words, NULL, UINT64_MAX, output);
    while (lseek(output, 0, SEEK_END) == 0)
        g_usleep(1000);
    g_assert_cmpint(runner_end(&runner), ==, 0);
    said = printed(output);
    g_assert_cmpint(atoi(said), >, 1);
    g_assert_cmpint(kill(atoi(said), SIGKILL), ==, 0);
}

/* It was sent, the worker died, and only then systemd came to start the runner. */
static void test_order_of_a_dead_worker_is_not_begun(void)
{
    g_autofree char *directory = g_dir_make_tmp("utility-runner-XXXXXX", NULL);
    g_autofree char *made = g_build_filename(directory, "made", NULL);
    const char *const words[] = { "/bin/mkdir", made, NULL };
    Runner runner;
    int input = runner_connect(&runner), output = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int status = -1;

    order(&runner, words, NULL, UINT64_MAX, output);
    close(output);
    close(runner.socket);
    runner_spawn(&runner, input);
    g_assert_cmpint(waitpid(runner.pid, &status, 0), ==, runner.pid);
    g_assert_cmpint(status, ==, 0);
    g_assert_false(g_file_test(made, G_FILE_TEST_EXISTS));
    g_assert_cmpint(rmdir(directory), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/utility-runner/one-after-the-other", test_one_after_the_other);
    g_test_add_func("/utility-runner/limit-ends-all-of-it", test_limit_ends_all_of_it);
    g_test_add_func("/utility-runner/nothing-of-an-order-is-left",
                    test_nothing_of_an_order_is_left);
    g_test_add_func("/utility-runner/what-cannot-be-run-is-told", test_what_cannot_be_run_is_told);
    g_test_add_func("/utility-runner/what-is-no-order-is-not-obeyed",
                    test_what_is_no_order_is_not_obeyed);
    g_test_add_func("/utility-runner/ends-with-the-worker", test_ends_with_the_worker);
    g_test_add_func("/utility-runner/order-of-a-dead-worker-is-not-begun",
                    test_order_of_a_dead_worker_is_not_begun);
    return g_test_run();
}
