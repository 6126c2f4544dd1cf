#include "ctl/json.h"
#include "common/text.h"

#include <locale.h>
#include <math.h>

static void everything_is_escaped(void)
{
    g_autoptr(Json) json = json_new(FALSE);

    json_object_begin(json, NULL);
    json_string(json, "a\"b", "x\\y\n\t\x01\x7f\x1b ü\xff");
    json_string(json, "none", NULL);
    json_end(json);
    g_assert_cmpstr(
        json_text(json), ==,
        "{\"a\\\"b\":\"x\\\\y\\n\\t\\u0001\\u007f\\u001b ü\xef\xbf\xbd\",\"none\":null}");
}

static void numbers_are_exact(void)
{
    g_autoptr(Json) json = json_new(FALSE);

    setlocale(LC_ALL, "de_DE.UTF-8"); /* where there is one, it has a decimal comma */
    json_array_begin(json, NULL);
    json_uint(json, NULL, G_MAXUINT64);
    json_usec(json, NULL, USEC_NEVER);
    json_usec(json, NULL, 0);
    json_double(json, NULL, 0.5);
    json_double(json, NULL, NAN);
    json_bool(json, NULL, TRUE);
    json_end(json);
    g_assert_cmpstr(json_text(json), ==, "[18446744073709551615,null,0,0.500000,null,true]");
}

static void nesting_is_told_by_commas_and_lines(void)
{
    g_autoptr(Json) json = json_new(TRUE);

    json_object_begin(json, NULL);
    json_array_begin(json, "empty");
    json_end(json);
    json_array_begin(json, "two");
    json_uint(json, NULL, 1);
    json_object_begin(json, NULL);
    json_end(json);
    json_end(json);
    json_uint(json, "last", 3);
    json_end(json);
    g_assert_cmpstr(json_text(json), ==,
                    "{\n  \"empty\": [],\n  \"two\": [\n    1,\n    {}\n  ],\n  \"last\": 3\n}");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json/everything-is-escaped", everything_is_escaped);
    g_test_add_func("/json/numbers-are-exact", numbers_are_exact);
    g_test_add_func("/json/nesting-is-told-by-commas-and-lines",
                    nesting_is_told_by_commas_and_lines);
    return g_test_run();
}
