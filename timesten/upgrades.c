#include "timesten/upgrades.h"

#include <string.h>

#define DEPTH_LIMIT 32 /* of objects in each other; the real one has 4 */

/* The end of the string that begins at P, which has its opening quote; NULL: it has none. */
static const char *string_end(const char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p : NULL;
}

/* The string or word behind KEY in an object's text; NULL: there is none. g_free(). */
static char *value_of(const char *object, const char *key)
{
    g_autofree char *quoted = g_strdup_printf("\"%s\"", key);
    const char *p = strstr(object, quoted);

    if (!p)
        return NULL;
    p += strlen(quoted);
    p += strspn(p, " \t\r\n");
    if (*p++ != ':')
        return NULL;
    p += strspn(p, " \t\r\n");
    return *p == '"' ? g_strndup(p + 1, strcspn(p + 1, "\"")) : g_strndup(p, strspn(p, "truefals"));
}

static gboolean is_release(const char *text, const Release *release)
{
    Release found;

    return text && release_parse(text, &found, NULL) && release_compare(&found, release) == 0;
}

static gboolean is_row(const char *object, const Release *from, const Release *to)
{
    g_autofree char *first = value_of(object, "from");
    g_autofree char *second = value_of(object, "to");

    return is_release(first, from) && is_release(second, to);
}

Inverse upgrades_inverse(const char *json, const Release *from, const Release *to)
{
    const char *begins[DEPTH_LIMIT];
    guint depth = 0;

    for (const char *p = json; p && *p; p++) {
        if (*p == '"' && !(p = string_end(p)))
            return INVERSE_UNTOLD;
        if (*p == '{' && depth == DEPTH_LIMIT)
            return INVERSE_UNTOLD;
        if (*p == '{')
            begins[depth++] = p;
        if (*p == '}' && depth > 0) {
            const char *begin = begins[--depth];
            g_autofree char *object = g_strndup(begin, p - begin + 1);
            g_autofree char *inverse = NULL;

            /* The list as a whole holds every row, too. */
            if (depth == 0 || !is_row(object, from, to))
                continue;
            inverse = value_of(object, "inverse");
            return !inverse                        ? INVERSE_UNTOLD
                   : g_str_equal(inverse, "false") ? INVERSE_NO
                                                   : INVERSE_YES;
        }
    }
    return INVERSE_UNTOLD;
}

char *upgrades_path(const char *installation, const char *home)
{
    return installation ? g_strdup_printf("%s/info/upgrade.json", installation)
                        : g_strdup_printf("%s/install/info/upgrade.json", home);
}
