#include "ctl/request.h"
#include "ctl/bus.h"
#include "ctl/object.h"
#include "common/names.h"

/* The options' values are words and numbers, nothing nested. */
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
    default:
        g_return_val_if_reached(-EINVAL);
    }
}

static int append_options(sd_bus_message *call, GVariant *options)
{
    GVariantIter iter;
    const char *key;
    GVariant *value;
    int r = sd_bus_message_open_container(call, 'a', "{sv}");

    g_variant_iter_init(&iter, options);
    while (r >= 0 && g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
        r = sd_bus_message_open_container(call, 'e', "sv");
        if (r >= 0)
            r = sd_bus_message_append(call, "s", key);
        if (r >= 0)
            r = append_value(call, value);
        if (r >= 0)
            r = sd_bus_message_close_container(call);
        g_variant_unref(value);
    }
    return r < 0 ? r : sd_bus_message_close_container(call);
}

sd_bus_message *request_new(Session *session, const char *method, const char *server,
                            const char *target, GError **error)
{
    g_autofree char *path = server_path(session, server, error);
    g_autoptr(sd_bus_message) call = NULL;
    int r;

    if (!path)
        return NULL;
    call = bus_message(session, path, TU_SERVER_INTERFACE, method, error);
    if (!call)
        return NULL;
    r = sd_bus_message_append(call, "s", target);
    if (r >= 0)
        r = append_options(call, session->options->job);
    if (r < 0) {
        bus_fail(error, r, "Cannot write a call to the service");
        return NULL;
    }
    return g_steal_pointer(&call);
}
