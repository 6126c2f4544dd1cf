#include "daemon/call.h"
#include "daemon/bouncer.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/variant.h"
#include "common/error.h"

#include <errno.h>

/* More pending calls than any honest client has; each costs memory and perhaps a transient unit. No
 * user can use up what is there for all. */
#define CALLS_LIMIT        1024
#define CALLS_USER_LIMIT   256
#define CALLS_SENDER_LIMIT 32

void call_set(char **detail, const char *value)
{
    g_free(*detail);
    *detail = g_strdup(value);
}

static void clear_details(Call *call)
{
    call_set(&call->server, NULL);
    call_set(&call->from, NULL);
    call_set(&call->to, NULL);
    call_set(&call->method, NULL);
    call_set(&call->unit, NULL);
    call->kind = NULL;
    g_clear_pointer(&call->options, g_variant_unref);
}

void call_drop(Call *call)
{
    g_ptr_array_remove_fast(call->object->daemon->calls, call);
    g_clear_pointer(&call->check, bouncer_check_free);
    clear_details(call);
    g_free(call->granted);
    g_clear_pointer(&call->arguments, g_variant_unref);
    sd_bus_message_unref(call->message);
    object_unref(call->object);
    g_free(call);
}

void call_reply(Call *call, GVariant *tuple)
{
    g_autoptr(GVariant) kept = tuple ? g_variant_ref_sink(tuple) : NULL;
    sd_bus_message *reply = NULL;
    int r = sd_bus_message_new_method_return(call->message, &reply);

    if (r >= 0 && kept)
        r = variant_append_tuple(reply, kept);
    if (r >= 0)
        r = sd_bus_send(NULL, reply, NULL);
    if (r < 0)
        log_line(LOG_WARNING, &(LogFields){ 0 }, "Cannot answer a call of %s: %s, ignoring",
                 call->row->name, g_strerror(-r));
    sd_bus_message_unref(reply);
    call_drop(call);
}

void call_fail(Call *call, const GError *error)
{
    g_autofree char *message = g_utf8_make_valid(error->message, -1);
    int r = sd_bus_reply_method_errorf(call->message, tu_error_bus_name(error), "%s", message);

    if (r < 0)
        log_line(LOG_WARNING, &(LogFields){ 0 }, "Cannot answer a call of %s: %s, ignoring",
                 call->row->name, g_strerror(-r));
    call_drop(call);
}

void call_fail_with(Call *call, int code, const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    va_list args;

    va_start(args, format);
    error = g_error_new_valist(TU_ERROR, code, format, args);
    va_end(args);
    call_fail(call, error);
}

static sd_bus_creds *query(const Call *call)
{
    sd_bus_creds *creds = NULL;

    /* Augmented by what /proc tells: good enough for a record, never for a decision. */
    sd_bus_query_sender_creds(call->message,
                              SD_BUS_CREDS_EUID | SD_BUS_CREDS_PID | SD_BUS_CREDS_OWNER_UID |
                                  SD_BUS_CREDS_UNIT | SD_BUS_CREDS_AUGMENT,
                              &creds);
    return creds;
}

guint32 call_person(const Call *call)
{
    sd_bus_creds *creds = query(call);
    uid_t uid = (uid_t)-1;

    if (creds && sd_bus_creds_get_owner_uid(creds, &uid) < 0)
        sd_bus_creds_get_euid(creds, &uid);
    sd_bus_creds_unref(creds);
    return uid;
}

guint32 call_process(const Call *call, char **ret_unit)
{
    sd_bus_creds *creds = query(call);
    const char *unit = NULL;
    pid_t pid = 0;

    if (creds) {
        sd_bus_creds_get_pid(creds, &pid);
        sd_bus_creds_get_unit(creds, &unit);
    }
    *ret_unit = g_strdup(unit ? unit : "");
    sd_bus_creds_unref(creds);
    return pid;
}

guint call_count_pending(const Daemon *daemon)
{
    return daemon->calls->len;
}

/* --- the way of a call ------------------------------------------------------------------------ */

static char *details_text(const Call *call)
{
    return g_strdup_printf("%s\n%s\n%s\n%s\n%s", call->server ? call->server : "",
                           call->from ? call->from : "", call->to ? call->to : "",
                           call->method ? call->method : "", call->unit ? call->unit : "");
}

static gboolean prepare(Call *call, GError **error)
{
    clear_details(call);
    if (call->object->gone) {
        g_set_error(error, TU_ERROR, TU_ERROR_FAILED, "%s is no longer there", call->object->path);
        return FALSE;
    }
    return !call->row->prepare || call->row->prepare(call, error);
}

static void go_on(Call *call);

static void on_answer(const GError *refusal, gpointer data)
{
    Call *call = data;

    g_clear_pointer(&call->check, bouncer_check_free);
    if (refusal)
        call_fail(call, refusal);
    else
        go_on(call);
}

static void on_caller_gone(gpointer data)
{
    call_drop(data);
}

static void go_on(Call *call)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *details = NULL;

    if (!prepare(call, &error)) {
        call_fail(call, error);
        return;
    }
    details = details_text(call);
    if (g_str_equal(call->row->action, FREE_FOR_ALL) || call->user == 0 ||
        g_strcmp0(call->granted, details) == 0) {
        call->row->act(call);
        return;
    }
    /* Also when polkit was asked before, but for other details than the call has by now. */
    g_free(call->granted);
    call->granted = g_steal_pointer(&details);
    call->check = bouncer_ask(call, on_answer, on_caller_gone, &error);
    if (!call->check)
        call_fail(call, error);
}

static gboolean has_room(const Call *call, GError **error)
{
    const GPtrArray *calls = call->object->daemon->calls;
    guint sender = 0, user = 0;

    if (g_str_equal(call->row->action, FREE_FOR_ALL)) /* answered at once */
        return TRUE;
    for (guint i = 0; i < calls->len; i++) {
        const Call *other = calls->pdata[i];

        sender += g_strcmp0(other->sender, call->sender) == 0;
        user += other->user == call->user;
    }
    if (sender < CALLS_SENDER_LIMIT &&
        (call->user == 0 || (user < CALLS_USER_LIMIT && calls->len < CALLS_LIMIT)))
        return TRUE;
    g_set_error(error, TU_ERROR, TU_ERROR_BUSY,
                "%u calls are waiting for their answer, %u of them your user's, %u by this "
                "connection. Wait for some of them",
                calls->len, user, sender);
    return FALSE;
}

int call_dispatch(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    Object *object = data;
    const MethodRow *row =
        object_find_method(object->interface, sd_bus_message_get_member(message));
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) arguments = NULL;
    Call *call;

    if (!row)
        return -ENOENT;
    arguments = variant_read_body(message, &error);
    if (!arguments)
        return sd_bus_reply_method_errorf(message, tu_error_bus_name(error), "%s", error->message);

    call = g_new0(Call, 1);
    *call = (Call){ .object = object_ref(object),
                    .row = row,
                    .message = sd_bus_message_ref(message),
                    .arguments = g_steal_pointer(&arguments),
                    .sender = sd_bus_message_get_sender(message),
                    .user = bouncer_user(message) };
    if (has_room(call, &error)) {
        g_ptr_array_add(object->daemon->calls, call);
        go_on(call);
    } else {
        call_fail(call, error);
    }
    return 1;
}
