#include "ctl/terminal.h"
#include "ctl/width.h"
#include "common/text.h"

#include <sys/ioctl.h>
#include <unistd.h>

static struct {
    gboolean active;
    guint columns;
    gboolean colour;
} assumed; /* of stdout, while a pager stands between */

gboolean terminal_is(FILE *file)
{
    return isatty(fileno(file));
}

static gboolean is_dumb(void)
{
    const char *term = g_getenv("TERM");

    return !term || !*term || g_str_equal(term, "dumb");
}

gboolean terminal_can_redraw(FILE *file)
{
    return terminal_is(file) && !is_dumb();
}

guint terminal_columns(FILE *file)
{
    struct winsize size;
    guint64 columns;

    if (file == stdout && assumed.active)
        return assumed.columns;
    if (!terminal_is(file))
        return 0;
    if (ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return text_parse_uint64(g_getenv("COLUMNS"), 1, 10000, &columns) ? columns : 80;
}

gboolean terminal_has_colour(FILE *file)
{
    const char *no_color = g_getenv("NO_COLOR");

    if (file == stdout && assumed.active)
        return assumed.colour;
    return terminal_is(file) && !is_dumb() && !(no_color && *no_color);
}

void terminal_put(FILE *file, Style style, const char *text)
{
    static const char *const sequences[] = {
        [STYLE_BOLD] = "\033[1m",   [STYLE_DIM] = "\033[2m",     [STYLE_RED] = "\033[1;31m",
        [STYLE_GREEN] = "\033[32m", [STYLE_YELLOW] = "\033[33m",
    };

    if (style == STYLE_PLAIN || !*text || !terminal_has_colour(file))
        fputs(text, file);
    else
        fprintf(file, "%s%s\033[0m", sequences[style], text);
}

const char *terminal_glyph(const char *nice, const char *plain)
{
    return g_get_charset(NULL) ? nice : plain;
}

void terminal_paragraph(FILE *file, const char *lead, Style style, const char *text)
{
    guint columns = terminal_columns(file), indent = width_of(lead);
    g_autofree char *clean = text_one_line(text, 8000);
    g_auto(GStrv) lines =
        width_wrap(clean, columns == 0 ? G_MAXINT : MAX(columns, indent + 20) - indent);

    for (guint i = 0; lines[i]; i++) {
        fprintf(file, "%*s%s", i == 0 ? 0 : (int)indent, "", i == 0 ? lead : "");
        terminal_put(file, style, lines[i]);
        fputc('\n', file);
    }
}

void terminal_assume(guint columns, gboolean colour)
{
    assumed.active = columns > 0;
    assumed.columns = columns;
    assumed.colour = colour;
}
