/* How the words of a command come to its program through a transient unit: what systemd would
 * expand or read back otherwise than it wrote it is carried by environment variables. */
#include "systemd/transient.h"
#include "tests/unit/systemd/pid1.h"

#include <string.h>
#include <sys/wait.h>

#define CARRIER LIBEXECDIR "/exec-arguments"

/* systemd, as far as it listens: what one StartTransientUnit asked for. */
typedef struct {
    Pid1 pid1;
    char *program;
    char **words, **environment;
} Listener;

static int read_command(Listener *listener, sd_bus_message *m)
{
    const char *program;
    int ignore;

    if (sd_bus_message_enter_container(m, 'v', "a(sasb)") < 0 ||
        sd_bus_message_enter_container(m, 'a', "(sasb)") < 0 ||
        sd_bus_message_enter_container(m, 'r', "sasb") < 0 ||
        sd_bus_message_read(m, "s", &program) < 0 ||
        sd_bus_message_read_strv(m, &listener->words) < 0 ||
        sd_bus_message_read(m, "b", &ignore) < 0)
        return -1;
    listener->program = g_strdup(program);
    for (guint i = 0; i < 3; i++)
        sd_bus_message_exit_container(m);
    return 0;
}

static int read_environment(Listener *listener, sd_bus_message *m)
{
    if (sd_bus_message_enter_container(m, 'v', "as") < 0 ||
        sd_bus_message_read_strv(m, &listener->environment) < 0)
        return -1;
    return sd_bus_message_exit_container(m);
}

static int on_message(sd_bus_message *m, void *data, sd_bus_error *error)
{
    Listener *listener = data;
    const char *unit, *mode, *name;

    if (!sd_bus_message_is_method_call(m, NULL, "StartTransientUnit"))
        return 0;
    g_assert_cmpint(sd_bus_message_read(m, "ss", &unit, &mode), >, 0);
    g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "(sv)"), >, 0);
    while (sd_bus_message_enter_container(m, 'r', "sv") > 0) {
        g_assert_cmpint(sd_bus_message_read(m, "s", &name), >, 0);
        if (g_str_equal(name, "ExecStart"))
            g_assert_cmpint(read_command(listener, m), >=, 0);
        else if (g_str_equal(name, "Environment"))
            g_assert_cmpint(read_environment(listener, m), >=, 0);
        else
            g_assert_cmpint(sd_bus_message_skip(m, "v"), >=, 0);
        g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
    }
    return 0;
}

static void listener_clear(Listener *listener)
{
    pid1_clear(&listener->pid1);
    g_free(listener->program);
    for (guint i = 0; listener->words && listener->words[i]; i++)
        free(listener->words[i]);
    free(listener->words);
    for (guint i = 0; listener->environment && listener->environment[i]; i++)
        free(listener->environment[i]);
    free(listener->environment);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Listener, listener_clear)

static void on_done(const TransientOutcome *outcome, const GError *error, gpointer data)
{
}

/* What systemd is asked to run for ARGV with one variable of its own. */
static void ask(Listener *listener, char **argv)
{
    char *environment[] = { (char *)"LANG=C", NULL };
    TransientSpec spec = { .unit = "timesten-util-words.service",
                           .description = "words",
                           .argv = argv,
                           .environment = environment,
                           .output = "/dev/null" };
    g_autoptr(UnitCall) call = NULL;

    pid1_connect(&listener->pid1, on_message, listener);
    call = transient_run(listener->pid1.ours, &spec, on_done, NULL);
    g_assert_nonnull(call);
    while (!listener->program)
        g_assert_cmpint(sd_event_run(listener->pid1.event, 60 * G_USEC_PER_SEC), >, 0);
}

static void plain_words_stay_in_the_command_line(void)
{
    char *argv[] = { "/opt/TimesTen/tt60/bin/ttMigrate", "-c", "DSN=orders", "a_b+c@d:e,f", NULL };
    g_auto(Listener) listener = { 0 };

    ask(&listener, argv);
    g_assert_cmpstr(listener.program, ==, argv[0]);
    g_assert_cmpstrv(listener.words, argv);
    g_assert_cmpstrv(listener.environment, ((const char *[]){ "LANG=C", NULL }));
}

static const char *const odd_words[] = { ";",   "$",     "${HOME}",     "v$monitor",
                                         "a b", "",      "\"",          "'",
                                         "\\",  "\\x3b", "%n",          "%%",
                                         "\t",  "a\nb",  "caf\303\251", "*",
                                         "#",   "~",     "A=B;C=D",     "select count(*) from t;",
                                         NULL };

/* Each alone, because one odd word carries the plain ones along. */
static void odd_words_are_carried(void)
{
    for (guint i = 0; odd_words[i]; i++) {
        char *argv[] = { "/bin/echo", "plain", (char *)odd_words[i], NULL };
        g_auto(Listener) listener = { 0 };
        g_autofree char *third = g_strconcat("ARGUMENT_2=", odd_words[i], NULL);

        ask(&listener, argv);
        g_assert_cmpstr(listener.program, ==, CARRIER);
        g_assert_cmpstrv(listener.words, ((const char *[]){ CARRIER, NULL }));
        g_assert_cmpstrv(listener.environment,
                         ((const char *[]){ "LANG=C", "ARGUMENT_0=/bin/echo", "ARGUMENT_1=plain",
                                            third, NULL }));
    }
}

/* exec-arguments with WORDS in its environment; what it printed and told (NULL: never mind), and
 * its exit status. */
static char *carry(const char *const *words, char **ret_told, int *ret_status)
{
    g_autoptr(GPtrArray) environment = g_ptr_array_new_with_free_func(g_free);
    char *argv[] = { (char *)g_getenv("EXEC_ARGUMENTS"), NULL };
    g_autoptr(GError) error = NULL;
    char *out = NULL;
    int status;

    g_ptr_array_add(environment, g_strdup("KEPT=yes"));
    for (guint i = 0; words[i]; i++)
        g_ptr_array_add(environment, g_strdup_printf("ARGUMENT_%u=%s", i, words[i]));
    g_ptr_array_add(environment, NULL);
    g_spawn_sync(NULL, argv, (char **)environment->pdata,
                 ret_told ? G_SPAWN_DEFAULT : G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out,
                 ret_told, &status, &error);
    g_assert_no_error(error);
    g_assert_true(WIFEXITED(status));
    *ret_status = WEXITSTATUS(status);
    return out;
}

static void carried_words_arrive_as_they_were(void)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    g_autoptr(GString) wanted = g_string_new(NULL);
    g_autofree char *out = NULL;
    int status;

    g_ptr_array_add(words, (char *)"/usr/bin/printf");
    g_ptr_array_add(words, (char *)"[%s]");
    for (guint i = 0; odd_words[i]; i++) {
        g_ptr_array_add(words, (char *)odd_words[i]);
        g_string_append_printf(wanted, "[%s]", odd_words[i]);
    }
    g_ptr_array_add(words, NULL);
    out = carry((const char *const *)words->pdata, NULL, &status);
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpstr(out, ==, wanted->str);
}

static void program_does_not_see_who_carried_its_words(void)
{
    int status;
    g_autofree char *out = carry((const char *const[]){ "/usr/bin/env", NULL }, NULL, &status);

    g_assert_cmpint(status, ==, 0);
    g_assert_cmpstr(out, ==, "KEPT=yes\n");
}

static void missing_program_ends_as_with_systemd(void)
{
    int status;
    g_autofree char *gone =
        carry((const char *const[]){ "/nonexistent", "a;b", NULL }, NULL, &status);

    g_assert_cmpint(status, ==, 203);
    g_free(carry((const char *const[]){ NULL }, NULL, &status));
    g_assert_cmpint(status, ==, 203);
}

/* COUNT words, the last of which is "last". */
static char *carry_many(guint count, char **ret_told, int *ret_status)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();

    g_ptr_array_add(words, (char *)"/bin/echo");
    while (words->len + 1 < count)
        g_ptr_array_add(words, (char *)"x");
    g_ptr_array_add(words, (char *)"last");
    g_ptr_array_add(words, NULL);
    return carry((const char *const *)words->pdata, ret_told, ret_status);
}

static void too_many_words_are_refused_and_not_cut(void)
{
    int status;
    g_autofree char *told = NULL;
    g_autofree char *enough = carry_many(4096, NULL, &status);
    g_autofree char *refused = NULL;

    g_assert_cmpint(status, ==, 0);
    g_assert_true(g_str_has_suffix(enough, " last\n"));
    refused = carry_many(4098, &told, &status);
    g_assert_cmpint(status, ==, 203);
    g_assert_cmpstr(refused, ==, "");
    g_assert_nonnull(strstr(told, "of 4098 words and carries 4096 at most. Divide it"));
}

#define ADD(name, function) g_test_add_func("/words/" name, function)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("plain-words-stay-in-the-command-line", plain_words_stay_in_the_command_line);
    ADD("odd-words-are-carried", odd_words_are_carried);
    ADD("carried-words-arrive-as-they-were", carried_words_arrive_as_they_were);
    ADD("program-does-not-see-who-carried-its-words", program_does_not_see_who_carried_its_words);
    ADD("missing-program-ends-as-with-systemd", missing_program_ends_as_with_systemd);
    ADD("too-many-words-are-refused-and-not-cut", too_many_words_are_refused_and_not_cut);
    return g_test_run();
}
