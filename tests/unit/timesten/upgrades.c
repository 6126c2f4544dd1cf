#include "timesten/upgrades.h"

static const char list[] = "{\n  \"schemaVersion\": 2,\n  \"validUpgrades\": [\n"
                           "    { \"from\": \"18.1.3.1.0\", \"to\": \"18.1.4.21.0\",\n"
                           "      \"classic\": { \"offline\": true, "
                           "\"online\": { \"inverse\" : false } } },\n"
                           "    { \"from\": \"18.1.4.1.0\", \"to\": \"18.1.4.21.0\",\n"
                           "      \"classic\": { \"online\": { \"inverse\": true } } },\n"
                           "    { \"from\": \"18.1.4.2.0\", \"to\": \"18.1.4.21.0\",\n"
                           "      \"classic\": { \"offline\": true } }\n  ]\n}\n";

static Inverse ask(const char *json, const char *from, const char *to)
{
    Release old, new;

    g_assert_true(release_parse(from, &old, NULL));
    g_assert_true(release_parse(to, &new, NULL));
    return upgrades_inverse(json, &old, &new);
}

static void each_row_tells_of_its_own_way_back(void)
{
    g_assert_cmpint(ask(list, "18.1.3.1.0", "18.1.4.21.0"), ==, INVERSE_NO);
    g_assert_cmpint(ask(list, "18.1.4.1", "18.1.4.21"), ==, INVERSE_YES);
    g_assert_cmpint(ask(list, "18.1.4.2.0", "18.1.4.21.0"), ==, INVERSE_UNTOLD);
    g_assert_cmpint(ask(list, "18.1.4.3.0", "18.1.4.21.0"), ==, INVERSE_UNTOLD);
    g_assert_cmpint(ask(list, "18.1.4.21.0", "18.1.4.1.0"), ==, INVERSE_UNTOLD);
}

/* Every beginning of it, and what is nested without an end. */
static void broken_lists_tell_nothing_wrong(void)
{
    g_autofree char *deep = g_strnfill(1000, '{');

    for (gsize length = 0; length < sizeof list; length++) {
        g_autofree char *part = g_strndup(list, length);

        g_assert_cmpint(ask(part, "18.1.3.1.0", "18.1.4.21.0"), !=, INVERSE_YES);
        g_assert_cmpint(ask(part, "18.1.4.1.0", "18.1.4.21.0"), !=, INVERSE_NO);
    }
    g_assert_cmpint(ask(deep, "18.1.4.1.0", "18.1.4.21.0"), ==, INVERSE_UNTOLD);
    g_assert_cmpint(ask("}}}\"", "18.1.4.1.0", "18.1.4.21.0"), ==, INVERSE_UNTOLD);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/upgrades/each-row-tells-of-its-own-way-back",
                    each_row_tells_of_its_own_way_back);
    g_test_add_func("/upgrades/broken-lists-tell-nothing-wrong", broken_lists_tell_nothing_wrong);
    return g_test_run();
}
