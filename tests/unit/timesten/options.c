#include "common/error.h"
#include "timesten/options.h"
#include "sample.h"

/* An edit, and exactly what the file must be afterwards. PORT -1: leave; COMPAT -1: leave. */
static const struct {
    const char *name;
    EraKind kind;
    const char *before;
    int port, compat;
    const char *after;
} edits[] = {
    { "nothing", ERA_PATH, "# c\r\n\n -verbose \n-server 16002", -1, -1,
      "# c\r\n\n -verbose \n-server 16002" },
    { "same-port", ERA_PATH, "  -server\t16002  \n", 16002, -1, "  -server\t16002  \n" },
    { "port", ERA_PATH, "-verbose\n-server 16002\n#x\n", 26002, -1,
      "-verbose\n-server 26002\n#x\n" },
    { "remove", ERA_PATH, "-verbose\n-server 16002\n#x\n", 0, -1, "-verbose\n#x\n" },
    { "remove-all", ERA_PATH, "-server 1\na\n-SERVER 2", 0, -1, "a\n" },
    { "last-of-two-stays", ERA_PATH, "-server 1\n-verbose\n-server 2\n", 3, -1,
      "-verbose\n-server 3\n" },
    { "add", ERA_PATH, "-verbose\n", 16002, -1, "-verbose\n-server 16002\n" },
    { "add-to-unended-line", ERA_PATH, "-verbose", 16002, -1, "-verbose\n-server 16002\n" },
    { "add-to-nothing", ERA_PATH, "", 16002, -1, "-server 16002\n" },
    { "line-ends-stay", ERA_PATH, "-verbose\r\n-server 1\r\n", 2, TRUE,
      "-verbose\r\n-server 2\r\n-insecure-backwards-compat\r\n" },
    { "names-like-it-stay", ERA_PATH, "-serverpool 5\n-server 1\n#-server 7\n", 2, -1,
      "-serverpool 5\n-server 2\n#-server 7\n" },
    { "compat-on", ERA_PATH, "-verbose\n", -1, TRUE, "-verbose\n-insecure-backwards-compat\n" },
    { "compat-off", ERA_PATH, "-insecure-backwards-compat\n-verbose\n", -1, FALSE, "-verbose\n" },
    { "compat-already", ERA_PATH, " -insecure-backwards-compat \n", -1, TRUE,
      " -insecure-backwards-compat \n" },
    { "conf-port", ERA_ENVIRONMENT, "daemon_port=6624\nserver_port = 6625\nx=y\n", 26625, -1,
      "daemon_port=6624\nserver_port=26625\nx=y\n" },
    { "conf-add", ERA_ENVIRONMENT, "daemon_port=6624\n# server_port=1\n", 26625, -1,
      "daemon_port=6624\n# server_port=1\nserver_port=26625\n" },
    { "conf-remove", ERA_ENVIRONMENT, "server_port=6625\ndaemon_port=6624", 0, -1,
      "daemon_port=6624" },
};

static void edit_changes_nothing_else(gconstpointer data)
{
    guint i = GPOINTER_TO_UINT(data);
    g_autoptr(OptionsFile) options = options_parse(edits[i].before, edits[i].kind);
    g_autofree char *after = NULL;

    if (edits[i].port >= 0) {
        options_set_server_port(options, edits[i].port);
        g_assert_cmpuint(options_server_port(options), ==, edits[i].port);
    }
    if (edits[i].compat >= 0) {
        g_assert_true(options_set_backwards_compat(options, edits[i].compat, NULL));
        g_assert_cmpint(options_backwards_compat(options), ==, edits[i].compat);
    }
    after = options_text(options);
    g_assert_cmpstr(after, ==, edits[i].after);
}

static void samples_are_understood(void)
{
    g_autofree char *old_text = sample("options-7.0"), *new_text = sample("options-22.1");
    g_autoptr(OptionsFile) old = options_parse(old_text, ERA_PATH);
    g_autoptr(OptionsFile) new = options_parse(new_text, ERA_ENVIRONMENT);
    g_autofree char *old_again = options_text(old), *new_again = options_text(new);

    g_assert_cmpstr(old_again, ==, old_text);
    g_assert_cmpuint(options_server_port(old), ==, 17002);
    g_assert_cmpstr(options_value(old, "-facility"), ==, "user");
    g_assert_cmpstr(options_value(old, "-verbose"), ==, "");
    g_assert_null(options_value(old, "-serverpool"));
    g_assert_false(options_backwards_compat(old));
    g_assert_cmpstr(new_again, ==, new_text);
    g_assert_cmpuint(options_server_port(new), ==, 6625);
    g_assert_cmpstr(options_value(new, "daemon_port"), ==, "6624");
    g_assert_cmpstr(options_value(new, "admin_user"), ==, "oracle");
}

static void wrong_port_is_no_port(void)
{
    static const char *const wrong[] = { "-server\n",       "-server x\n",  "-server 0\n",
                                         "-server 65536\n", "-server -1\n", "-server=5\n",
                                         "server 5\n" };

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(OptionsFile) options = options_parse(wrong[i], ERA_PATH);

        g_assert_cmpuint(options_server_port(options), ==, 0);
    }
}

static void compat_of_timesten_conf_is_refused(void)
{
    g_autoptr(OptionsFile) options = options_parse("daemon_port=6624\n", ERA_ENVIRONMENT);
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    g_assert_false(options_set_backwards_compat(options, TRUE, &error));
    g_assert_error(error, TU_ERROR, TU_ERROR_NOT_POSSIBLE);
    g_assert_false(options_backwards_compat(options));
    text = options_text(options);
    g_assert_cmpstr(text, ==, "daemon_port=6624\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(edits); i++) {
        g_autofree char *name =
            g_strconcat("/options/edit-changes-nothing-else/", edits[i].name, NULL);

        g_test_add_data_func(name, GUINT_TO_POINTER(i), edit_changes_nothing_else);
    }
    g_test_add_func("/options/samples-are-understood", samples_are_understood);
    g_test_add_func("/options/wrong-port-is-no-port", wrong_port_is_no_port);
    g_test_add_func("/options/compat-of-timesten-conf-is-refused",
                    compat_of_timesten_conf_is_refused);
    return g_test_run();
}
