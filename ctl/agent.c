#include "ctl/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct Agent {
    GPid pid;
};

/* The agent registers with polkit first; a call sent before that would be refused as unattended. It
 * says so by closing the pipe. Ten seconds are far more than it needs. */
static void wait_until_registered(int fd)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };

    while (poll(&ready, 1, 10000) < 0 && errno == EINTR)
        ;
}

Agent *agent_start(const Options *options)
{
    g_autofree char *program = g_find_program_in_path("pkttyagent");
    g_autofree char *self = g_strdup_printf("%d", (int)getpid());
    g_autofree char *notify = NULL;
    const char *words[] = { program, "--process", self, "--fallback", "--notify-fd", NULL, NULL };
    int ends[2], kept;
    GPid pid;
    Agent *agent;

    if (options->no_ask_password || options->transport != TRANSPORT_LOCAL || geteuid() == 0 ||
        !program || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return NULL;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return NULL;
    notify = g_strdup_printf("%d", ends[1]);
    words[5] = notify;
    kept = ends[1];
    if (!g_spawn_async_with_pipes_and_fds(NULL, (const char *const *)words, NULL,
                                          G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CHILD_INHERITS_STDIN,
                                          NULL, NULL, -1, -1, -1, &kept, &kept, 1, &pid, NULL, NULL,
                                          NULL, NULL)) {
        close(ends[0]);
        close(ends[1]);
        return NULL;
    }
    close(ends[1]);
    wait_until_registered(ends[0]);
    close(ends[0]);
    agent = g_new0(Agent, 1);
    agent->pid = pid;
    return agent;
}

void agent_stop(Agent *agent)
{
    if (!agent)
        return;
    /* SIGCONT: one that was stopped for reading the terminal in the background could not end. */
    kill(agent->pid, SIGTERM);
    kill(agent->pid, SIGCONT);
    while (waitpid(agent->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    g_spawn_close_pid(agent->pid);
    g_free(agent);
}
