#include "common/text.h"

#include <errno.h>

char *text_timespan(guint64 usec)
{
    guint64 seconds = (usec + USEC_PER_SEC / 2) / USEC_PER_SEC;

    if (usec == USEC_NEVER)
        return g_strdup("never");
    if (usec < USEC_PER_SEC)
        return g_strdup_printf("%" G_GUINT64_FORMAT "ms", usec / USEC_PER_MSEC);
    if (usec < 60 * USEC_PER_SEC)
        return g_strdup_printf("%.1fs", (double)usec / USEC_PER_SEC);
    if (seconds < 3600)
        return g_strdup_printf("%" G_GUINT64_FORMAT "min %" G_GUINT64_FORMAT "s", seconds / 60,
                               seconds % 60);
    return g_strdup_printf("%" G_GUINT64_FORMAT "h %" G_GUINT64_FORMAT "min", seconds / 3600,
                           seconds % 3600 / 60);
}

char *text_bytes(guint64 bytes)
{
    return g_format_size_full(bytes, G_FORMAT_SIZE_IEC_UNITS);
}

gboolean text_parse_uint64(const char *text, guint64 min, guint64 max, guint64 *ret)
{
    return text && g_ascii_string_to_unsigned(text, 10, min, max, ret, NULL);
}

static const struct {
    const char *word;
    guint64 usec;
} spans[] = {
    { "us", 1 },
    { "ms", USEC_PER_MSEC },
    { "s", USEC_PER_SEC },
    { "sec", USEC_PER_SEC },
    { "", USEC_PER_SEC },
    { "m", 60 * USEC_PER_SEC },
    { "min", 60 * USEC_PER_SEC },
    { "h", 3600 * USEC_PER_SEC },
    { "hr", 3600 * USEC_PER_SEC },
    { "d", 24 * 3600 * USEC_PER_SEC },
};

gboolean text_parse_timespan(const char *text, guint64 *ret_usec)
{
    guint64 total = 0;

    if (!text)
        return FALSE;
    if (g_str_equal(text, "infinity")) {
        *ret_usec = USEC_NEVER;
        return TRUE;
    }
    while (g_ascii_isspace(*text))
        text++;
    if (!*text)
        return FALSE;
    while (*text) {
        char *end = NULL;
        guint64 number, factor = 0;
        gsize length;

        if (!g_ascii_isdigit(*text))
            return FALSE;
        errno = 0;
        number = g_ascii_strtoull(text, &end, 10);
        if (errno != 0)
            return FALSE;
        text = end;
        while (*text == ' ')
            text++;
        length = strspn(text, G_CSET_a_2_z);
        for (guint i = 0; i < G_N_ELEMENTS(spans); i++)
            if (strlen(spans[i].word) == length && strncmp(spans[i].word, text, length) == 0)
                factor = spans[i].usec;
        if (factor == 0 || number > G_MAXUINT64 / 2 / factor || total + number * factor < total)
            return FALSE;
        total += number * factor;
        text += length;
        while (*text == ' ')
            text++;
    }
    *ret_usec = total;
    return TRUE;
}

char *text_one_line(const char *text, gsize limit)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autoptr(GString) line = g_string_new(NULL);

    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (!g_unichar_isprint(c) || g_unichar_isspace(c)) /* U+2028 is a line's end, too */
            c = ' ';
        if (c == ' ' && (line->len == 0 || line->str[line->len - 1] == ' '))
            continue;
        if (line->len > limit) {
            g_string_append(line, "…");
            break;
        }
        g_string_append_unichar(line, c);
    }
    g_strchomp(line->str);
    return g_string_free(g_steal_pointer(&line), FALSE);
}
