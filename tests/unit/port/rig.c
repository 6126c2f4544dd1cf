#include "rig.h"
#include "common/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define SERVER "tt"

static void limit_waits(int fd)
{
    struct timeval limit = { .tv_sec = WAIT_USEC / 1000000 };

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

static int bound_socket(struct sockaddr_in *ret)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof *ret;

    *ret = (struct sockaddr_in){ .sin_family = AF_INET };
    ret->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    g_assert_cmpint(bind(fd, (struct sockaddr *)ret, length), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)ret, &length), ==, 0);
    limit_waits(fd);
    return fd;
}

Rig *rig_new(void)
{
    Rig *rig = g_new0(Rig, 1);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    g_autofree char *path = NULL, *control_directory = NULL;

    rig->root = g_dir_make_tmp("keeper-XXXXXX", NULL);
    g_assert_nonnull(rig->root);
    path_set_root(rig->root);
    rig->directory = path_keeper(SERVER, NULL);
    path = path_keeper(SERVER, "control");
    control_directory = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(rig->directory, 0755), ==, 0);
    g_assert_cmpint(g_mkdir_with_parents(control_directory, 0755), ==, 0);

    rig->public = bound_socket(&rig->address);
    /* Short on purpose: the keeper has to widen it. */
    g_assert_cmpint(listen(rig->public, 4), ==, 0);
    rig->control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpuint(g_strlcpy(address.sun_path, path, sizeof address.sun_path), <,
                     sizeof address.sun_path);
    g_assert_cmpint(bind(rig->control, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(listen(rig->control, 64), ==, 0);
    return rig;
}

/* In the child, where only simple calls are safe. */
static void become_keeper(const Rig *rig, const RigOptions *options, char **argv, char **envp)
{
    static char pid[64];
    int public = fcntl(rig->public, F_DUPFD, 10);
    int control = fcntl(rig->control, F_DUPFD, 10);
    guint i = 0;

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves no keeper behind */
    dup2(STDERR_FILENO, STDOUT_FILENO);
    dup2(public, 3);
    dup2(control, 4);
    close(public);
    close(control);
    if (options->descriptors > 0) {
        struct rlimit limit = { options->descriptors, options->descriptors };

        setrlimit(RLIMIT_NOFILE, &limit);
    }
    snprintf(pid, sizeof pid, "LISTEN_PID=%d", (int)getpid());
    while (envp[i])
        i++;
    envp[i - 1] = pid; /* takes the place of the last, which was kept free for it */
    execve(argv[0], argv, envp);
    _exit(127);
}

static char *setting(const char *name, const char *value)
{
    return g_strconcat(name, "=", value, NULL);
}

void rig_start(Rig *rig, const RigOptions *options)
{
    g_autofree char *root = g_strconcat("--root=", rig->root, NULL);
    char *argv[] = { (char *)g_getenv("PORT_KEEPER"), root, (char *)SERVER, NULL };
    g_autoptr(GPtrArray) envp = g_ptr_array_new_with_free_func(g_free);

    g_assert_nonnull(argv[0]);
    g_ptr_array_add(envp, setting("LISTEN_FDS", "2"));
    if (options->backend)
        g_ptr_array_add(envp, setting("TIMESTEN_BACKEND", options->backend));
    if (options->hold_usec)
        g_ptr_array_add(envp, setting("TIMESTEN_HOLD_USEC", options->hold_usec));
    if (options->wait_usec)
        g_ptr_array_add(envp, setting("TIMESTEN_WAIT_USEC", options->wait_usec));
    if (options->proxy)
        g_ptr_array_add(envp, setting("TIMESTEN_PROXY", "v2"));
    g_ptr_array_add(envp, g_strdup("LISTEN_PID="));
    g_ptr_array_add(envp, NULL);

    rig->keeper = fork();
    if (rig->keeper == 0)
        become_keeper(rig, options, argv, (char **)envp->pdata);
    g_assert_cmpint(rig->keeper, >, 0);
    rig_order("status");
}

static int reap(Rig *rig)
{
    int status = -1;

    g_assert_cmpint(waitpid(rig->keeper, &status, 0), ==, rig->keeper);
    rig->keeper = 0;
    return status;
}

void rig_stop(Rig *rig)
{
    int status;

    kill(rig->keeper, SIGTERM);
    status = reap(rig);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

void rig_kill(Rig *rig)
{
    kill(rig->keeper, SIGKILL);
    g_assert_cmpint(WTERMSIG(reap(rig)), ==, SIGKILL);
}

static void remove_below(const char *path)
{
    GDir *directory = g_dir_open(path, 0, NULL);
    const char *name;

    while (directory && (name = g_dir_read_name(directory))) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        remove_below(child);
    }
    g_clear_pointer(&directory, g_dir_close);
    g_remove(path);
}

void rig_free(Rig *rig)
{
    if (rig->keeper > 0)
        rig_stop(rig);
    remove_below(rig->root);
    close(rig->public);
    close(rig->control);
    g_free(rig->directory);
    g_free(rig->root);
    g_free(rig);
}

guint64 rig_keeper_time(const Rig *rig)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)rig->keeper);
    g_autofree char *text = NULL;
    unsigned long user, system;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpint(sscanf(strrchr(text, ')'),
                           ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system),
                    ==, 2);
    return (user + system) * 1000000 / sysconf(_SC_CLK_TCK);
}

KeeperStatus *rig_say(const char *command)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *answer = keeper_say(SERVER, command, WAIT_USEC, &error);
    KeeperStatus *status;

    g_assert_no_error(error);
    status = keeper_status_parse(answer, &error);
    g_assert_no_error(error);
    return status;
}

void rig_order(const char *command)
{
    keeper_status_free(rig_say(command));
}

typedef enum { WAIT_STATE, WAIT_HELD, WAIT_SESSIONS } WaitFor;

static void wait_until(WaitFor what, guint wanted)
{
    gint64 end = g_get_monotonic_time() + (gint64)WAIT_USEC;

    for (;;) {
        g_autoptr(KeeperStatus) status = rig_say("status");
        guint is = what == WAIT_STATE  ? (guint)status->state
                   : what == WAIT_HELD ? status->held
                                       : status->sessions;

        if (is == wanted)
            return;
        if (g_get_monotonic_time() > end)
            g_error("waited in vain for %s %u, it is %u",
                    what == WAIT_STATE  ? "state"
                    : what == WAIT_HELD ? "held"
                                        : "sessions",
                    wanted, is);
        g_usleep(5000);
    }
}

void rig_wait_state(KeeperState state)
{
    wait_until(WAIT_STATE, state);
}

void rig_wait_held(guint held)
{
    wait_until(WAIT_HELD, held);
}

void rig_wait_sessions(guint sessions)
{
    wait_until(WAIT_SESSIONS, sessions);
}

void rig_freeze(const Rig *rig)
{
    int status;

    kill(rig->keeper, SIGSTOP);
    g_assert_cmpint(waitpid(rig->keeper, &status, WUNTRACED), ==, rig->keeper);
    g_assert_true(WIFSTOPPED(status));
}

void rig_thaw(const Rig *rig)
{
    kill(rig->keeper, SIGCONT);
}

int rig_connect(const Rig *rig)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    limit_waits(fd);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&rig->address, sizeof rig->address), ==, 0);
    return fd;
}

int backend_deaf(char **ret_name)
{
    struct sockaddr_in address;
    int fd = bound_socket(&address);

    *ret_name = g_strdup_printf("127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

int backend_new(char **ret_name)
{
    int fd = backend_deaf(ret_name);

    g_assert_cmpint(listen(fd, 1024), ==, 0);
    return fd;
}

int backend_accept(int backend)
{
    int fd = accept4(backend, NULL, NULL, SOCK_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    limit_waits(fd);
    return fd;
}

static gpointer echo(gpointer data)
{
    int backend = GPOINTER_TO_INT(data);
    g_autoptr(GArray) polls = g_array_new(FALSE, TRUE, sizeof(struct pollfd));
    struct pollfd first = { .fd = backend, .events = POLLIN };

    g_array_append_val(polls, first);
    for (;;) {
        poll((struct pollfd *)polls->data, polls->len, -1);
        for (guint i = polls->len; i-- > 1;) {
            struct pollfd *at = &g_array_index(polls, struct pollfd, i);
            char block[4096];
            ssize_t count;

            if (at->revents == 0)
                continue;
            count = recv(at->fd, block, sizeof block, 0);
            if (count > 0 && send(at->fd, block, count, MSG_NOSIGNAL) == count)
                continue;
            close(at->fd);
            g_array_remove_index_fast(polls, i);
        }
        if (g_array_index(polls, struct pollfd, 0).revents) {
            struct pollfd more = { .fd = accept(backend, NULL, NULL), .events = POLLIN };

            if (more.fd < 0)
                break;
            g_array_append_val(polls, more);
        }
    }
    for (guint i = 1; i < polls->len; i++)
        close(g_array_index(polls, struct pollfd, i).fd);
    return NULL;
}

GThread *backend_echo(int backend)
{
    return g_thread_new("echo", echo, GINT_TO_POINTER(backend));
}

void backend_end(int backend, GThread *echoing)
{
    shutdown(backend, SHUT_RDWR);
    g_thread_join(echoing);
    close(backend);
}

void close_hard(int fd)
{
    struct linger hard = { .l_onoff = 1 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
}

void put(int fd, const char *text)
{
    g_assert_cmpint(send(fd, text, strlen(text), MSG_NOSIGNAL), ==, strlen(text));
}

void expect(int fd, const char *text)
{
    g_autofree char *got = g_malloc0(strlen(text) + 1);

    recv(fd, got, strlen(text), MSG_WAITALL);
    g_assert_cmpstr(got, ==, text);
}

void expect_end(int fd)
{
    char byte;

    g_assert_cmpint(recv(fd, &byte, 1, 0), ==, 0);
}

void expect_reset(int fd)
{
    char byte;
    ssize_t count = recv(fd, &byte, 1, 0);

    g_assert_cmpint(count, ==, -1);
    g_assert_cmpint(errno, ==, ECONNRESET);
}

void expect_silence(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

    g_assert_cmpint(poll(&poll_fd, 1, 0), ==, 0);
}
