#include "ctl/request.h"
#include "ctl/bus.h"
#include "ctl/object.h"
#include "common/names.h"

static int append_words(sd_bus_message *call, GVariant *value)
{
    g_autofree const char **words = g_variant_get_strv(value, NULL);
    int r = sd_bus_message_open_container(call, 'v', "as");

    if (r >= 0)
        r = sd_bus_message_append_strv(call, (char **)words);
    return r < 0 ? r : sd_bus_message_close_container(call);
}

/* The options' values are words, numbers and lists of words, nothing else. */
static int append_value(sd_bus_message *call, GVariant *value)
{
    const char *type = g_variant_get_type_string(value);

    switch (type[0]) {
    case 's':
        return sd_bus_message_append(call, "v", type, g_variant_get_string(value, NULL));
    case 't':
        return sd_bus_message_append(call, "v", type, g_variant_get_uint64(value));
    case 'u':
        return sd_bus_message_append(call, "v", type, g_variant_get_uint32(value));
    case 'b':
        return sd_bus_message_append(call, "v", type, (int)g_variant_get_boolean(value));
    case 'a':
        return append_words(call, value);
    default:
        g_return_val_if_reached(-EINVAL);
    }
}

static int append_option(sd_bus_message *call, const char *key, GVariant *value)
{
    int r = sd_bus_message_open_container(call, 'e', "sv");

    if (r >= 0)
        r = sd_bus_message_append(call, "s", key);
    if (r >= 0)
        r = append_value(call, value);
    return r < 0 ? r : sd_bus_message_close_container(call);
}

int request_append_words(sd_bus_message *call, const char *key, char **words)
{
    g_autoptr(GVariant) value = g_variant_ref_sink(g_variant_new_strv((const char *const *)words, -1));

    return append_option(call, key, value);
}

/* KIND: NULL where the method says it. */
static int append_options(sd_bus_message *call, GVariant *options, const char *kind)
{
    GVariantIter iter;
    const char *key;
    GVariant *value;
    int r = sd_bus_message_open_container(call, 'a', "{sv}");

    g_variant_iter_init(&iter, options);
    while (r >= 0 && g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
        r = append_option(call, key, value);
        g_variant_unref(value);
    }
    if (r >= 0 && kind)
        r = sd_bus_message_append(call, "{sv}", "kind", "s", kind);
    return r < 0 ? r : sd_bus_message_close_container(call);
}

static sd_bus_message *request_new(Session *session, const Change *change, const char *method,
                                   const char *target, const char *kind, GError **error)
{
    const gboolean adopts = change->kind == &change_adopt; /* there is no such server yet */
    g_autofree char *path =
        adopts ? g_strdup(TU_ROOT_PATH) : server_path(session, change->server, error);
    g_autoptr(sd_bus_message) call = NULL;
    int r = 0;

    if (!path)
        return NULL;
    call = bus_message(session, path, adopts ? TU_MANAGER_INTERFACE : TU_SERVER_INTERFACE, method,
                       error);
    if (!call)
        return NULL;
    if (adopts)
        r = sd_bus_message_append(call, "s", change->server);
    if (r >= 0 && target)
        r = sd_bus_message_append(call, "s", target);
    if (r >= 0)
        r = append_options(call, session->options->job, kind);
    if (r < 0) {
        bus_fail(error, r, "Cannot write a call to the service");
        return NULL;
    }
    return g_steal_pointer(&call);
}

sd_bus_message *request_change(Session *session, const Change *change, GError **error)
{
    return request_new(session, change, change->kind->method, change->target, NULL, error);
}

sd_bus_message *request_question(Session *session, const Change *change, const char *method,
                                 GError **error)
{
    const gboolean adopts = change->kind == &change_adopt;
    gboolean said = adopts || /* by the name of the method */
                    change->kind == &change_upgrade; /* services before 0.2.0 know no other */
    g_autofree char *name = g_strconcat(method, adopts ? "Adopt" : "", NULL);

    return request_new(session, change, name, change->target ? change->target : "",
                       said ? NULL : change->kind->word, error);
}
