#include "ctl/pager.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct Pager {
    GPid pid;
    int terminal; /* the stdout from before */
};

/* A pager that somebody else's environment names must not run with rights gained by sudo. */
static gboolean environment_is_own(void)
{
    return !g_getenv("SUDO_UID") && !g_getenv("PKEXEC_UID");
}

/* The words of the pager; NULL: none. */
static char **pager_words(void)
{
    const char *wish = environment_is_own() ? g_getenv("PAGER") : NULL;
    g_autofree char *less = g_find_program_in_path("less");
    const char *const plain[] = { less, NULL };
    char **words = NULL;

    if (wish && (!*wish || g_str_equal(wish, "cat")))
        return NULL;
    if (wish && g_shell_parse_argv(wish, NULL, &words, NULL))
        return words;
    return less ? g_strdupv((char **)plain) : NULL;
}

Pager *pager_open(const Options *options)
{
    g_auto(GStrv) words = NULL;
    g_auto(GStrv) environment = NULL;
    guint columns;
    gboolean colour;
    Pager *pager;
    int input = -1;
    GPid pid;

    if (options->no_pager || options->output != OUTPUT_TEXT || !terminal_can_redraw(stdout))
        return NULL;
    words = pager_words();
    if (!words)
        return NULL;
    columns = terminal_columns(stdout);
    colour = terminal_has_colour(stdout);
    environment = g_get_environ();
    /* F: leave at once when it fits on the screen; R: colours; S: cut lines; X: leave it on the
     * screen. */
    environment = g_environ_setenv(environment, "LESS", "FRSX", !environment_is_own());
    environment = g_environ_setenv(environment, "LESSSECURE", "1", TRUE);
    fflush(stdout);
    if (!g_spawn_async_with_pipes(NULL, words, environment,
                                  G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid,
                                  &input, NULL, NULL, NULL))
        return NULL;
    pager = g_new0(Pager, 1);
    pager->pid = pid;
    pager->terminal = dup(STDOUT_FILENO);
    dup2(input, STDOUT_FILENO);
    close(input);
    terminal_assume(columns, colour);
    signal(SIGPIPE, SIG_IGN); /* the reader may leave before the end */
    return pager;
}

void pager_close(Pager *pager)
{
    if (!pager)
        return;
    fflush(stdout);
    clearerr(stdout); /* the reader left early: no failure */
    dup2(pager->terminal, STDOUT_FILENO);
    close(pager->terminal);
    terminal_assume(0, FALSE);
    signal(SIGINT, SIG_IGN); /* Ctrl-C is the pager's while it reads the keyboard */
    while (waitpid(pager->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    g_spawn_close_pid(pager->pid);
    g_free(pager);
}
