#include "timesten/version.h"
#include "sample.h"

static const struct {
    const char *sample, *release, *instance, *admin, *daemon_home;
    guint port, bits;
    gboolean keys;
} rows[] = {
    { "version-6.0", "6.0.1", "terry", "root", "/var/TimesTen/tt60", 15100, 32 },
    { "version-7.0", "7.0", "terry", "root", "/var/TimesTen/tt70", 15100, 32 },
    { "version-7.0-m", "7.0.6.0.0", "tt70", "timesten", "/opt/TimesTen/tt70/info", 17000, 32,
      TRUE },
    { "version-11.2.2", "11.2.2.8.0", "tt1122", "tt", "/home/tt/TimesTen/tt1122/info", 53396, 64 },
    { "version-22.1", "22.1.1.18.0", "ttinst", "oracle", "/tt/inst/ttinst/info", 6624, 64 },
    { "version-22.1-client", "22.1.1.18.0", "instance_221_client", NULL, NULL, 0, 64 },
    { "version-22.1-m", "22.1.1.18.0", "ttinst", "oracle", "/tt/inst/ttinst/info", 6624, 64, TRUE },
};

static void version_of_every_era_is_read(gconstpointer data)
{
    guint i = GPOINTER_TO_UINT(data);
    g_autofree char *text = sample(rows[i].sample), *release = NULL;
    g_autoptr(Version) version = version_parse(text);

    g_assert_nonnull(version);
    release = release_format(&version->release);
    g_assert_cmpstr(release, ==, rows[i].release);
    g_assert_cmpstr(version->instance, ==, rows[i].instance);
    g_assert_cmpstr(version->admin, ==, rows[i].admin);
    g_assert_cmpstr(version->daemon_home, ==, rows[i].daemon_home);
    g_assert_cmpuint(version->port, ==, rows[i].port);
    g_assert_cmpuint(version->bits, ==, rows[i].bits);
    g_assert_cmpint(version->keys, ==, rows[i].keys);
}

static void what_has_no_release_is_refused(void)
{
    static const char *const bad[] = { "",
                                       "usage: ttVersion",
                                       "version=",
                                       "version=x.y",
                                       "TimesTen Release ",
                                       "TimesTen Release (x)",
                                       "version='7.0" };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_null(version_parse(bad[i]));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *name =
            g_strconcat("/version/version-of-every-era-is-read/", rows[i].sample, NULL);

        g_test_add_data_func(name, GUINT_TO_POINTER(i), version_of_every_era_is_read);
    }
    g_test_add_func("/version/what-has-no-release-is-refused", what_has_no_release_is_refused);
    return g_test_run();
}
