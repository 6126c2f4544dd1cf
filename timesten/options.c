/* Option files as lists of lines, each with its own end, so that text in and text out are the same
 * bytes wherever nothing was set. Opens no file: instance-helper does, and nobody else may. Called
 * by instance-helper and facts.
 */
#include "timesten/options.h"
#include "timesten/belief.h"
#include "common/error.h"
#include "common/text.h"

#include <string.h>

typedef struct {
    char *raw;   /* with its line end, if it has one */
    char *name;  /* NULL for blanks, comments and what is not understood */
    char *value; /* "" for a bare flag */
} Line;

struct OptionsFile {
    EraKind kind;
    GPtrArray *lines; /* Line */
    const char *end;  /* line end of the file, for lines that are added */
};

/* How the two kinds of file spell the same thing. */
static const struct {
    const char *server_port;
    const char *backwards_compat; /* NULL: a fact that is not known everywhere */
    const char *separator;        /* between name and value */
} spellings[] = {
    [ERA_PATH] = { "-server", "-insecure-backwards-compat", " " },
    [ERA_ENVIRONMENT] = { "server_port", NULL, "=" },
};

/* The whole line; NULL where nobody knows it. */
static const char *compat_line(const OptionsFile *options)
{
    const char *known = spellings[options->kind].backwards_compat;

    return known ? known : belief_word(BELIEF_COMPAT_ATTRIBUTE);
}

static void line_free(Line *line)
{
    g_free(line->raw);
    g_free(line->name);
    g_free(line->value);
    g_free(line);
}

/* Splits off the option's name: at blanks in ttendaemon.options, at '=' in timesten.conf. */
static void understand(Line *line, EraKind kind)
{
    g_autofree char *text = g_strstrip(g_strdup(line->raw));
    gsize length = kind == ERA_PATH ? strcspn(text, " \t") : strcspn(text, "=");

    if (text[0] == '\0' || text[0] == '#' || (kind == ERA_PATH && text[0] != '-') ||
        (kind == ERA_ENVIRONMENT && text[length] != '='))
        return;
    line->name = g_strstrip(g_strndup(text, length));
    line->value = g_strstrip(g_strdup(text + length + (kind == ERA_ENVIRONMENT)));
}

static Line *line_new(const char *raw, gsize length, EraKind kind)
{
    Line *line = g_new0(Line, 1);

    line->raw = g_strndup(raw, length);
    understand(line, kind);
    return line;
}

OptionsFile *options_parse(const char *text, EraKind kind)
{
    OptionsFile *options = g_new0(OptionsFile, 1);

    options->kind = kind;
    options->end = strstr(text, "\r\n") ? "\r\n" : "\n";
    options->lines = g_ptr_array_new_with_free_func((GDestroyNotify)line_free);
    while (*text) {
        gsize length = strcspn(text, "\n");

        length += text[length] == '\n';
        g_ptr_array_add(options->lines, line_new(text, length, kind));
        text += length;
    }
    return options;
}

void options_free(OptionsFile *options)
{
    if (!options)
        return;
    g_ptr_array_unref(options->lines);
    g_free(options);
}

char *options_text(const OptionsFile *options)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < options->lines->len; i++)
        g_string_append(text, ((const Line *)options->lines->pdata[i])->raw);
    return g_string_free(text, FALSE);
}

static gboolean has_name(const Line *line, const char *name)
{
    return line->name && g_ascii_strcasecmp(line->name, name) == 0;
}

/* The last line of a name, because that is the one that holds. */
static const Line *find(const OptionsFile *options, const char *name)
{
    for (guint i = options->lines->len; i-- > 0;)
        if (has_name(options->lines->pdata[i], name))
            return options->lines->pdata[i];
    return NULL;
}

const char *options_value(const OptionsFile *options, const char *name)
{
    const Line *line = find(options, name);

    return line ? line->value : NULL;
}

/* Leaves no line of a name but, where KEEP is not NULL, the last one, which becomes KEEP. */
static void set(OptionsFile *options, const char *name, const char *keep)
{
    gboolean kept = keep == NULL;

    for (guint i = options->lines->len; i-- > 0;) {
        Line *line = options->lines->pdata[i];
        const char *end;
        g_autofree char *raw = NULL;

        if (!has_name(line, name))
            continue;
        if (kept) {
            g_ptr_array_remove_index(options->lines, i);
            continue;
        }
        kept = TRUE;
        end = g_str_has_suffix(line->raw, "\r\n") ? "\r\n"
              : g_str_has_suffix(line->raw, "\n") ? "\n"
                                                  : "";
        raw = g_strconcat(keep, end, NULL);
        options->lines->pdata[i] = line_new(raw, strlen(raw), options->kind);
        line_free(line);
    }
    if (!kept) {
        g_autofree char *raw = g_strconcat(keep, options->end, NULL);
        Line *last = options->lines->len ? options->lines->pdata[options->lines->len - 1] : NULL;

        if (last && !g_str_has_suffix(last->raw, "\n")) {
            char *ended = g_strconcat(last->raw, options->end, NULL);

            g_free(last->raw);
            last->raw = ended;
        }
        g_ptr_array_add(options->lines, line_new(raw, strlen(raw), options->kind));
    }
}

static guint count(const OptionsFile *options, const char *name)
{
    guint found = 0;

    for (guint i = 0; i < options->lines->len; i++)
        found += has_name(options->lines->pdata[i], name);
    return found;
}

guint16 options_server_port(const OptionsFile *options)
{
    const char *value = options_value(options, spellings[options->kind].server_port);
    g_autofree char *word = value ? g_strndup(value, strcspn(value, " \t")) : NULL;
    guint64 port;

    return text_parse_uint64(word, 1, 65535, &port) ? port : 0;
}

void options_set_server_port(OptionsFile *options, guint16 port)
{
    const char *name = spellings[options->kind].server_port;
    g_autofree char *line = NULL;

    if (port == 0) {
        set(options, name, NULL);
        return;
    }
    if (count(options, name) == 1 && options_server_port(options) == port)
        return;
    line = g_strdup_printf("%s%s%u", name, spellings[options->kind].separator, port);
    set(options, name, line);
}

gboolean options_backwards_compat(const OptionsFile *options)
{
    const char *line = compat_line(options);
    g_autofree char *name = line ? g_strndup(line, strcspn(line, "=")) : NULL;
    const char *wanted = line ? strchr(line, '=') : NULL;
    const char *value = name ? options_value(options, name) : NULL;

    return value && (!wanted || g_ascii_strcasecmp(value, wanted + 1) == 0);
}

gboolean options_set_backwards_compat(OptionsFile *options, gboolean on, GError **error)
{
    const char *line = compat_line(options);
    g_autofree char *name = line ? g_strndup(line, strcspn(line, "=")) : NULL;

    if (!name) {
        g_set_error(error, TU_ERROR, TU_ERROR_NOT_POSSIBLE,
                    "timesten.conf has no known attribute for -insecure-backwards-compat. Where "
                    "the release "
                    "has one, name it as compat-attribute in a file of facts.d");
        return FALSE;
    }
    if (options_backwards_compat(options) != on)
        set(options, name, on ? line : NULL);
    return TRUE;
}
