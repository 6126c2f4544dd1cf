#include "systemd/call.h"
#include "common/error.h"

#include <errno.h>

/* What sd-bus itself tells. */
#define LOCAL_NAME "org.freedesktop.DBus.Local"
#define LOCAL_PATH "/org/freedesktop/DBus/Local"

UnitCall *unit_call_new(sd_bus *bus, const char *unit, gpointer data)
{
    UnitCall *call = g_new0(UnitCall, 1);

    call->bus = sd_bus_ref(bus);
    call->unit = g_strdup(unit);
    call->data = data;
    return call;
}

void unit_call_free(UnitCall *call)
{
    if (!call)
        return;
    sd_bus_slot_unref(call->reply);
    sd_bus_slot_unref(call->match);
    sd_bus_slot_unref(call->lost);
    sd_event_source_disable_unref(call->timer);
    if (call->clear)
        call->clear(call->transient);
    g_free(call->unit);
    g_free(call->job);
    sd_bus_unref(call->bus);
    g_free(call);
}

int unit_match(UnitCall *call, const char *path, const char *interface, const char *member,
               sd_bus_message_handler_t handler)
{
    return sd_bus_match_signal_async(call->bus, &call->match,
                                     sd_bus_is_bus_client(call->bus) ? PID1_NAME : NULL, path,
                                     interface, member, handler, NULL, call);
}

int unit_send(UnitCall *call, sd_bus_message *message, sd_bus_message_handler_t handler)
{
    call->reply = sd_bus_slot_unref(call->reply);
    return sd_bus_call_async(call->bus, &call->reply, message, handler, call, PID1_TIMEOUT_USEC);
}

gboolean unit_answer_failed(sd_bus_message *message, const char *what, const char *unit,
                            GError **error)
{
    const sd_bus_error *e = sd_bus_message_get_error(message);

    if (!e)
        return FALSE;
    g_set_error(error, TU_ERROR, TU_ERROR_FAILED, "systemd refused to %s %s: %s", what, unit,
                e->message ? e->message : e->name);
    return TRUE;
}

int unit_subscribe(sd_bus *bus)
{
    /* The answer tells nothing that we could act upon: AlreadySubscribed is as good as a yes. */
    return sd_bus_call_method_async(bus, NULL, PID1_NAME, PID1_PATH, PID1_INTERFACE, "Subscribe",
                                    NULL, NULL, NULL);
}

static void job_finished(UnitCall *call, const char *result, const GError *error)
{
    UnitJobDone done = call->job_done;

    call->reply = sd_bus_slot_unref(call->reply);
    call->match = sd_bus_slot_unref(call->match);
    call->lost = sd_bus_slot_unref(call->lost);
    call->job_done = NULL;
    if (done)
        done(result, error, call->data);
}

static int on_job_removed(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    UnitCall *call = data;
    const char *path, *unit, *result;
    guint32 id;

    if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
        return 0;
    if (g_strcmp0(path, call->job) == 0)
        job_finished(call, result, NULL);
    return 0;
}

/* PID 1 closes its own socket when it re-executes itself, and then tells the end of no job. */
static int on_lost(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    UnitCall *call = data;
    g_autoptr(GError) error =
        g_error_new(TU_ERROR, TU_ERROR_FAILED,
                    "The connection to systemd was lost while it worked on %s", call->unit);

    job_finished(call, NULL, error);
    return 0;
}

static int on_job_queued(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    UnitCall *call = data;
    g_autoptr(GError) error = NULL;
    const char *path = NULL;

    if (unit_answer_failed(message, "work on", call->unit, &error)) {
        job_finished(call, NULL, error);
        return 0;
    }
    if (sd_bus_message_read(message, "o", &path) >= 0)
        call->job = g_strdup(path);
    return 0;
}

static const char *const verb_methods[N_UNIT_VERBS] = {
    [UNIT_START] = "StartUnit",
    [UNIT_STOP] = "StopUnit",
    [UNIT_RESTART] = "RestartUnit",
};

UnitCall *unit_verb(sd_bus *bus, UnitVerb verb, const char *unit, UnitJobDone done, gpointer data)
{
    g_autoptr(UnitCall) call = unit_call_new(bus, unit, data);
    sd_bus_message *message = NULL;
    int r;

    call->job_done = done;
    /* The match stands before the job does, so its end cannot be missed. */
    r = unit_match(call, PID1_PATH, PID1_INTERFACE, "JobRemoved", on_job_removed);
    if (r >= 0)
        r = sd_bus_match_signal(bus, &call->lost, LOCAL_NAME, LOCAL_PATH, LOCAL_NAME,
                                "Disconnected", on_lost, call);
    if (r >= 0)
        r = sd_bus_message_new_method_call(bus, &message, PID1_NAME, PID1_PATH, PID1_INTERFACE,
                                           verb_methods[verb]);
    if (r >= 0)
        r = sd_bus_message_append(message, "ss", unit, "replace");
    if (r >= 0)
        r = unit_send(call, message, on_job_queued);
    sd_bus_message_unref(message);
    return r < 0 ? NULL : g_steal_pointer(&call);
}

static int on_reloaded(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    UnitCall *call = data;
    g_autoptr(GError) error = NULL;

    if (unit_answer_failed(message, "reload", "its configuration", &error))
        job_finished(call, NULL, error);
    else
        job_finished(call, "done", NULL);
    return 0;
}

UnitCall *unit_reload_all(sd_bus *bus, UnitJobDone done, gpointer data)
{
    g_autoptr(UnitCall) call = unit_call_new(bus, "", data);
    sd_bus_message *message = NULL;
    int r;

    call->job_done = done;
    r = sd_bus_message_new_method_call(bus, &message, PID1_NAME, PID1_PATH, PID1_INTERFACE,
                                       "Reload");
    if (r >= 0)
        r = unit_send(call, message, on_reloaded);
    sd_bus_message_unref(message);
    return r < 0 ? NULL : g_steal_pointer(&call);
}

static int on_enabled(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    UnitCall *call = data;
    g_autoptr(GError) error = NULL;

    if (unit_answer_failed(message, "change the boot of", call->unit, &error))
        job_finished(call, NULL, error);
    else
        job_finished(call, "done", NULL);
    return 0;
}

UnitCall *unit_enable(sd_bus *bus, const char *unit, gboolean on, UnitJobDone done, gpointer data)
{
    g_autoptr(UnitCall) call = unit_call_new(bus, unit, data);
    sd_bus_message *message = NULL;
    int r;

    call->job_done = done;
    r = sd_bus_message_new_method_call(bus, &message, PID1_NAME, PID1_PATH, PID1_INTERFACE,
                                       on ? "EnableUnitFiles" : "DisableUnitFiles");
    if (r >= 0) /* not only until the next boot; and, to enable, no link of somebody else's */
        r = on ? sd_bus_message_append(message, "asbb", 1, unit, 0, 0)
               : sd_bus_message_append(message, "asb", 1, unit, 0);
    if (r >= 0)
        r = unit_send(call, message, on_enabled);
    sd_bus_message_unref(message);
    return r < 0 ? NULL : g_steal_pointer(&call);
}

/* --- how a unit is ------------------------------------------------------------------------------
 */

typedef enum { FIELD_TEXT, FIELD_INT, FIELD_UINT32, FIELD_UINT64, FIELD_ID, FIELD_JOB } FieldKind;

typedef struct {
    UnitState state;
    guint32 main_pid;
    guint64 main_started, main_ended; /* monotonic µs */
    char *load_state;
} RawState;

static const struct {
    const char *name;
    FieldKind kind;
    gsize offset;
} fields[] = {
    { "ActiveState", FIELD_TEXT, offsetof(RawState, state.active_state) },
    { "SubState", FIELD_TEXT, offsetof(RawState, state.sub_state) },
    { "LoadState", FIELD_TEXT, offsetof(RawState, load_state) },
    { "Result", FIELD_TEXT, offsetof(RawState, state.result) },
    { "ExecMainCode", FIELD_INT, offsetof(RawState, state.exit_code) },
    { "ExecMainStatus", FIELD_INT, offsetof(RawState, state.exit_status) },
    { "ExecMainStartTimestampMonotonic", FIELD_UINT64, offsetof(RawState, main_started) },
    { "ExecMainExitTimestampMonotonic", FIELD_UINT64, offsetof(RawState, main_ended) },
    { "MainPID", FIELD_UINT32, offsetof(RawState, main_pid) },
    { "InvocationID", FIELD_ID, offsetof(RawState, state.invocation_id) },
    { "Job", FIELD_JOB, offsetof(RawState, state.job_queued) },
};

static int read_text(sd_bus_message *m, char **target)
{
    const char *text;
    int r = sd_bus_message_read(m, "v", "s", &text);

    if (r >= 0) {
        g_free(*target);
        *target = g_strdup(text);
    }
    return r;
}

static int read_id(sd_bus_message *m, char **target)
{
    const guint8 *bytes;
    gsize length;
    GString *hex = g_string_new(NULL);
    int r = sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, "ay");

    if (r >= 0)
        r = sd_bus_message_read_array(m, 'y', (const void **)&bytes, &length);
    for (gsize i = 0; r >= 0 && i < length; i++)
        g_string_append_printf(hex, "%02x", bytes[i]);
    if (r >= 0)
        r = sd_bus_message_exit_container(m);
    g_free(*target);
    *target = g_string_free(hex, FALSE);
    return r;
}

static int read_job(sd_bus_message *m, gboolean *target)
{
    guint32 id;
    const char *path;
    int r = sd_bus_message_read(m, "v", "(uo)", &id, &path);

    *target = r >= 0 && id != 0;
    return r;
}

static int read_field(sd_bus_message *m, FieldKind kind, void *target)
{
    switch (kind) {
    case FIELD_TEXT:
        return read_text(m, target);
    case FIELD_INT:
        return sd_bus_message_read(m, "v", "i", target);
    case FIELD_UINT32:
        return sd_bus_message_read(m, "v", "u", target);
    case FIELD_UINT64:
        return sd_bus_message_read(m, "v", "t", target);
    case FIELD_ID:
        return read_id(m, target);
    case FIELD_JOB:
        return read_job(m, target);
    }
    return -EINVAL;
}

static int read_property(sd_bus_message *m, RawState *raw)
{
    const char *name;
    int r = sd_bus_message_read(m, "s", &name);

    if (r < 0)
        return r;
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++)
        if (g_str_equal(fields[i].name, name))
            return read_field(m, fields[i].kind, (char *)raw + fields[i].offset);
    return sd_bus_message_skip(m, "v");
}

int unit_state_from_message(sd_bus_message *m, UnitState *state)
{
    RawState raw = { 0 };
    int r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
        r = read_property(m, &raw);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    *state = raw.state;
    state->main_pid = raw.main_pid;
    state->began_usec = raw.main_started;
    state->loaded = g_strcmp0(raw.load_state, "loaded") == 0;
    state->ran_usec = raw.main_ended > raw.main_started ? raw.main_ended - raw.main_started : 0;
    if (!state->active_state)
        state->active_state = g_strdup("inactive");
    if (!state->sub_state)
        state->sub_state = g_strdup("dead");
    if (!state->result)
        state->result = g_strdup("");
    if (!state->invocation_id)
        state->invocation_id = g_strdup("");
    g_free(raw.load_state);
    return r;
}

static void unit_state_clear(UnitState *state)
{
    g_free(state->active_state);
    g_free(state->sub_state);
    g_free(state->result);
    g_free(state->invocation_id);
}

void unit_state_free(UnitState *state)
{
    if (!state)
        return;
    unit_state_clear(state);
    g_free(state);
}

int unit_ask_state(UnitCall *call, sd_bus_message_handler_t handler)
{
    char *encoded = NULL;
    sd_bus_message *message = NULL;
    int r = sd_bus_path_encode(PID1_PATH "/unit", call->unit, &encoded);

    if (r < 0)
        return r;
    r = sd_bus_message_new_method_call(call->bus, &message, PID1_NAME, encoded,
                                       "org.freedesktop.DBus.Properties", "GetAll");
    /* The empty interface asks for those of Unit and Service in one answer. */
    if (r >= 0)
        r = sd_bus_message_append(message, "s", "");
    if (r >= 0)
        r = unit_send(call, message, handler);
    sd_bus_message_unref(message);
    free(encoded);
    return r;
}

static int on_state(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    UnitCall *call = data;
    UnitStateRead done = call->state_done;
    g_autoptr(GError) error = NULL;
    UnitState state = { 0 };

    call->state_done = NULL;
    if (unit_answer_failed(message, "tell the state of", call->unit, &error)) {
        done(NULL, error, call->data);
        return 0;
    }
    unit_state_from_message(message, &state);
    done(&state, NULL, call->data);
    unit_state_clear(&state);
    return 0;
}

UnitCall *unit_read(sd_bus *bus, const char *unit, UnitStateRead done, gpointer data)
{
    g_autoptr(UnitCall) call = unit_call_new(bus, unit, data);

    call->state_done = done;
    return unit_ask_state(call, on_state) < 0 ? NULL : g_steal_pointer(&call);
}
