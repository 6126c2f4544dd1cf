#include "ctl/width.h"

static guint cells_of(gunichar c)
{
    if (g_unichar_iszerowidth(c))
        return 0;
    return g_unichar_iswide(c) ? 2 : 1;
}

guint width_of(const char *text)
{
    guint cells = 0;

    for (const char *p = text; *p; p = g_utf8_next_char(p))
        cells += cells_of(g_utf8_get_char(p));
    return cells;
}

char *width_cut(const char *text, guint cells)
{
    const char *p = text;
    guint used = 0;

    if (width_of(text) <= cells)
        return g_strdup(text);
    if (cells == 0)
        return g_strdup("");
    while (*p && used + cells_of(g_utf8_get_char(p)) < cells) {
        used += cells_of(g_utf8_get_char(p));
        p = g_utf8_next_char(p);
    }
    return g_strdup_printf("%.*s%s", (int)(p - text), text, g_get_charset(NULL) ? "…" : ".");
}

char **width_wrap(const char *text, guint cells)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    g_autoptr(GStrvBuilder) lines = g_strv_builder_new();
    g_autoptr(GString) line = g_string_new(NULL);
    guint used = 0;

    for (guint i = 0; words[i]; i++) {
        guint width = width_of(words[i]);

        if (!*words[i])
            continue;
        if (used > 0 && used + 1 + width > cells) {
            g_strv_builder_add(lines, line->str);
            g_string_truncate(line, 0);
            used = 0;
        }
        g_string_append_printf(line, "%s%s", used > 0 ? " " : "", words[i]);
        used += width + (used > 0);
    }
    if (used > 0)
        g_strv_builder_add(lines, line->str);
    return g_strv_builder_end(lines);
}
