#include "fuzz.h"
#include "timesten/utility.h"

/* Whatever a utility prints: a verdict, and a reason of one line of text exactly where it failed.
 */
static void check_judge(UtilityId id, const Release *release, const char *text)
{
    static const int statuses[] = { 0, 1, 2, 3, 5, 6, 7, 8, 9, 128, 137, 255 };

    for (guint i = 0; i < G_N_ELEMENTS(statuses); i++) {
        g_autofree char *reason = NULL;
        Verdict verdict = utility_judge(id, release, statuses[i], text, &reason);

        g_assert_cmpint(reason != NULL, ==,
                        verdict == VERDICT_PARTIAL || verdict == VERDICT_FAILED);
        g_assert_true(!reason || (g_utf8_validate(reason, -1, NULL) && !strchr(reason, '\n')));
        if (statuses[i] >= 128)
            g_assert_cmpint(verdict, ==, VERDICT_FAILED);
    }
}

/* Whatever a configuration names: no argument, or words in which no second attribute can hide. */
static void check_argv(UtilityId id, const Release *release, const char *text)
{
    UtilityArguments arguments = { text, "/f", "x;", FALSE, 16002 };
    g_auto(GStrv) words = utility_argv(id, "/i", release, &arguments, NULL);

    for (guint i = 0; words && words[i]; i++)
        if (g_str_has_prefix(words[i], "TTC_Server=")) {
            g_auto(GStrv) attributes = g_strsplit(words[i], ";", -1);

            g_assert_cmpuint(g_strv_length(attributes), ==, 3);
            g_assert_cmpstr(attributes[2], ==, "TCP_Port=16002");
        } else if (g_str_has_prefix(words[i], "DSN=")) {
            g_auto(GStrv) attributes = g_strsplit(words[i], ";", -1);

            g_assert_cmpuint(g_strv_length(attributes), ==, 2);
            g_assert_true(g_str_has_prefix(attributes[1], "AutoCreate="));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);
    const Release old = { { 6, 0, 8 }, 3 }, new = { { 22, 1 }, 2 };

    for (UtilityId id = 0; id < N_UTILITIES; id++) {
        check_judge(id, &old, text);
        check_argv(id, &old, text);
        check_argv(id, &new, text);
    }
    return 0;
}
