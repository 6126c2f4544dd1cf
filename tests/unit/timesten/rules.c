#include "timesten/rules.h"
#include "common/nick.h"

static const struct {
    Method method;
    const char *from, *to;
    const char *rule; /* "" possible */
} rows[] = {
    { METHOD_OFFLINE, "6.0.8", "7.0.6.0.0", "" },
    { METHOD_OFFLINE, "5.1.26", "22.1.1.18", "" },
    { METHOD_OFFLINE, "7.0.1", "7.0.6", "" },
    { METHOD_OFFLINE, "7.0.6", "7.0.6.0.0", "same-release" },
    { METHOD_OFFLINE, "7.0.6", "6.0.8", "downgrade" },
    { METHOD_OFFLINE, "22.1.1.18", "22.1.1.1", "downgrade" },
    { METHOD_IN_PLACE, "7.0.1", "7.0.6", "" },
    { METHOD_IN_PLACE, "6.0.8", "7.0.6", "in-place-other-major" },
    { METHOD_IN_PLACE, "11.2.1.9", "11.2.2.1", "in-place-other-major" },
    { METHOD_IN_PLACE, "7.0.6", "7.0.1", "downgrade" },
    { METHOD_ONLINE, "6.0.8", "7.0.6", "" },
    { METHOD_ONLINE, "5.1.26", "7.0.6", "online-before-6.0" },
    { METHOD_ONLINE, "11.2.2.8.26", "18.1.4", "online-11.2.2-patch" },
    { METHOD_ONLINE, "11.2.2.8.27", "18.1.4", "" },
    { METHOD_ONLINE, "11.2.1.9", "11.2.2.1", "" },
    { METHOD_ONLINE, "22.1.1.35", "26.1.1.1", "online-26.1-patch" },
    { METHOD_ONLINE, "18.1.4.54", "26.1.1.1", "" },
    { METHOD_ONLINE, "22.1.1.36", "26.1.1.0", "online-26.1-patch" },
    { METHOD_ONLINE, "22.1.1.36", "26.1.1.1", "" },
};

static void each_rule_decides_its_case(gconstpointer data)
{
    guint i = GPOINTER_TO_UINT(data);
    Release from, to;
    g_autoptr(RuleAnswer) answer = NULL;

    g_assert_true(release_parse(rows[i].from, &from, NULL));
    g_assert_true(release_parse(rows[i].to, &to, NULL));
    answer = rules_ask(rows[i].method, &from, &to);
    g_assert_cmpstr(answer->rule, ==, rows[i].rule);
    g_assert_cmpint(answer->possible, ==, rows[i].rule[0] == '\0');
    if (answer->possible) {
        g_assert_null(answer->reason);
        return;
    }
    /* Who is refused learns what was asked, and who says so. */
    g_assert_true(g_str_has_prefix(answer->reason, rows[i].from));
    g_assert_nonnull(g_strrstr(answer->reason, rows[i].to));
    g_assert_nonnull(g_strrstr(answer->reason, nick_of(method_nicks, rows[i].method)));
    g_assert_cmpstr(answer->source, !=, "");
}

/* Facts 4.1: the files of a major release can be opened by each of its patch releases. */
static void way_back_in_place_stays_in_the_major_release(void)
{
    static const struct {
        const char *from, *to, *rule;
    } ways[] = {
        { "7.0.6", "7.0.1", "" },
        { "11.2.2.8.27", "11.2.2.8.0", "" },
        { "11.2.2.1", "11.2.1.9", "in-place-other-major" },
        { "22.1.1.1", "18.1.4.1", "in-place-other-major" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(ways); i++) {
        Release from, to;
        g_autoptr(RuleAnswer) answer = NULL;

        g_assert_true(release_parse(ways[i].from, &from, NULL));
        g_assert_true(release_parse(ways[i].to, &to, NULL));
        answer = rules_ask_back(METHOD_IN_PLACE, &from, &to);
        g_assert_cmpstr(answer->rule, ==, ways[i].rule);
    }
}

/* Operations Guide 7.0 p. 04-4: exactly from < 7.0 <= to. */
static void compatibility_is_needed_across_7_0_only(void)
{
    static const struct {
        const char *from, *to;
        gboolean needed;
    } pairs[] = {
        { "6.0.8", "7.0.6", TRUE },  { "5.1", "22.1.1", TRUE },      { "6.0.1", "6.0.8", FALSE },
        { "7.0.1", "7.0.6", FALSE }, { "7.0.6", "11.2.2.8", FALSE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(pairs); i++) {
        Release from, to;

        g_assert_true(release_parse(pairs[i].from, &from, NULL));
        g_assert_true(release_parse(pairs[i].to, &to, NULL));
        g_assert_cmpint(rules_need_backwards_compat(&from, &to), ==, pairs[i].needed);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *name =
            g_strdup_printf("/rules/each-rule-decides-its-case/%s-%s-to-%s",
                            method_nicks[rows[i].method], rows[i].from, rows[i].to);

        g_test_add_data_func(name, GUINT_TO_POINTER(i), each_rule_decides_its_case);
    }
    g_test_add_func("/rules/way-back-in-place-stays-in-the-major-release",
                    way_back_in_place_stays_in_the_major_release);
    g_test_add_func("/rules/compatibility-is-needed-across-7.0-only",
                    compatibility_is_needed_across_7_0_only);
    return g_test_run();
}
