#include "common/error.h"
#include "common/settings.h"

static const SettingsKey known[] = {
    { "Server", "Listen" },
    { "Server", "Instance" },
    { NULL, NULL },
};

static void values_are_found(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Settings) settings = settings_parse("# comment\n[Server]\n Listen = 16002 \n; x\nInstance=\n",
                                                  "a.conf", known, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(settings_get(settings, "Server", "Listen"), ==, "16002");
    g_assert_null(settings_get(settings, "Server", "Instance"));
}

static void complaint_names_the_line(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Settings) settings = settings_parse("[Server]\n\nListen=x\n", "a.conf", known, NULL);

    settings_complain(settings, "Server", "Listen", &error, "not a port");
    g_assert_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION);
    g_assert_cmpstr(error->message, ==, "a.conf:3: not a port");
}

static void wrong_text_is_refused(gconstpointer data)
{
    const char *const *row = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(Settings) settings = settings_parse(row[0], "a.conf", known, &error);

    g_assert_null(settings);
    g_assert_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION);
    g_assert_true(g_str_has_prefix(error->message, row[1]));
}

static const char *const wrong[][2] = {
    { "[Server]\nListn=1\n", "a.conf:2: unknown key Listn= in [Server]. Known keys: Listen=, Instance=" },
    { "[Servr]\n", "a.conf:1: unknown section [Servr]. Known: [Server]" },
    { "Listen=1\n", "a.conf:1: Listen= stands before any [Section]" },
    { "[Server]\nListen\n", "a.conf:2: \"Listen\" is not Key=Value" },
    { "[Server]\nListen=1\nListen=2\n", "a.conf:3: Listen= is set a second time, first in line 2" },
    { "[Server]\nListen=\xff\n", "a.conf:1: the file is not UTF-8" },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/settings/values-are-found", values_are_found);
    g_test_add_func("/settings/complaint-names-the-line", complaint_names_the_line);
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *name = g_strdup_printf("/settings/wrong-text-is-refused/%u", i);

        g_test_add_data_func(name, wrong[i], wrong_text_is_refused);
    }
    return g_test_run();
}
