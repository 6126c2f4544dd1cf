#include "daemon/socket.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/watch.h"
#include "common/error.h"
#include "common/text.h"
#include "hold/danger.h"
#include "hold/record.h"
#include "systemd/log.h"

#include <string.h>
#include <time.h>

#define LIMIT_MAX_USEC (3600 * USEC_PER_SEC)
/* What a stop takes along is followed no further. */
#define UNITS_LIMIT 64

typedef struct {
    Daemon *daemon;
    Call *call;
    char *socket;
    guint64 limit_usec;
    GQueue units;     /* char *: still to be looked at */
    GHashTable *seen; /* of those that were ever in it */
    char *service;
    char **sockets;    /* all that start the service */
    guint64 deadline;  /* of the request; CLOCK_BOOTTIME */
    UnitCall *reading; /* one unit after the other */
    UnitCall *unit;    /* start or stop of the holder */
    Watch *watch;      /* on its status */
} Pause;

static void pause_free(gpointer data)
{
    Pause *pause = data;

    watch_free(pause->watch);
    unit_call_free(pause->reading);
    unit_call_free(pause->unit);
    g_queue_clear_full(&pause->units, g_free);
    g_hash_table_unref(pause->seen);
    g_strfreev(pause->sockets);
    g_free(pause->service);
    g_free(pause->socket);
    g_free(pause);
}

GPtrArray *socket_pauses_new(void)
{
    return g_ptr_array_new_with_free_func(pause_free);
}

void socket_free_all(Daemon *daemon)
{
    g_ptr_array_unref(daemon->pauses);
}

static Pause *pause_new(Call *call)
{
    Pause *pause = g_new0(Pause, 1);

    pause->daemon = call->object->daemon;
    pause->call = call;
    pause->socket = g_strdup(call->unit);
    pause->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_ptr_array_add(pause->daemon->pauses, pause);
    return pause;
}

/* Nothing of it is there after this. */
static void finish(Pause *pause, const GError *error)
{
    Call *call = pause->call;

    if (error) {
        log_line(LOG_INFO, &(LogFields){ .code = log_code(error) }, "%s of %s failed: %s",
                 call->row->name, pause->socket, error->message);
        call_fail(call, error);
    } else {
        log_line(LOG_NOTICE, &(LogFields){ .limit_usec = pause->limit_usec },
                 "%s of %s, asked by user %u", call->row->name, pause->socket, call_person(call));
        call_reply(call, NULL);
    }
    g_ptr_array_remove_fast(pause->daemon->pauses, pause);
}

static void fail(Pause *pause, TuError code, const char *format, ...) G_GNUC_PRINTF(3, 4);
static void fail(Pause *pause, TuError code, const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    va_list arguments;

    va_start(arguments, format);
    error = g_error_new_valist(TU_ERROR, code, format, arguments);
    va_end(arguments);
    finish(pause, error);
}

static guint64 boottime(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (guint64)now.tv_sec * USEC_PER_SEC + (guint64)now.tv_nsec / 1000;
}

/* --- asking for the hold ---------------------------------------------------------------------- */

static gboolean look_at_status(Pause *pause)
{
    g_autoptr(HoldStatus) status = hold_status_read(pause->service);

    if (!status || !status->held || status->request != pause->deadline)
        return FALSE;
    finish(pause, NULL);
    return TRUE;
}

static void on_status(gpointer data)
{
    look_at_status(data);
}

/* The holder has ended, so the service is not held. */
static void on_holder_ended(const char *result, const GError *error, gpointer data)
{
    Pause *pause = data;
    g_autofree char *unit = hold_unit(pause->service);
    g_autofree char *told = NULL;

    if (error) {
        finish(pause, error);
        return;
    }
    if (g_str_equal(result, "done") && boottime() >= pause->deadline) {
        fail(pause, TU_ERROR_DEADLINE_PASSED,
             "%s did not stop within the limit of the hold, and is started again. Give the hold "
             "more time than the service needs to stop",
             pause->service);
        return;
    }
    told = log_last_line(unit);
    fail(pause, TU_ERROR_FAILED,
         "The hold of %s ended before it began (%s)%s%s. journalctl -u %s "
         "tells more",
         pause->service, result, told ? ": " : "", told ? told : "", unit);
}

static void start_holder(Pause *pause)
{
    g_autofree char *directory = hold_status_directory(pause->service);
    g_autofree char *unit = hold_unit(pause->service);
    HoldRequest request = { .deadline = boottime() + pause->limit_usec, .sockets = pause->sockets };
    g_autoptr(GError) error = NULL;

    pause->deadline = request.deadline;
    if (!hold_request_write(pause->service, &request, &error)) {
        finish(pause, error);
        return;
    }
    pause->watch = watch_new(pause->daemon->event, directory, on_status, pause);
    /* Where it holds already this waits for the same end, and the request is its new deadline. */
    pause->unit = unit_verb(pause->daemon->bus, UNIT_START, unit, on_holder_ended, pause);
    if (!pause->unit)
        fail(pause, TU_ERROR_FAILED, "systemd cannot be asked to start %s", unit);
}

/* --- judging ---------------------------------------------------------------------------------- */

static void look_at_next(Pause *pause);

static void add_unit(Pause *pause, const char *unit)
{
    if (!hold_is_ours(unit) && g_hash_table_add(pause->seen, g_strdup(unit)))
        g_queue_push_tail(&pause->units, g_strdup(unit));
}

static gboolean is_socket(const char *unit)
{
    return g_str_has_suffix(unit, ".socket");
}

static gboolean judge_service(Pause *pause, const UnitFacts *service, GError **error)
{
    g_autoptr(GStrvBuilder) sockets = g_strv_builder_new();

    if (!danger_check_service(service, pause->limit_usec, error))
        return FALSE;
    for (guint i = 0; service->triggered_by[i]; i++)
        if (is_socket(service->triggered_by[i])) {
            g_strv_builder_add(sockets, service->triggered_by[i]);
            if (!danger_check_name(service->triggered_by[i], error))
                return FALSE;
            /* They wait, too, so they must be safe. */
            add_unit(pause, service->triggered_by[i]);
        }
    pause->sockets = g_strv_builder_end(sockets);
    return TRUE;
}

/* A service that was asked about, or a unit that is restarted with it. */
static gboolean judge_taken_along(Pause *pause, const UnitFacts *unit, GError **error)
{
    g_autoptr(GPtrArray) more = danger_taken_along(unit);

    for (guint i = 0; i < more->len; i++) {
        if (!danger_check_taken_along(more->pdata[i], pause->service, error))
            return FALSE;
        add_unit(pause, more->pdata[i]);
    }
    return TRUE;
}

static gboolean judge(Pause *pause, const UnitFacts *unit, GError **error)
{
    const char *service;

    if (!is_socket(unit->name)) {
        if (g_str_equal(unit->name, pause->service) && !judge_service(pause, unit, error))
            return FALSE;
        return judge_taken_along(pause, unit, error);
    }
    /* One that is closed has nobody waiting: only the one that was asked for must be open. */
    if (!g_str_equal(unit->name, pause->socket) && !g_str_equal(unit->active_state, "active"))
        return TRUE;
    if (!danger_check_socket(unit, error))
        return FALSE;
    service = danger_service(unit, error);
    if (!service)
        return FALSE;
    if (!pause->service)
        pause->service = g_strdup(service);
    add_unit(pause, service);
    return TRUE;
}

static gboolean is_being_held(const Pause *pause)
{
    for (guint i = 0; i < pause->daemon->pauses->len; i++) {
        const Pause *other = pause->daemon->pauses->pdata[i];

        if (other != pause && other->unit && g_strcmp0(other->service, pause->service) == 0)
            return TRUE;
    }
    return FALSE;
}

static void on_facts(UnitFacts *facts, const GError *asked, gpointer data)
{
    g_autoptr(UnitFacts) unit = facts;
    g_autoptr(GError) error = NULL;
    Pause *pause = data;

    if (asked)
        finish(pause, asked);
    else if (!judge(pause, unit, &error))
        finish(pause, error);
    else if (g_hash_table_size(pause->seen) > UNITS_LIMIT)
        fail(pause, TU_ERROR_NOT_POSSIBLE,
             "%s cannot be held, because more than %d units are restarted with %s", pause->socket,
             UNITS_LIMIT, pause->service);
    else if (pause->units.length > 0)
        look_at_next(pause);
    else if (is_being_held(pause))
        fail(pause, TU_ERROR_BUSY, "%s is being held or resumed at this moment. Try again",
             pause->service);
    else
        start_holder(pause);
}

static void look_at_next(Pause *pause)
{
    g_autofree char *unit = g_queue_pop_head(&pause->units);

    g_clear_pointer(&pause->reading, unit_call_free);
    pause->reading = unit_read_facts(pause->daemon->bus, unit, on_facts, pause);
    if (!pause->reading)
        fail(pause, TU_ERROR_FAILED, "systemd cannot be asked about %s", unit);
}

/* --- the methods ------------------------------------------------------------------------------ */

gboolean socket_hold_prepare(Call *call, GError **error)
{
    g_autoptr(GVariant) options = NULL;
    const char *unit;
    guint64 limit;

    g_variant_get(call->arguments, "(&st@a{sv})", &unit, &limit, &options);
    if (!options_take(call, options, OPTIONS_NONE, error))
        return FALSE;
    if (limit == 0 || limit > LIMIT_MAX_USEC)
        return tu_error_set(error, TU_ERROR_INVALID_OPTION,
                            "limit_usec is %" G_GUINT64_FORMAT
                            ", but must be 1 µs to 1 hour (3600000000 µs): connects must not wait "
                            "for ever",
                            limit);
    if (!danger_check_name(unit, error))
        return FALSE;
    call_set(&call->unit, unit);
    return TRUE;
}

void socket_hold_act(Call *call)
{
    Pause *pause = pause_new(call);

    g_variant_get_child(call->arguments, 1, "t", &pause->limit_usec);
    add_unit(pause, pause->socket);
    look_at_next(pause);
}

/* The service that is held for a socket, NULL none; g_free(). */
static char *find_held(const char *socket)
{
    g_autoptr(GPtrArray) list = hold_status_list();

    for (guint i = 0; i < list->len; i++) {
        const HoldStatus *status = list->pdata[i];

        if (g_strv_contains((const char *const *)status->sockets, socket))
            return g_strdup(status->service);
    }
    return NULL;
}

gboolean socket_resume_prepare(Call *call, GError **error)
{
    g_autoptr(GVariant) options = NULL;
    g_autofree char *service = NULL;
    const char *unit;

    g_variant_get(call->arguments, "(&s@a{sv})", &unit, &options);
    if (!options_take(call, options, OPTIONS_NONE, error) || !danger_check_name(unit, error))
        return FALSE;
    call_set(&call->unit, unit);
    return TRUE;
}

static void on_resumed(const char *result, const GError *error, gpointer data)
{
    finish(data, error);
}

void socket_resume_act(Call *call)
{
    Pause *pause = pause_new(call);
    g_autofree char *unit = NULL;

    pause->service = find_held(pause->socket);
    if (!pause->service) {
        fail(pause, TU_ERROR_PORT_NOT_HELD, "%s is not on hold", pause->socket);
        return;
    }
    unit = hold_unit(pause->service);
    pause->unit = unit_verb(pause->daemon->bus, UNIT_STOP, unit, on_resumed, pause);
    if (!pause->unit)
        fail(pause, TU_ERROR_FAILED, "systemd cannot be asked to stop %s", unit);
}

void socket_list(Call *call)
{
    g_autoptr(GPtrArray) list = hold_status_list();
    g_auto(GVariantBuilder) rows = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(sssttuu)"));

    for (guint i = 0; i < list->len; i++) {
        const HoldStatus *status = list->pdata[i];

        for (guint j = 0; status->sockets[j]; j++)
            g_variant_builder_add(&rows, "(sssttuu)", status->sockets[j], status->service,
                                  status->held ? "held" : "stopping", status->since,
                                  status->deadline, status->waiting, status->limit);
    }
    call_reply(call, g_variant_new("(a(sssttuu))", &rows));
}
