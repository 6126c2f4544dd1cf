#include "systemd/transient.h"
#include "systemd/call.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"
#include "common/text.h"

#include <errno.h>
#include <signal.h>

#define OUTPUT_LIMIT (64 * 1024 * 1024) /* bytes of a utility's output that are looked at */
/* Signals tell the end at once; the poll is for those that get lost when PID 1 re-executes itself.
 */
#define POLL_USEC  (1 * G_USEC_PER_SEC)
#define RETRY_USEC (50 * 1000)

/* A TransientSpec that outlives the caller's, for a second try. */
typedef struct {
    sd_bus_message *message; /* StartTransientUnit, sealed by the first send */
    char *output;
    gboolean fresh;
    gboolean accepted; /* what the unit's state says is about this run, not about one from before */
    TransientDone done;
} Transient;

static void transient_clear(gpointer data)
{
    Transient *t = data;

    sd_bus_message_unref(t->message);
    g_free(t->output);
    g_free(t);
}

void transient_outcome_free(TransientOutcome *outcome)
{
    if (!outcome)
        return;
    g_free(outcome->output);
    g_free(outcome->result);
    g_free(outcome);
}

char *transient_name(const char *first, ...)
{
    GString *name = g_string_new("timesten-util");
    va_list args;

    va_start(args, first);
    for (const char *part = first; part; part = va_arg(args, const char *)) {
        g_string_append_c(name, '-');
        for (; *part; part++)
            if (g_ascii_isalnum(*part) || *part == '_' || *part == '.')
                g_string_append_c(name, *part);
            else
                g_string_append_printf(name, "\\x%02x", (guchar)*part);
    }
    va_end(args);
    g_string_append(name, ".service");
    return g_string_free(name, FALSE);
}

static void finish(UnitCall *call, const TransientOutcome *outcome, const GError *error)
{
    Transient *t = call->transient;
    TransientDone done = t->done;

    call->reply = sd_bus_slot_unref(call->reply);
    call->match = sd_bus_slot_unref(call->match);
    call->timer = sd_event_source_disable_unref(call->timer);
    t->done = NULL;
    if (done)
        done(outcome, error, call->data);
}

/* systemd.exec(5): statuses with which systemd itself failed before the program ran. */
static const struct {
    int status;
    const char *what;
} setup_failures[] = {
    { 200, "its working directory could not be entered" },
    { 203, "the program could not be executed" },
    { 209, "its output file could not be opened" },
    { 216, "its group does not exist" },
    { 217, "its user does not exist" },
    { 238, "its state directory could not be made" },
};

static void ended(UnitCall *call, const UnitState *state)
{
    Transient *t = call->transient;
    gboolean missing;
    g_autoptr(GError) error = NULL;
    g_autofree char *output = file_read(t->output, OUTPUT_LIMIT, &missing, &error);
    TransientOutcome outcome = {
        .exit_status =
            state->exit_code == CLD_EXITED ? state->exit_status : 128 + state->exit_status,
        .timed_out = g_str_equal(state->result, "timeout"),
        .output = output ? output : (char *)"",
        .result = state->result,
        .usec = state->ran_usec,
        .began_usec = state->began_usec,
    };

    if (error) { /* what cannot be read is not empty */
        finish(call, NULL, error);
        return;
    }
    if (state->exit_code == 0) { /* it never ran, or systemd lost sight of it */
        outcome.exit_status = -1;
        outcome.result = (char *)"it was never started";
    }
    for (guint i = 0; i < G_N_ELEMENTS(setup_failures); i++)
        if (state->exit_code == CLD_EXITED && state->exit_status == setup_failures[i].status) {
            outcome.exit_status = -1;
            outcome.result = (char *)setup_failures[i].what;
        }
    finish(call, &outcome, NULL);
}

static int start(UnitCall *call);
static int on_state(sd_bus_message *message, void *data, sd_bus_error *ret_error);

/* A question that could not even be sent would never be answered: the connection is gone. */
static void give_up_on_failure(UnitCall *call, int r)
{
    g_autoptr(GError) error = NULL;

    if (r >= 0)
        return;
    tu_error_errno(&error, -r, "Cannot ask systemd about %s", call->unit);
    finish(call, NULL, error);
}

static int on_timer_look(sd_event_source *source, guint64 usec, void *data)
{
    give_up_on_failure(data, unit_ask_state(data, on_state));
    return 0;
}

static int on_timer_start(sd_event_source *source, guint64 usec, void *data)
{
    give_up_on_failure(data, start(data));
    return 0;
}

static void look_again(UnitCall *call, guint64 usec, sd_event_time_handler_t handler)
{
    call->timer = sd_event_source_disable_unref(call->timer);
    sd_event_add_time_relative(sd_bus_get_event(call->bus), &call->timer, CLOCK_MONOTONIC, usec, 0,
                               handler, call);
}

static int on_state(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    UnitCall *call = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(UnitState) state = g_new0(UnitState, 1);

    if (unit_answer_failed(message, "tell the state of", call->unit, &error)) {
        finish(call, NULL, error);
        return 0;
    }
    unit_state_from_message(message, state);
    /* A oneshot is "activating" while its program runs, and stays "active" or "failed" after. */
    if (!state->job_queued &&
        (g_str_equal(state->active_state, "active") || g_str_equal(state->active_state, "failed") ||
         g_str_equal(state->active_state, "inactive")))
        ended(call, state);
    else
        look_again(call, POLL_USEC, on_timer_look);
    return 0;
}

/* Whether a change is one of a oneshot that is still at work, which tells nothing: it comes as one
 * signal for what all units have, ActiveState among it, and one for what services have. */
static gboolean is_still_at_work(sd_bus_message *message)
{
    const char *interface, *name, *state;

    if (sd_bus_message_read(message, "s", &interface) < 0)
        return FALSE;
    if (!g_str_equal(interface, "org.freedesktop.systemd1.Unit"))
        return g_str_equal(interface, "org.freedesktop.systemd1.Service");
    if (sd_bus_message_enter_container(message, 'a', "{sv}") < 0)
        return FALSE;
    while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
        if (sd_bus_message_read(message, "s", &name) < 0)
            return FALSE;
        if (g_str_equal(name, "ActiveState"))
            return sd_bus_message_read(message, "v", "s", &state) >= 0 &&
                   g_str_equal(state, "activating");
        if (sd_bus_message_skip(message, "v") < 0 || sd_bus_message_exit_container(message) < 0)
            return FALSE;
    }
    return FALSE;
}

static int on_changed(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    const Transient *t = ((UnitCall *)data)->transient;

    if (t->accepted && !is_still_at_work(message))
        give_up_on_failure(data, unit_ask_state(data, on_state));
    return 0;
}

static int on_started(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    UnitCall *call = data;
    Transient *t = call->transient;
    g_autoptr(GError) error = NULL;

    t->accepted = FALSE;
    if (sd_bus_message_is_method_error(message, "org.freedesktop.systemd1.UnitExists")) {
        if (t->fresh) {
            transient_forget(call->bus, call->unit);
            look_again(call, RETRY_USEC, on_timer_start);
            return 0;
        }
    } else if (unit_answer_failed(message, "run", call->unit, &error)) {
        finish(call, NULL, error);
        return 0;
    }
    t->accepted = TRUE;
    give_up_on_failure(call, unit_ask_state(call, on_state));
    return 0;
}

static int start(UnitCall *call)
{
    Transient *t = call->transient;
    sd_bus_message *again = NULL;
    int r = sd_bus_message_new_method_call(call->bus, &again, PID1_NAME, PID1_PATH, PID1_INTERFACE,
                                           "StartTransientUnit");

    /* A sent message is sealed; each try sends a copy. */
    if (r >= 0)
        r = sd_bus_message_rewind(t->message, TRUE);
    if (r >= 0)
        r = sd_bus_message_copy(again, t->message, TRUE);
    if (r >= 0)
        r = unit_send(call, again, on_started);
    sd_bus_message_unref(again);
    return r;
}

/* --- the unit's properties ----------------------------------------------------------------------
 */

static int append_text(sd_bus_message *m, const char *name, const char *value)
{
    return value ? sd_bus_message_append(m, "(sv)", name, "s", value) : 0;
}

static int append_number(sd_bus_message *m, const char *name, guint64 value)
{
    return sd_bus_message_append(m, "(sv)", name, "t", value);
}

static int append_words(sd_bus_message *m, const char *name, char **words)
{
    int r;

    if (!words || !words[0])
        return 0;
    if ((r = sd_bus_message_open_container(m, 'r', "sv")) < 0 ||
        (r = sd_bus_message_append(m, "s", name)) < 0 ||
        (r = sd_bus_message_open_container(m, 'v', "as")) < 0 ||
        (r = sd_bus_message_append_strv(m, words)) < 0 ||
        (r = sd_bus_message_close_container(m)) < 0)
        return r;
    return sd_bus_message_close_container(m);
}

/* Characters that systemd neither expands nor escapes in a word of a command line. */
#define PLAIN G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_./,:=@+-"

static gboolean is_plain(char **argv)
{
    for (; *argv; argv++)
        if (!**argv || (*argv)[strspn(*argv, PLAIN)] != '\0')
            return FALSE;
    return TRUE;
}

/* A command with a word of any other characters goes through environment variables, whose values
 * nobody expands, and exec-arguments puts it together again: v$monitor is a table's name, and 252
 * reads neither a ';' nor a '$' of its own transient units back as it wrote them, which it does at
 * each daemon-reload. (ExecStartEx= with "no-env-expand" is no way out: that it cannot read at
 * all.) */
static char **carry_words(char **argv, GStrvBuilder *environment)
{
    static const char *const carrier[] = { LIBEXECDIR "/exec-arguments", NULL };

    if (is_plain(argv))
        return g_strdupv(argv);
    for (guint i = 0; argv[i]; i++) {
        g_autofree char *assignment = g_strdup_printf("ARGUMENT_%u=%s", i, argv[i]);

        g_strv_builder_add(environment, assignment);
    }
    return g_strdupv((char **)carrier);
}

static int append_command(sd_bus_message *m, const char *program, char **words)
{
    int r;

    if ((r = sd_bus_message_open_container(m, 'r', "sv")) < 0 ||
        (r = sd_bus_message_append(m, "s", "ExecStart")) < 0 ||
        (r = sd_bus_message_open_container(m, 'v', "a(sasb)")) < 0 ||
        (r = sd_bus_message_open_container(m, 'a', "(sasb)")) < 0 ||
        (r = sd_bus_message_open_container(m, 'r', "sasb")) < 0 ||
        (r = sd_bus_message_append(m, "s", program)) < 0 ||
        (r = sd_bus_message_append_strv(m, words)) < 0 ||
        (r = sd_bus_message_append(m, "b", 0)) < 0)
        return r;
    for (int i = 0; i < 4; i++)
        if ((r = sd_bus_message_close_container(m)) < 0)
            return r;
    return 0;
}

/* Whoever asked judges how a program ended, not systemd: ttStatus ends with 1 to say that a daemon
 * is down, and that must put neither "Failed to start" into the journal nor the machine into
 * "degraded". From 200 on it is systemd itself that speaks. */
static int append_successes(sd_bus_message *m)
{
    gint32 statuses[199];
    int r;

    for (gint32 i = 0; i < (gint32)G_N_ELEMENTS(statuses); i++)
        statuses[i] = i + 1;
    if ((r = sd_bus_message_open_container(m, 'r', "sv")) < 0 ||
        (r = sd_bus_message_append(m, "s", "SuccessExitStatus")) < 0 ||
        (r = sd_bus_message_open_container(m, 'v', "(aiai)")) < 0 ||
        (r = sd_bus_message_open_container(m, 'r', "aiai")) < 0 ||
        (r = sd_bus_message_append_array(m, 'i', statuses, sizeof(statuses))) < 0 ||
        (r = sd_bus_message_append_array(m, 'i', NULL, 0)) < 0)
        return r;
    for (int i = 0; i < 3; i++)
        if ((r = sd_bus_message_close_container(m)) < 0)
            return r;
    return 0;
}

/* A program that is waited for stays after its end, for its result; one that serves does not. */
static int append_kind(sd_bus_message *m, gboolean serves)
{
    int r = append_text(m, "Type", serves ? "simple" : "oneshot");

    if (r < 0)
        return r;
    return serves ? append_text(m, "CollectMode", "inactive-or-failed")
                  : sd_bus_message_append(m, "(sv)", "RemainAfterExit", "b", 1);
}

static int append_streams(sd_bus_message *m, const TransientSpec *spec)
{
    int r = spec->input
                ? sd_bus_message_append(m, "(sv)", "StandardInputFileDescriptor", "h", *spec->input)
                : append_text(m, "StandardInput", "null");

    if (r >= 0)
        r = spec->output ? append_text(m, "StandardOutputFileToTruncate", spec->output)
                         : append_text(m, "StandardOutput", "journal");
    return r < 0 ? r : append_text(m, "StandardError", "inherit");
}

static int append_properties(sd_bus_message *m, const TransientSpec *spec, gboolean serves)
{
    g_autoptr(GStrvBuilder) environment_builder = g_strv_builder_new();
    g_auto(GStrv) environment = NULL;
    g_auto(GStrv) words = NULL;
    char *groups[] = { (char *)spec->group, NULL };
    char *state[] = { (char *)spec->state_directory, NULL };
    int r;

    if (spec->environment)
        g_strv_builder_addv(environment_builder, (const char **)spec->environment);
    words = carry_words(spec->argv, environment_builder);
    environment = g_strv_builder_end(environment_builder);
    if ((r = append_text(m, "Description", spec->description)) < 0 ||
        (r = append_text(m, "Slice", spec->slice ? spec->slice : TU_SLICE)) < 0 ||
        (r = append_kind(m, serves)) < 0 || (r = append_text(m, "User", spec->user)) < 0 ||
        (r = append_words(m, "SupplementaryGroups", groups)) < 0 ||
        (r = append_words(m, "Environment", environment)) < 0 ||
        (r = append_text(m, "WorkingDirectory", spec->working_directory)) < 0 ||
        (r = append_streams(m, spec)) < 0 ||
        /* What a utility writes holds the database's rows: nobody but its user and group reads it.
         */
        (r = sd_bus_message_append(m, "(sv)", "UMask", "u", 0027u)) < 0 ||
        (r = append_number(m, "LimitMEMLOCK", G_MAXUINT64)) < 0 ||
        (r = append_number(m, "TimeoutStartUSec", spec->limit_usec)) < 0 ||
        (r = append_number(m, "TimeoutStopUSec", 10 * G_USEC_PER_SEC)) < 0 ||
        (r = append_successes(m)) < 0)
        return r;
    if (spec->state_directory &&
        ((r = append_words(m, "StateDirectory", state)) < 0 ||
         (r = sd_bus_message_append(m, "(sv)", "StateDirectoryMode", "u", 0750u)) < 0))
        return r;
    if (spec->capabilities &&
        ((r = append_number(m, "CapabilityBoundingSet", *spec->capabilities)) < 0 ||
         (r = sd_bus_message_append(m, "(sv)", "NoNewPrivileges", "b", 1)) < 0))
        return r;
    return append_command(m, words[0], words);
}

static int build(sd_bus *bus, const TransientSpec *spec, gboolean serves, sd_bus_message **ret)
{
    sd_bus_message *m = NULL;
    int r;

    if ((r = sd_bus_message_new_method_call(bus, &m, PID1_NAME, PID1_PATH, PID1_INTERFACE,
                                            "StartTransientUnit")) >= 0 &&
        (r = sd_bus_message_append(m, "ss", spec->unit, "fail")) >= 0 &&
        (r = sd_bus_message_open_container(m, 'a', "(sv)")) >= 0 &&
        (r = append_properties(m, spec, serves)) >= 0 &&
        (r = sd_bus_message_close_container(m)) >= 0 &&
        (r = sd_bus_message_append(m, "a(sa(sv))", 0)) >= 0)
        *ret = m;
    else
        sd_bus_message_unref(m);
    return r;
}

UnitCall *transient_run(sd_bus *bus, const TransientSpec *spec, TransientDone done, gpointer data)
{
    g_autoptr(UnitCall) call = unit_call_new(bus, spec->unit, data);
    Transient *t = g_new0(Transient, 1);
    char *path = NULL;
    int r;

    *t = (Transient){ .output = g_strdup(spec->output), .fresh = spec->fresh, .done = done };
    call->transient = t;
    call->clear = transient_clear;
    r = sd_bus_path_encode(PID1_PATH "/unit", spec->unit, &path);
    if (r >= 0)
        r = unit_match(call, path, "org.freedesktop.DBus.Properties", "PropertiesChanged",
                       on_changed);
    if (r >= 0)
        r = build(bus, spec, FALSE, &t->message);
    if (r >= 0) /* so that start() can copy it any number of times */
        r = sd_bus_message_seal(t->message, 1, PID1_TIMEOUT_USEC);
    if (r >= 0)
        r = start(call);
    free(path);
    if (r < 0) {
        g_message("Cannot ask systemd to run %s: %s", spec->unit, g_strerror(-r));
        return NULL;
    }
    return g_steal_pointer(&call);
}

gboolean transient_start(sd_bus *bus, const TransientSpec *spec)
{
    sd_bus_message *message = NULL;
    int r = build(bus, spec, TRUE, &message);

    /* An answer would tell nothing that the descriptor does not: it is closed where nobody has it.
     */
    if (r >= 0)
        r = sd_bus_send(bus, message, NULL);
    sd_bus_message_unref(message);
    return r >= 0;
}

void transient_forget(sd_bus *bus, const char *unit)
{
    /* An ended unit is either kept active by RemainAfterExit or kept failed: the one needs the
     * first call, the other the second. That the other call is refused tells nothing. */
    sd_bus_call_method_async(bus, NULL, PID1_NAME, PID1_PATH, PID1_INTERFACE, "StopUnit", NULL,
                             NULL, "ss", unit, "replace");
    sd_bus_call_method_async(bus, NULL, PID1_NAME, PID1_PATH, PID1_INTERFACE, "ResetFailedUnit",
                             NULL, NULL, "s", unit);
}

static int on_heard(sd_bus_message *m, void *data, sd_bus_error *ret_error)
{
    UnitCall *call = data;
    g_autoptr(GError) error = NULL;

    if (unit_answer_failed(m, "forget", call->unit, &error))
        call->job_done(NULL, error, call->data);
    else
        call->job_done("done", NULL, call->data);
    return 0;
}

static gboolean forget_listed(sd_bus_message *m)
{
    const char *unit;

    if (sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "(ssssssouso)") < 0)
        return FALSE;
    while (sd_bus_message_enter_container(m, SD_BUS_TYPE_STRUCT, "ssssssouso") > 0) {
        if (sd_bus_message_read(m, "s", &unit) < 0 || sd_bus_message_skip(m, "sssssouso") < 0 ||
            sd_bus_message_exit_container(m) < 0)
            return FALSE;
        transient_forget(sd_bus_message_get_bus(m), unit);
    }
    return TRUE;
}

static int on_list(sd_bus_message *m, void *data, sd_bus_error *ret_error)
{
    if (!sd_bus_message_get_error(m))
        forget_listed(m);
    return 0;
}

void transient_forget_all(sd_bus *bus, const char *pattern)
{
    sd_bus_call_method_async(bus, NULL, PID1_NAME, PID1_PATH, PID1_INTERFACE, "ListUnitsByPatterns",
                             on_list, NULL, "asas", 0, 1, pattern);
}

/* Words are heard in order: the answer to this one tells that the others were heard. */
static int ask_whether_heard(UnitCall *call)
{
    sd_bus_message *ping = NULL;
    int r = sd_bus_message_new_method_call(call->bus, &ping, PID1_NAME, PID1_PATH,
                                           "org.freedesktop.DBus.Peer", "Ping");

    if (r >= 0)
        r = unit_send(call, ping, on_heard);
    sd_bus_message_unref(ping);
    return r;
}

static int on_list_surely(sd_bus_message *m, void *data, sd_bus_error *ret_error)
{
    UnitCall *call = data;

    if (sd_bus_message_get_error(m))
        return on_heard(m, data, ret_error);
    if (!forget_listed(m) || ask_whether_heard(call) < 0) {
        g_autoptr(GError) error = g_error_new(
            TU_ERROR, TU_ERROR_FAILED, "systemd's list of %s cannot be understood", call->unit);

        call->job_done(NULL, error, call->data);
    }
    return 0;
}

UnitCall *transient_forget_surely(sd_bus *bus, const char *pattern, UnitJobDone done, gpointer data)
{
    g_autoptr(UnitCall) call = unit_call_new(bus, pattern, data);
    sd_bus_message *m = NULL;
    int r;

    call->job_done = done;
    r = sd_bus_message_new_method_call(bus, &m, PID1_NAME, PID1_PATH, PID1_INTERFACE,
                                       "ListUnitsByPatterns");
    if (r >= 0)
        r = sd_bus_message_append(m, "asas", 0, 1, pattern);
    if (r >= 0)
        r = unit_send(call, m, on_list_surely);
    sd_bus_message_unref(m);
    return r < 0 ? NULL : g_steal_pointer(&call);
}
