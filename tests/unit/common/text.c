#include "common/text.h"

static void timespans_are_read(void)
{
    static const struct {
        const char *text;
        guint64 usec;
    } good[] = {
        { "90", 90000000 },   { "90s", 90000000 },     { "1min 30s", 90000000 },
        { "500ms", 500000 },  { "1h", 3600000000 },    { "infinity", USEC_NEVER },
        { " 2 min", 120000000 },
    };
    static const char *const bad[] = { "", " ", "x", "5 parsecs", "-1", "1.5s", "99999999999999999999" };
    guint64 usec;

    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        g_assert_true(text_parse_timespan(good[i].text, &usec));
        g_assert_cmpuint(usec, ==, good[i].usec);
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(text_parse_timespan(bad[i], &usec));
}

static void timespans_are_written(void)
{
    static const struct {
        guint64 usec;
        const char *text;
    } rows[] = {
        { 850000, "850ms" }, { 12400000, "12.4s" }, { 200 * USEC_PER_SEC, "3min 20s" },
        { 7500 * USEC_PER_SEC, "2h 5min" }, { USEC_NEVER, "never" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = text_timespan(rows[i].usec);

        g_assert_cmpstr(text, ==, rows[i].text);
    }
}

static void output_becomes_one_line(void)
{
    g_autofree char *line = text_one_line("  a\tb\n\x1b[31mc\xff\u2028\u202ed  ", 100);
    g_autofree char *cut = text_one_line("abcdef", 3);

    g_assert_cmpstr(line, ==, "a b [31mc\xef\xbf\xbd d");
    g_assert_cmpstr(cut, ==, "abcd…");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/text/timespans-are-read", timespans_are_read);
    g_test_add_func("/text/timespans-are-written", timespans_are_written);
    g_test_add_func("/text/output-becomes-one-line", output_becomes_one_line);
    return g_test_run();
}
