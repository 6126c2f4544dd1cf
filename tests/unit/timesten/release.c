#include "common/error.h"
#include "timesten/release.h"

static Release of(const char *text)
{
    g_autoptr(GError) error = NULL;
    Release release;

    release_parse(text, &release, &error);
    g_assert_no_error(error);
    return release;
}

static void good_text_comes_back_as_written(void)
{
    static const char *const good[] = { "5.1",         "6.0.8",      "7.0.6.0.0",  "11.2.1.9.0",
                                        "11.2.2.8.27", "18.1.4.1.0", "22.1.1.18.0" };

    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        Release release = of(good[i]);
        g_autofree char *text = release_format(&release);

        g_assert_cmpstr(text, ==, good[i]);
    }
}

/* The 6.0 reference shows "6.01" for the first patch of 6.0. */
static void two_digits_of_6_0_are_two_parts(void)
{
    Release short_form = of("6.01"), long_form = of("6.0.1");

    g_assert_cmpint(release_compare(&short_form, &long_form), ==, 0);
    g_assert_true(release_same_major(&short_form, &long_form));
}

static void bad_text_is_refused(void)
{
    static const char *const bad[] = { NULL,          "",          "7",     "7.",   ".7",    "7..0",
                                       "7.0.6.0.0.0", "7.0a",      "tt7.0", " 7.0", "7.0\n", "-7.0",
                                       "0.1",         "7.1234567", "\xff.1" };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        Release release;

        g_assert_false(release_parse(bad[i], &release, &error));
        g_assert_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION);
    }
}

/* Installation Guide 7.0 p. 87; release numbers of 11.2 and 18.1. */
static void major_release_follows_the_era(void)
{
    static const struct {
        const char *a, *b;
        gboolean same;
        const char *major;
    } rows[] = {
        { "6.0.8", "6.0.1", TRUE, "6.0" },
        { "6.0.8", "7.0.6", FALSE, "6.0" },
        { "7.0.1.0.0", "7.0.6.8.0", TRUE, "7.0" },
        { "11.2.1.9.0", "11.2.2.1.0", FALSE, "11.2.1" },
        { "11.2.2.8.0", "11.2.2.1", TRUE, "11.2.2" },
        { "18.1.4", "18.1.1", TRUE, "18.1" },
        { "18.1.4", "22.1.1", FALSE, "18.1" },
        { "22.1.1.1", "22.1.2", TRUE, "22.1" },
        { "11.2.2.8", "18.1.1", FALSE, "11.2.2" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Release a = of(rows[i].a), b = of(rows[i].b);
        g_autofree char *major = release_major(&a);

        g_assert_cmpint(release_same_major(&a, &b), ==, rows[i].same);
        g_assert_cmpint(release_same_major(&b, &a), ==, rows[i].same);
        g_assert_cmpstr(major, ==, rows[i].major);
    }
}

static void every_release_has_its_era(void)
{
    static const struct {
        const char *release, *era;
        EraKind kind;
    } rows[] = {
        { "4.5.38", "5.1", ERA_PATH },
        { "5.1.26", "5.1", ERA_PATH },
        { "6.0.8", "6.0", ERA_PATH },
        { "7.0.6.0.0", "7.0", ERA_PATH },
        { "11.2.1.9", "11.2.1", ERA_PATH },
        { "11.2", "11.2.1", ERA_PATH },
        { "11.2.2.8.27", "11.2.2", ERA_PATH },
        { "18.1.4", "18.1", ERA_ENVIRONMENT },
        { "22.1.1.18.0", "22.1", ERA_ENVIRONMENT },
        { "26.1.1.1", "26.1", ERA_ENVIRONMENT },
        { "30.1", "26.1", ERA_ENVIRONMENT },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Release release = of(rows[i].release);
        const Era *era = release_era(&release);

        g_assert_cmpstr(era->name, ==, rows[i].era);
        g_assert_cmpint(era->kind, ==, rows[i].kind);
        g_assert_cmpuint(era->major_parts, >=, 2);
        g_assert_nonnull(era->options_file);
        g_assert_nonnull(era->odbc_ini);
        g_assert_cmpuint(era->unreplicated, >, 0);
    }
}

static void installations_tell_their_release(void)
{
    g_autofree char *found = release_of_installation("/opt/TimesTen/tt22.1.1.27.0");

    g_assert_cmpstr(found, ==, "22.1.1.27.0");
    g_assert_null(release_of_installation("/opt/TimesTen/tt"));
    g_assert_null(release_of_installation("/opt/TimesTen/new"));
    g_assert_null(release_of_installation("/opt/22.1.1.27.0"));
}

static void order_is_numeric(void)
{
    Release old = of("7.0.9"), new = of("7.0.10"), same = of("7.0.9.0.0");

    g_assert_cmpint(release_compare(&old, &new), <, 0);
    g_assert_cmpint(release_compare(&new, &old), >, 0);
    g_assert_cmpint(release_compare(&old, &same), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/release/good-text-comes-back-as-written", good_text_comes_back_as_written);
    g_test_add_func("/release/two-digits-of-6.0-are-two-parts", two_digits_of_6_0_are_two_parts);
    g_test_add_func("/release/bad-text-is-refused", bad_text_is_refused);
    g_test_add_func("/release/major-release-follows-the-era", major_release_follows_the_era);
    g_test_add_func("/release/every-release-has-its-era", every_release_has_its_era);
    g_test_add_func("/release/installations-tell-their-release", installations_tell_their_release);
    g_test_add_func("/release/order-is-numeric", order_is_numeric);
    return g_test_run();
}
