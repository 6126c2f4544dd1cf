#include "server.h"
#include "common/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A rig whose public socket is of another kind than the rig's own. */
Rig *make_rig(Kind kind)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
    Rig *rig = rig_new();
    socklen_t length = sizeof six;
    int only = kind == SIX;

    if (kind == FOUR)
        return rig;
    close(rig->public);
    rig->public = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(setsockopt(rig->public, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only), ==, 0);
    g_assert_cmpint(bind(rig->public, (struct sockaddr *)&six, sizeof six), ==, 0);
    g_assert_cmpint(getsockname(rig->public, (struct sockaddr *)&six, &length), ==, 0);
    g_assert_cmpint(listen(rig->public, 4), ==, 0);
    rig->address.sin_port = six.sin6_port;
    return rig;
}

char *heir(void)
{
    return g_strdup_printf("tt60@%u", (guint)getuid());
}

Rig *start_rig(Kind kind)
{
    Rig *rig = make_rig(kind);
    g_autofree char *backend = heir();

    rig_start(rig, &(RigOptions){ .backend = backend });
    return rig;
}

pid_t run_server(const Rig *rig, const ServerOptions *options, const char *habits)
{
    g_autofree char *path = options->path ? g_strdup(options->path) : path_keeper("tt", "control");
    guint16 public = ntohs(rig->address.sin_port);
    g_autofree char *command = g_strdup_printf("%s %u %s", g_getenv("SHIM_HABITS"),
                                               options->port ? options->port : public, habits);
    g_auto(GStrv) argv = g_strsplit(command, " ", -1);
    g_auto(GStrv) envp = g_get_environ();
    g_autofree char *keepers = g_strdup_printf("1=/nowhere,%u=%s,junk", public, path);
    pid_t pid;

    envp = g_environ_setenv(envp, "LD_PRELOAD", g_getenv("SHIM_LIBRARY"), TRUE);
    envp = g_environ_setenv(envp, "TIMESTEN_PORT_KEEPERS", keepers, TRUE);
    envp = g_environ_setenv(envp, "TIMESTEN_PORT_NAME", options->name ? options->name : "", TRUE);
    /* The library of a sanitizer wants to be the first, which a preloaded one never allows. */
    envp = g_environ_setenv(envp, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", TRUE);
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        dup2(STDERR_FILENO, STDOUT_FILENO);
        if (options->user && (setgid(options->user) < 0 || setuid(options->user) < 0))
            _exit(105);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* setuid() would take it back */
        execve(argv[0], argv, envp);
        _exit(127);
    }
    g_assert_cmpint(pid, >, 0);
    setpgid(pid, pid); /* whoever is first; both need it */
    return pid;
}

pid_t run(const Rig *rig, const char *habits)
{
    return run_server(rig, &(ServerOptions){ .name = "tt60" }, habits);
}

int end_of(pid_t pid)
{
    int status;

    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

void kill_server(pid_t pid)
{
    kill(-pid, SIGKILL);
    while (waitpid(-pid, NULL, 0) > 0 || errno == EINTR) {
    }
}

/* --- clients --- */

int connect_six(const Rig *rig)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6,
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT,
                                .sin6_port = rig->address.sin_port };
    struct timeval limit = { .tv_sec = WAIT_USEC / 1000000 };
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&six, sizeof six), ==, 0);
    return fd;
}

char *own_name(int fd)
{
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    char text[INET6_ADDRSTRLEN];
    const struct sockaddr_in6 *six = (struct sockaddr_in6 *)&own;
    const struct sockaddr_in *four = (struct sockaddr_in *)&own;

    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&own, &length), ==, 0);
    inet_ntop(own.ss_family,
              own.ss_family == AF_INET ? (const void *)&four->sin_addr
                                       : (const void *)&six->sin6_addr,
              text, sizeof text);
    return g_strdup_printf("%s %u", text, ntohs(four->sin_port));
}

void line_free(Line *line)
{
    g_free(line->accepted);
    g_free(line->peer);
    g_free(line->own);
    g_free(line->listener);
    g_free(line->options);
    g_free(line);
}

Line *read_line(int fd)
{
    char text[512] = "";
    gsize length = 0;
    g_auto(GStrv) parts = NULL;
    Line *line = g_new0(Line, 1);

    while (length < sizeof text - 1 && !strchr(text, '\n')) {
        ssize_t got = recv(fd, text + length, sizeof text - 1 - length, 0);

        if (got <= 0)
            g_error("the server said \"%s\" and no more: %s", text,
                    got ? g_strerror(errno) : "end of file");
        length += got;
        text[length] = '\0';
    }
    parts = g_strsplit(g_strchomp(text), "|", -1);
    g_assert_cmpuint(g_strv_length(parts), ==, 6);
    *line = (Line){ .group = atoi(parts[0]),
                    .accepted = g_strdup(parts[1]),
                    .peer = g_strdup(parts[2]),
                    .own = g_strdup(parts[3]),
                    .listener = g_strdup(parts[4]),
                    .options = g_strdup(parts[5]) };
    return line;
}

pid_t must_serve(const Rig *rig, gboolean six)
{
    int fd = six ? connect_six(rig) : rig_connect(rig);
    g_autofree char *own = own_name(fd);
    g_autoptr(Line) line = read_line(fd);

    g_assert_cmpstr(line->accepted, ==, own);
    g_assert_cmpstr(line->peer, ==, own);
    close(fd);
    return line->group;
}
