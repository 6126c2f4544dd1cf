#include "ctl/json.h"
#include "common/text.h"

#include <math.h>

#define DEEPEST 16

struct Json {
    GString *text;
    gboolean pretty;
    guint depth;
    char closing[DEEPEST]; /* the bracket of each open level */
    gboolean filled[DEEPEST + 1];
};

Json *json_new(gboolean pretty)
{
    Json *json = g_new0(Json, 1);

    json->text = g_string_new(NULL);
    json->pretty = pretty;
    return json;
}

void json_free(Json *json)
{
    g_string_free(json->text, TRUE);
    g_free(json);
}

static void break_line(Json *json)
{
    if (json->pretty)
        g_string_append_printf(json->text, "\n%*s", (int)json->depth * 2, "");
}

static void escape(GString *text, const char *value)
{
    g_autofree char *valid = g_utf8_make_valid(value, -1);

    g_string_append_c(text, '"');
    for (const char *p = valid; *p; p++) {
        if (*p == '"' || *p == '\\')
            g_string_append_printf(text, "\\%c", *p);
        else if (*p == '\n')
            g_string_append(text, "\\n");
        else if (*p == '\t')
            g_string_append(text, "\\t");
        else if ((guchar)*p < 0x20 || *p == 0x7f)
            g_string_append_printf(text, "\\u%04x", (guint)*p);
        else
            g_string_append_c(text, *p);
    }
    g_string_append_c(text, '"');
}

/* All that stands before a value. */
static void lead(Json *json, const char *key)
{
    if (json->filled[json->depth])
        g_string_append_c(json->text, ',');
    if (json->depth > 0)
        break_line(json);
    json->filled[json->depth] = TRUE;
    if (key) {
        escape(json->text, key);
        g_string_append(json->text, json->pretty ? ": " : ":");
    }
}

static void begin(Json *json, const char *key, char opening, char closing)
{
    g_assert(json->depth < DEEPEST);
    lead(json, key);
    g_string_append_c(json->text, opening);
    json->closing[json->depth++] = closing;
    json->filled[json->depth] = FALSE;
}

void json_object_begin(Json *json, const char *key)
{
    begin(json, key, '{', '}');
}

void json_array_begin(Json *json, const char *key)
{
    begin(json, key, '[', ']');
}

void json_end(Json *json)
{
    gboolean filled = json->filled[json->depth];

    g_assert(json->depth > 0);
    json->depth--;
    if (filled)
        break_line(json);
    g_string_append_c(json->text, json->closing[json->depth]);
}

void json_string(Json *json, const char *key, const char *value)
{
    lead(json, key);
    if (value)
        escape(json->text, value);
    else
        g_string_append(json->text, "null");
}

void json_uint(Json *json, const char *key, guint64 value)
{
    lead(json, key);
    g_string_append_printf(json->text, "%" G_GUINT64_FORMAT, value);
}

void json_bool(Json *json, const char *key, gboolean value)
{
    lead(json, key);
    g_string_append(json->text, value ? "true" : "false");
}

void json_null(Json *json, const char *key)
{
    json_string(json, key, NULL);
}

void json_double(Json *json, const char *key, double value)
{
    char digits[G_ASCII_DTOSTR_BUF_SIZE];

    lead(json, key);
    /* g_ascii: the locale's decimal comma would not be JSON. */
    g_string_append(json->text, isfinite(value)
                                    ? g_ascii_formatd(digits, sizeof digits, "%.6f", value)
                                    : "null");
}

void json_usec(Json *json, const char *key, guint64 value)
{
    if (value == USEC_NEVER)
        json_null(json, key);
    else
        json_uint(json, key, value);
}

void json_strings(Json *json, const char *key, char **values)
{
    json_array_begin(json, key);
    for (guint i = 0; values && values[i]; i++)
        json_string(json, NULL, values[i]);
    json_end(json);
}

const char *json_text(const Json *json)
{
    return json->text->str;
}

void json_print(const Json *json, FILE *file)
{
    fputs(json->text->str, file);
    fputc('\n', file);
}
