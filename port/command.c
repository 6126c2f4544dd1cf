#include "port/command.h"
#include "common/error.h"
#include "common/text.h"

#define MESSAGE_LIMIT 1024

typedef gboolean (*CommandRun)(Gate *gate, char **words, GError **error);

static gboolean take_usec(const char *word, guint64 *ret, GError **error)
{
    g_autofree char *shown = NULL;

    if (text_parse_uint64(word, 0, G_MAXUINT64, ret))
        return TRUE;
    shown = text_one_line(word, 40);
    g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION, "\"%s\" is not a number of µs", shown);
    return FALSE;
}

static gboolean run_hold(Gate *gate, char **words, GError **error)
{
    guint64 deadline;

    return take_usec(words[1], &deadline, error) && gate_hold(gate, deadline, error);
}

static gboolean run_open(Gate *gate, char **words, GError **error)
{
    return gate_open(gate, words[1], error);
}

static gboolean run_refuse(Gate *gate, char **words, GError **error)
{
    return gate_refuse(gate, error);
}

static gboolean run_drain(Gate *gate, char **words, GError **error)
{
    guint64 drain, deadline;

    return take_usec(words[1], &drain, error) && take_usec(words[2], &deadline, error) &&
           gate_drain(gate, drain, deadline, error);
}

static gboolean run_cut(Gate *gate, char **words, GError **error)
{
    gate_cut(gate);
    return TRUE;
}

static gboolean run_status(Gate *gate, char **words, GError **error)
{
    return TRUE;
}

static const struct {
    const char *verb;
    guint least, most; /* words behind the verb */
    const char *usage;
    CommandRun run;
} commands[] = {
    { "hold", 1, 1, "hold DEADLINE_USEC", run_hold },
    { "open", 0, 1, "open [ADDRESS:PORT]", run_open },
    { "refuse", 0, 0, "refuse", run_refuse },
    { "drain", 2, 2, "drain DRAIN_USEC DEADLINE_USEC", run_drain },
    { "cut", 0, 0, "cut", run_cut },
    { "status", 0, 0, "status", run_status },
};

static gboolean run(Gate *gate, const char *line, GError **error)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    guint count = g_strv_length(words);
    g_autofree char *shown = text_one_line(line, 40);
    g_autoptr(GString) usages = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_string_append_printf(usages, "%s%s", i ? ", " : "", commands[i].usage);
        if (g_strcmp0(commands[i].verb, words[0]) != 0)
            continue;
        if (count - 1 >= commands[i].least && count - 1 <= commands[i].most)
            return commands[i].run(gate, words, error);
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION, "\"%s\" is not of the form \"%s\"",
                    shown, commands[i].usage);
        return FALSE;
    }
    g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION, "\"%s\" is no command. Known: %s", shown,
                usages->str);
    return FALSE;
}

char *command_error(const GError *error)
{
    const char *nick = strrchr(tu_error_bus_name(error), '.') + 1;
    g_autofree char *message = text_one_line(error->message, MESSAGE_LIMIT);

    return g_strdup_printf("error %s %s", nick, message);
}

char *command_answer(Gate *gate, const char *line)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KeeperStatus) status = NULL;
    g_autofree char *text = NULL;

    if (!run(gate, line, &error))
        return command_error(error);
    status = gate_status(gate);
    text = keeper_status_format(status);
    return g_strconcat("ok ", text, NULL);
}
