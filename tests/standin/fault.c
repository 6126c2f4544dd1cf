#include "fault.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static GHashTable *actions; /* of the line that applies to this process */
static char *own_home;

static gboolean has_word(char **arguments, const char *word)
{
    for (guint i = 0; arguments && arguments[i]; i++) {
        if (g_ascii_strcasecmp(arguments[i], word) == 0)
            return TRUE;
    }
    return FALSE;
}

/* "ttMigrate -r exit=2 count=1": the command, options that must have been given, then actions. */
static GHashTable *parse_line(const char *line, const char *command, char **arguments)
{
    g_auto(GStrv) words = NULL;
    g_autoptr(GHashTable) found = NULL;

    if (!g_shell_parse_argv(line, NULL, &words, NULL) || *words[0] == '#' ||
        g_ascii_strcasecmp(words[0], command) != 0)
        return NULL;
    found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (guint i = 1; words[i]; i++) {
        char *equals = strchr(words[i], '=');

        if (*words[i] == '-' && !equals) {
            if (!has_word(arguments, words[i]))
                return NULL;
        } else if (equals) {
            g_hash_table_replace(found, g_strndup(words[i], (gsize)(equals - words[i])),
                                 g_strcompress(equals + 1));
        } else {
            g_hash_table_replace(found, g_strdup(words[i]), g_strdup(""));
        }
    }
    return g_steal_pointer(&found);
}

/* Notes in HOME/.standin/fired that LINE fires now. FALSE where it has fired as often as count=
 * allows. */
static gboolean note_firing(const char *home, const char *line, const char *count)
{
    g_autofree char *path = g_build_filename(home, ".standin", "fired", NULL);
    g_autofree char *text = NULL;
    g_auto(GStrv) fired = NULL;
    guint64 limit = count ? g_ascii_strtoull(count, NULL, 10) : G_MAXUINT64;
    guint64 times = 0;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0666);
    gboolean fires;

    if (fd < 0)
        return TRUE;
    flock(fd, LOCK_EX);
    if (count && g_file_get_contents(path, &text, NULL, NULL)) {
        fired = g_strsplit(text, "\n", -1);
        for (guint i = 0; fired[i]; i++)
            times += strcmp(fired[i], line) == 0;
    }
    fires = times < limit;
    if (fires)
        dprintf(fd, "%s\n", line);
    close(fd);
    return fires;
}

/* Lines that a process looks for while it runs must not be used up by its start. */
static gboolean is_for_later(GHashTable *found)
{
    static const char *const later[] = { "refuse",      "never-answer", "garbage", "hang-up",
                                         "ignore-stop", "stall",        "skip",    "lose-ack" };

    for (guint i = 0; i < G_N_ELEMENTS(later); i++) {
        if (g_hash_table_contains(found, later[i]))
            return TRUE;
    }
    return FALSE;
}

static GHashTable *find(const char *home, const char *command, char **arguments, const char *action)
{
    g_autofree char *path = g_build_filename(home, ".standin", "faults", NULL);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return NULL;
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        g_autoptr(GHashTable) found = parse_line(g_strstrip(lines[i]), command, arguments);

        if (found && (action ? g_hash_table_contains(found, action) : !is_for_later(found)) &&
            note_firing(home, lines[i], g_hash_table_lookup(found, "count")))
            return g_steal_pointer(&found);
    }
    return NULL;
}

static double seconds(const char *text)
{
    return g_ascii_strtod(text, NULL);
}

const char *fault_get(const char *action)
{
    return actions ? g_hash_table_lookup(actions, action) : NULL;
}

/* Stands still until PATH is there or a signal came that somebody handles, and tells in
 * HOME/.standin/fired that it does. A test can then act in the middle of a step, however fast or
 * slow the machine is. */
static void wait_until_there(const char *path)
{
    g_autofree char *fired = g_build_filename(own_home, ".standin", "fired", NULL);
    int fd = open(fired, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND, 0666);

    if (fd >= 0) {
        dprintf(fd, "waits for %s\n", path);
        close(fd);
    }
    while (access(path, F_OK) < 0 && usleep(20000) == 0)
        ;
}

static void act(void)
{
    const char *value;

    value = fault_get("until");
    if (value)
        wait_until_there(value);
    value = fault_get("delay");
    if (value)
        g_usleep((gulong)(seconds(value) * G_USEC_PER_SEC));
    value = fault_get("output");
    if (value) {
        fputs(value, stdout);
        if (*value && value[strlen(value) - 1] != '\n')
            putchar('\n');
        fflush(stdout);
    }
    if (fault_get("hang")) {
        while (TRUE)
            pause();
    }
    if (fault_get("crash"))
        raise(SIGKILL);
    value = fault_get("exit");
    if (value) {
        fflush(NULL);
        _exit(atoi(value));
    }
}

void fault_begin(const char *home, const char *command, char **arguments)
{
    actions = find(home, command, arguments, NULL);
    own_home = g_strdup(home);
    if (actions && !fault_get("at"))
        act();
}

void fault_at(guint percent)
{
    static gboolean done;
    const char *at = fault_get("at");

    if (done || !at || percent < g_ascii_strtoull(at, NULL, 10))
        return;
    done = TRUE;
    act();
}

gboolean fault_now(const char *home, const char *command, const char *action)
{
    g_autoptr(GHashTable) found = find(home, command, NULL, action);

    return found != NULL;
}

double tune_get(const char *home, const char *name, double fallback)
{
    g_autofree char *path = g_build_filename(home, ".standin", "tune", NULL);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return fallback;
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        g_auto(GStrv) parts = g_strsplit(lines[i], "=", 2);

        if (parts[0] && parts[1] && strcmp(g_strstrip(parts[0]), name) == 0)
            return g_ascii_strtod(g_strstrip(parts[1]), NULL);
    }
    return fallback;
}
