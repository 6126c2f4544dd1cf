/* Units that nobody needs are forgotten, and a word about them that was lost is known to be lost.
 */
#include "systemd/transient.h"
#include "tests/unit/systemd/pid1.h"

#define UNITS 3

/* systemd, as far as it listens. */
typedef struct {
    Pid1 pid1;
    guint stopped, reset; /* units that it was told about */
    guint hears;          /* so many words; then it is executed anew, and the connection is gone */
    gboolean ended;
    char *result;
    GError *error;
} Listener;

static int answer_list(sd_bus_message *m)
{
    sd_bus_message *answer = NULL;
    int r = sd_bus_message_new_method_return(m, &answer);

    if (r >= 0)
        r = sd_bus_message_open_container(answer, 'a', "(ssssssouso)");
    for (guint i = 0; r >= 0 && i < UNITS; i++) {
        g_autofree char *unit = g_strdup_printf("timesten-util-7-%u.service", i);

        r = sd_bus_message_append(answer, "(ssssssouso)", unit, "", "loaded", "active", "exited",
                                  "", "/unit", 0, "", "/");
    }
    if (r >= 0)
        r = sd_bus_message_close_container(answer);
    if (r >= 0)
        r = sd_bus_send(NULL, answer, NULL);
    sd_bus_message_unref(answer);
    return r;
}

static int on_message(sd_bus_message *m, void *data, sd_bus_error *error)
{
    Listener *listener = data;

    if (!sd_bus_message_get_member(m) || listener->hears == 0)
        return 0;
    if (--listener->hears == 0) {
        sd_bus_close(listener->pid1.theirs);
        return 1;
    }
    if (sd_bus_message_is_method_call(m, NULL, "ListUnitsByPatterns"))
        return answer_list(m) < 0 ? -1 : 1;
    listener->stopped += sd_bus_message_is_method_call(m, NULL, "StopUnit") > 0;
    listener->reset += sd_bus_message_is_method_call(m, NULL, "ResetFailedUnit") > 0;
    if (sd_bus_message_is_method_call(m, NULL, "Ping"))
        g_assert_cmpuint(listener->stopped + listener->reset, ==, 2 * UNITS);
    return sd_bus_message_is_method_call(m, NULL, "Ping") ? 0 : sd_bus_reply_method_return(m, "");
}

static void listener_clear(Listener *listener)
{
    pid1_clear(&listener->pid1);
    g_free(listener->result);
    g_clear_error(&listener->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Listener, listener_clear)

static void on_forgotten(const char *result, const GError *error, gpointer data)
{
    Listener *listener = data;

    listener->ended = TRUE;
    listener->result = g_strdup(result);
    listener->error = error ? g_error_copy(error) : NULL;
}

static void forget(Listener *listener, guint hears)
{
    g_autoptr(UnitCall) call = NULL;

    listener->hears = hears;
    pid1_connect(&listener->pid1, on_message, listener);
    call =
        transient_forget_surely(listener->pid1.ours, "timesten-util-7-*", on_forgotten, listener);
    g_assert_nonnull(call);
    while (!listener->ended)
        g_assert_cmpint(sd_event_run(listener->pid1.event, 60 * G_USEC_PER_SEC), >, 0);
}

static void all_are_forgotten_before_it_says_so(void)
{
    g_auto(Listener) listener = { 0 };

    forget(&listener, G_MAXUINT);
    g_assert_no_error(listener.error);
    g_assert_cmpstr(listener.result, ==, "done");
    g_assert_cmpuint(listener.stopped, ==, UNITS);
    g_assert_cmpuint(listener.reset, ==, UNITS);
}

/* The connection goes at each of the words: the list, two for each unit, the last question. */
static void lost_word_is_told(void)
{
    for (guint hears = 1; hears <= 2 * UNITS + 2; hears++) {
        g_auto(Listener) listener = { 0 };

        forget(&listener, hears);
        g_assert_nonnull(listener.error);
        g_assert_null(listener.result);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/forget/all-are-forgotten-before-it-says-so",
                    all_are_forgotten_before_it_says_so);
    g_test_add_func("/forget/lost-word-is-told", lost_word_is_told);
    return g_test_run();
}
