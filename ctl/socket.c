#include "ctl/socket.h"
#include "ctl/bus.h"
#include "ctl/object-json.h"
#include "ctl/table.h"
#include "ctl/words.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"

typedef struct {
    char *unit;
    char *service;
    char *state;
    guint64 since, deadline; /* µs since the epoch */
    guint32 waiting, limit;
} Held;

static void held_free(gpointer data)
{
    Held *held = data;

    g_free(held->unit);
    g_free(held->service);
    g_free(held->state);
    g_free(held);
}

gboolean socket_is(const char *word)
{
    return g_str_has_suffix(word, ".socket");
}

/* The service's answer; NULL without an error from one of 0.1.0, which holds none. */
static sd_bus_message *ask(Session *session, GError **error)
{
    g_autoptr(sd_bus_message) call =
        bus_message(session, TU_ROOT_PATH, TU_MANAGER_INTERFACE, "ListHeldSockets", error);
    sd_bus_error problem = SD_BUS_ERROR_NULL;
    sd_bus_message *answer = NULL;

    if (call && sd_bus_call(session->bus, call, CALL_READ_USEC, &problem, &answer) < 0 &&
        !sd_bus_error_has_name(&problem, SD_BUS_ERROR_UNKNOWN_METHOD))
        bus_take_error(&problem, error);
    sd_bus_error_free(&problem);
    return answer;
}

static GPtrArray *load(Session *session, GError **error)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(held_free);
    g_autoptr(GError) problem = NULL;
    g_autoptr(sd_bus_message) answer = ask(session, &problem);
    Held row;
    int r;

    if (problem) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    if (!answer)
        return g_steal_pointer(&list);
    r = sd_bus_message_enter_container(answer, 'a', "(sssttuu)");
    while (r >= 0 &&
           (r = sd_bus_message_read(answer, "(sssttuu)", &row.unit, &row.service, &row.state,
                                    &row.since, &row.deadline, &row.waiting, &row.limit)) > 0) {
        Held *held = g_memdup2(&row, sizeof row);

        held->unit = g_strdup(row.unit);
        held->service = g_strdup(row.service);
        held->state = g_strdup(row.state);
        g_ptr_array_add(list, held);
    }
    if (r < 0) {
        bus_fail(error, r, "Cannot read the service's answer");
        return NULL;
    }
    return g_steal_pointer(&list);
}

static void add_json(Json *json, const char *key, const Held *held)
{
    json_object_begin(json, key);
    json_string(json, "unit", held->unit);
    json_string(json, "service", held->service);
    json_string(json, "state", held->state);
    json_uint(json, "waiting", held->waiting);
    json_uint(json, "room", held->limit);
    json_usec(json, "hold_since", held->since);
    json_usec(json, "hold_deadline", held->deadline);
    json_end(json);
}

static char *left_text(const Held *held)
{
    gint64 left = (gint64)held->deadline - g_get_real_time();

    return text_timespan(MAX(left, 0));
}

gboolean socket_table(Session *session, GError **error)
{
    g_autoptr(GPtrArray) list = load(session, error);
    g_autoptr(Table) table = table_new("SOCKET", "STATE", "SERVICE", ">WAITING", ">LEFT", NULL);

    for (guint i = 0; list && i < list->len; i++) {
        const Held *held = list->pdata[i];
        g_autofree char *left = left_text(held);

        table_add(table, held->unit);
        table_add_styled(table, word_style(held->state), held->state);
        table_add(table, held->service);
        table_add_uint(table, held->waiting);
        table_add(table, left);
    }
    if (list && list->len > 0) {
        putchar('\n');
        table_print(table, stdout);
    }
    return list != NULL;
}

gboolean socket_json(Session *session, Json *json, GError **error)
{
    g_autoptr(GPtrArray) list = load(session, error);

    if (!list)
        return FALSE;
    json_array_begin(json, "sockets");
    for (guint i = 0; i < list->len; i++)
        add_json(json, NULL, list->pdata[i]);
    json_end(json);
    return TRUE;
}

/* The row of a unit; NULL without an error where it is not held. */
static const Held *find(const GPtrArray *list, const char *unit)
{
    for (guint i = 0; list && i < list->len; i++)
        if (g_str_equal(((const Held *)list->pdata[i])->unit, unit))
            return list->pdata[i];
    return NULL;
}

int socket_status(Session *session, const char *unit, GError **error)
{
    g_autoptr(GPtrArray) list = load(session, error);
    const Held *held = find(list, unit);
    g_autofree char *left = held ? left_text(held) : NULL;

    if (!list)
        return 1;
    if (session->options->output != OUTPUT_TEXT) {
        g_autoptr(Json) json = json_begin(session->options);

        if (held)
            add_json(json, "socket", held);
        else
            json_null(json, "socket");
        json_finish(json);
        return 0;
    }
    if (!held) {
        printf("%s is not on hold.\n", unit);
        return 0;
    }
    printf("%s: %s with %s, %u waiting%s", held->unit, held->state, held->service, held->waiting,
           held->limit > 0 ? "" : " at least");
    if (held->limit > 0)
        printf(" (room for %u)", held->limit);
    printf(", %s left\n", left);
    if (!session->options->quiet)
        printf("\nServe the clients again: ttctl resume %s\n", unit);
    return 0;
}

static int done(Session *session, const char *unit, GError **error)
{
    return session->options->output != OUTPUT_TEXT ? socket_status(session, unit, error) : 0;
}

int socket_hold(Session *session, const char *unit, guint64 limit_usec, GError **error)
{
    g_autoptr(sd_bus_message) answer =
        bus_call(session, TU_ROOT_PATH, TU_MANAGER_INTERFACE, "HoldSocket", CALL_CHANGE_USEC, error,
                 "sta{sv}", unit, limit_usec, 0);
    g_autofree char *span = text_timespan(limit_usec);

    if (!answer)
        return 1;
    if (session->options->output == OUTPUT_TEXT && !session->options->quiet)
        printf("%s is on hold for at most %s: its service is stopped, and new connects wait.\n"
               "Start it again with: ttctl resume %s\n",
               unit, span, unit);
    return done(session, unit, error);
}

int socket_resume(Session *session, const char *unit, GError **error)
{
    g_autoptr(sd_bus_message) answer =
        bus_call(session, TU_ROOT_PATH, TU_MANAGER_INTERFACE, "ResumeSocket", CALL_CHANGE_USEC,
                 error, "sa{sv}", unit, 0);

    if (!answer)
        return 1;
    if (session->options->output == OUTPUT_TEXT && !session->options->quiet)
        printf("%s is no longer on hold: systemd starts its service for who waits.\n", unit);
    return done(session, unit, error);
}
