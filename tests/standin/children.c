/* Starting the daemon's children. They die with it, whatever kills it. */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon.h"

static G_NORETURN void become(const char *path, char **argv, pid_t parent, int input)
{
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (input >= 0)
        dup2(input, STDIN_FILENO);
    execv(path, argv);
    _exit(127);
}

gboolean child_start(Daemon *daemon, Child *child, const char *program, const char *id,
                     const char *port)
{
    g_autofree char *path = g_build_filename(daemon->instance->programs, program, NULL);
    char *argv[] = { (char *)program,
                     (char *)"-verbose",
                     (char *)"-userlog",
                     (char *)"tterrors.log",
                     (char *)"-supportlog",
                     (char *)"ttmesg.log",
                     (char *)"-id",
                     (char *)id,
                     (char *)(port ? "-p" : "-facility"),
                     (char *)(port ? port : "user"),
                     (char *)(port ? "-facility" : NULL),
                     (char *)"user",
                     NULL };
    const gboolean wired = !port;
    int pair[2] = { -1, -1 };
    pid_t parent = getpid();
    pid_t pid;

    if (wired && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return FALSE;
    pid = fork();
    if (pid == 0)
        become(path, argv, parent, pair[1]);
    if (wired)
        close(pair[1]);
    if (pid < 0) {
        if (wired)
            close(pair[0]);
        return FALSE;
    }
    child->pid = pid;
    child->wire = wired ? wire_new(pair[0]) : NULL;
    return TRUE;
}

void child_forget(Child *child)
{
    if (child->source)
        g_source_remove(child->source);
    g_clear_pointer(&child->wire, wire_free);
    child->source = 0;
    child->pid = 0;
}
