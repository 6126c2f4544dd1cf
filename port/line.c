#include "port/line.h"
#include "port/keeper.h"
#include "common/error.h"
#include "common/nick.h"
#include "common/text.h"

char *line_format(const LineField *fields, gconstpointer values)
{
    g_autoptr(GString) line = g_string_new(NULL);

    for (const LineField *field = fields; field->key; field++) {
        gconstpointer at = (const char *)values + field->offset;

        g_string_append_printf(line, "%s%s=", line->len ? " " : "", field->key);
        switch (field->type) {
        case LINE_WORD:
            g_string_append(line, *(char *const *)at ? *(char *const *)at : "-");
            break;
        case LINE_STATE:
            g_string_append(line, nick_of(keeper_state_nicks, *(const KeeperState *)at));
            break;
        case LINE_UINT:
            g_string_append_printf(line, "%u", *(const guint *)at);
            break;
        case LINE_UINT64:
            g_string_append_printf(line, "%" G_GUINT64_FORMAT, *(const guint64 *)at);
            break;
        }
    }
    return g_string_free(g_steal_pointer(&line), FALSE);
}

static gboolean take_value(const LineField *field, const char *value, gpointer values)
{
    gpointer at = (char *)values + field->offset;
    guint64 number;
    int state;

    switch (field->type) {
    case LINE_WORD:
        g_free(*(char **)at);
        *(char **)at = g_str_equal(value, "-") ? NULL : g_strdup(value);
        return value[0] != '\0';
    case LINE_STATE:
        if (!nick_parse(keeper_state_nicks, value, &state))
            return FALSE;
        *(KeeperState *)at = state;
        return TRUE;
    case LINE_UINT:
        if (!text_parse_uint64(value, 0, G_MAXUINT, &number))
            return FALSE;
        *(guint *)at = number;
        return TRUE;
    case LINE_UINT64:
        return text_parse_uint64(value, 0, G_MAXUINT64, at);
    }
    return FALSE;
}

gboolean line_parse(const char *line, const LineField *fields, gpointer values, GError **error)
{
    g_auto(GStrv) words = g_strsplit_set(line, " \n", -1);
    guint64 seen = 0;

    for (char **word = words; *word; word++) {
        char *value = strchr(*word, '=');

        if (**word == '\0')
            continue;
        if (value)
            *value++ = '\0';
        for (guint i = 0; value && fields[i].key; i++) {
            if (!g_str_equal(fields[i].key, *word))
                continue;
            if (seen & (G_GUINT64_CONSTANT(1) << i) || !take_value(&fields[i], value, values)) {
                g_autofree char *shown = text_one_line(value, 40);

                g_set_error(error, TU_ERROR, TU_ERROR_FAILED,
                            "\"%s=%s\" is set twice or is not a value of its kind", *word, shown);
                return FALSE;
            }
            seen |= G_GUINT64_CONSTANT(1) << i;
        }
    }
    for (guint i = 0; fields[i].key; i++)
        if (!fields[i].optional && !(seen & (G_GUINT64_CONSTANT(1) << i))) {
            g_set_error(error, TU_ERROR, TU_ERROR_FAILED, "\"%s=\" is missing", fields[i].key);
            return FALSE;
        }
    return TRUE;
}
