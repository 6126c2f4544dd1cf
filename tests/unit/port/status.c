#include "port/keeper.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"

#include <glib/gstdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const KeeperStatus example = {
    .state = KEEPER_DRAIN,
    .backend = (char *)"127.0.0.1:26002",
    .sessions = 12,
    .held = 37,
    .queue_limit = 4096,
    .hold_since = 1700000000000001,
    .hold_deadline = 1700000060000002,
    .accepted = G_MAXUINT64,
    .refused = 3,
    .cut = 4,
    .gave_up = 5,
    .guest = 812,
};

static void assert_same(const KeeperStatus *a, const KeeperStatus *b)
{
    g_assert_cmpint(a->state, ==, b->state);
    g_assert_cmpstr(a->backend, ==, b->backend);
    g_assert_cmpuint(a->sessions, ==, b->sessions);
    g_assert_cmpuint(a->held, ==, b->held);
    g_assert_cmpuint(a->queue_limit, ==, b->queue_limit);
    g_assert_cmpuint(a->hold_since, ==, b->hold_since);
    g_assert_cmpuint(a->hold_deadline, ==, b->hold_deadline);
    g_assert_cmpuint(a->accepted, ==, b->accepted);
    g_assert_cmpuint(a->refused, ==, b->refused);
    g_assert_cmpuint(a->cut, ==, b->cut);
    g_assert_cmpuint(a->gave_up, ==, b->gave_up);
    g_assert_cmpuint(a->guest, ==, b->guest);
}

static void line_leads_back(void)
{
    g_autofree char *line = keeper_status_format(&example);
    g_autoptr(GError) error = NULL;
    g_autoptr(KeeperStatus) back = keeper_status_parse(line, &error);

    g_assert_no_error(error);
    assert_same(&example, back);
}

static void no_backend_is_null(void)
{
    KeeperStatus status = { .state = KEEPER_REFUSE };
    g_autofree char *line = keeper_status_format(&status);
    g_autoptr(KeeperStatus) back = keeper_status_parse(line, NULL);

    g_assert_nonnull(back);
    assert_same(&status, back);
}

/* The keeper is not restarted when the package is upgraded, and says what it knew then. */
static void an_older_keeper_has_no_guest(void)
{
    g_autofree char *line = keeper_status_format(&example);
    char *guest = strstr(line, " guest=812");
    g_autofree char *old = NULL;
    g_autoptr(KeeperStatus) back = NULL;

    g_assert_nonnull(guest);
    *guest = '\0';
    old = g_strconcat(line, guest + strlen(" guest=812"), NULL);
    back = keeper_status_parse(old, NULL);
    g_assert_nonnull(back);
    g_assert_cmpuint(back->guest, ==, 0);
    g_assert_cmpuint(back->cut, ==, example.cut);
}

/* A newer keeper may say more than this reader knows. */
static void unknown_keys_are_passed_over(void)
{
    g_autofree char *line = keeper_status_format(&example);
    g_autofree char *longer = g_strconcat("colour=blue ", line, " lonely =x\n", NULL);
    g_autoptr(KeeperStatus) back = keeper_status_parse(longer, NULL);

    g_assert_nonnull(back);
    assert_same(&example, back);
}

static void any_cut_short_line_is_refused(void)
{
    g_autofree char *line = keeper_status_format(&example);

    /* The last key's only digit: without it the value is empty. */
    for (gsize length = 0; length < strlen(line); length++) {
        g_autofree char *part = g_strndup(line, length);
        g_autoptr(GError) error = NULL;

        g_assert_null(keeper_status_parse(part, &error));
        g_assert_error(error, TU_ERROR, TU_ERROR_FAILED);
    }
}

static void wrong_values_are_refused(void)
{
    static const char *const wrong[] = { "state=ajar",
                                         "held=-1",
                                         "held=4294967296",
                                         "held=1x",
                                         "accepted=18446744073709551616",
                                         "backend=",
                                         "held=37 held=37" };
    g_autofree char *line = keeper_status_format(&example);

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GString) text = g_string_new(line);
        g_autofree char *key = g_strndup(wrong[i], strcspn(wrong[i], "=") + 1);
        char *at = strstr(text->str, key);
        gsize length = strcspn(at, " ");
        gssize position = at - text->str;

        g_string_erase(text, position, length);
        g_string_insert(text, position, wrong[i]);
        g_assert_null(keeper_status_parse(text->str, NULL));
    }
}

static void answers_become_errors(void)
{
    static const struct {
        const char *line;
        int code; /* -1: no error */
        const char *text;
    } rows[] = {
        { "ok", -1, "" },
        { "ok state=open", -1, "state=open" },
        { "error NotAuthorized only root", TU_ERROR_NOT_AUTHORIZED, "only root" },
        { "error InvalidOption what is \"x y\"?", TU_ERROR_INVALID_OPTION, "what is \"x y\"?" },
        { "error Failed no space", TU_ERROR_FAILED, "no space" },
        { "error Newfangled thing", TU_ERROR_FAILED, "thing" },
        { "okay", TU_ERROR_FAILED, NULL },
        { "error", TU_ERROR_FAILED, NULL },
        { "error Busy", TU_ERROR_FAILED, NULL },
        { "", TU_ERROR_FAILED, NULL },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        const char *rest = NULL;

        g_assert_cmpint(keeper_answer(rows[i].line, &rest, &error), ==, rows[i].code < 0);
        if (rows[i].code >= 0)
            g_assert_error(error, TU_ERROR, rows[i].code);
        if (rows[i].text)
            g_assert_cmpstr(error ? error->message : rest, ==, rows[i].text);
    }
}

static void nobody_listening_is_port_not_held(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(keeper_connect("tt", &error), ==, -1);
    g_assert_error(error, TU_ERROR, TU_ERROR_PORT_NOT_HELD);
    g_assert_nonnull(strstr(error->message, "timesten-server@tt.socket"));
}

static void publish(pid_t pid)
{
    g_autofree char *directory = path_keeper("tt", NULL);
    g_autofree char *path = path_keeper("tt", "status");
    g_autofree char *line = keeper_status_format(&example);
    g_autofree char *text = g_strdup_printf("%s pid=%d\n", line, (int)pid);

    g_assert_cmpint(g_mkdir_with_parents(directory, 0755), ==, 0);
    g_assert_true(file_replace(path, text, -1, 0644, NULL));
}

static void only_a_living_keeper_is_believed(void)
{
    g_autoptr(KeeperStatus) none = keeper_status_read("tt");
    g_autoptr(KeeperStatus) living = NULL, killed = NULL;
    g_autofree char *path = path_keeper("tt", "status");
    pid_t child;

    g_assert_null(none);
    publish(getpid());
    living = keeper_status_read("tt");
    g_assert_nonnull(living);
    assert_same(&example, living);

    child = fork();
    if (child == 0)
        _exit(0);
    g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
    publish(child);
    killed = keeper_status_read("tt");
    g_assert_null(killed);
    g_unlink(path);
}

int main(int argc, char **argv)
{
    g_autofree char *root = g_dir_make_tmp("port-XXXXXX", NULL);

    g_test_init(&argc, &argv, NULL);
    path_set_root(root);
    g_test_add_func("/port/status/line-leads-back", line_leads_back);
    g_test_add_func("/port/status/no-backend-is-null", no_backend_is_null);
    g_test_add_func("/port/status/an-older-keeper-has-no-guest", an_older_keeper_has_no_guest);
    g_test_add_func("/port/status/unknown-keys-are-passed-over", unknown_keys_are_passed_over);
    g_test_add_func("/port/status/any-cut-short-line-is-refused", any_cut_short_line_is_refused);
    g_test_add_func("/port/status/wrong-values-are-refused", wrong_values_are_refused);
    g_test_add_func("/port/client/answers-become-errors", answers_become_errors);
    g_test_add_func("/port/client/nobody-listening-is-port-not-held",
                    nobody_listening_is_port_not_held);
    g_test_add_func("/port/status/only-a-living-keeper-is-believed",
                    only_a_living_keeper_is_believed);
    return g_test_run();
}
