#include "fuzz.h"
#include "timesten/options.h"

/* Text in and text out are the same bytes, and what was set is what is read. */
static void check(const char *text, EraKind kind)
{
    g_autoptr(OptionsFile) options = options_parse(text, kind);
    g_autofree char *same = options_text(options), *edited = NULL, *again = NULL;
    g_autoptr(OptionsFile) reread = NULL;

    g_assert_cmpstr(same, ==, text);
    options_set_server_port(options, 16002);
    options_set_backwards_compat(options, TRUE, NULL);
    g_assert_cmpuint(options_server_port(options), ==, 16002);
    edited = options_text(options);
    reread = options_parse(edited, kind);
    g_assert_cmpuint(options_server_port(reread), ==, 16002);
    g_assert_cmpint(options_backwards_compat(reread), ==, kind == ERA_PATH);
    options_set_server_port(reread, 0);
    options_set_backwards_compat(reread, FALSE, NULL);
    g_assert_cmpuint(options_server_port(reread), ==, 0);
    g_assert_false(options_backwards_compat(reread));
    again = options_text(reread);
    g_assert_cmpuint(strlen(again), <=, strlen(edited));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);

    check(text, ERA_PATH);
    check(text, ERA_ENVIRONMENT);
    return 0;
}
