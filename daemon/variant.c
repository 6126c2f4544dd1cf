#include "daemon/variant.h"
#include "common/error.h"

#include <errno.h>

#define TEXT_LIMIT  4096 /* bytes; the longest honest one is a file name */
#define VALUE_LIMIT 1024 /* values in one message */

static int append_children(sd_bus_message *message, GVariant *value, char container,
                           const char *contents)
{
    int r = sd_bus_message_open_container(message, container, contents);

    for (gsize i = 0; r >= 0 && i < g_variant_n_children(value); i++) {
        g_autoptr(GVariant) child = g_variant_get_child_value(value, i);

        r = variant_append(message, child);
    }
    return r < 0 ? r : sd_bus_message_close_container(message);
}

/* Integers of all widths at once: D-Bus and GVariant have the same sizes but for booleans. */
static int append_basic(sd_bus_message *message, GVariant *value, char type)
{
    if (type == 'b') {
        int truth = g_variant_get_boolean(value);

        return sd_bus_message_append_basic(message, type, &truth);
    }
    if (strchr("sog", type))
        return sd_bus_message_append_basic(message, type, g_variant_get_string(value, NULL));
    return sd_bus_message_append_basic(message, type, g_variant_get_data(value));
}

int variant_append(sd_bus_message *message, GVariant *value)
{
    const char *type = g_variant_get_type_string(value);

    if (strchr("ybnqiuxtdsog", type[0]))
        return append_basic(message, value, type[0]);
    if (type[0] == 'a')
        return append_children(message, value, 'a', type + 1);
    if (type[0] == 'v') {
        g_autoptr(GVariant) inner = g_variant_get_variant(value);

        return append_children(message, value, 'v', g_variant_get_type_string(inner));
    }
    if (type[0] == '(' || type[0] == '{') {
        g_autofree char *contents = g_strndup(type + 1, strlen(type) - 2);

        return append_children(message, value, type[0] == '(' ? 'r' : 'e', contents);
    }
    return -EINVAL;
}

int variant_append_tuple(sd_bus_message *message, GVariant *tuple)
{
    for (gsize i = 0; i < g_variant_n_children(tuple); i++) {
        g_autoptr(GVariant) child = g_variant_get_child_value(tuple, i);
        int r = variant_append(message, child);

        if (r < 0)
            return r;
    }
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

static GVariant *too_much(GError **error, const char *what)
{
    g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION, "The call carries %s", what);
    return NULL;
}

static GVariant *unreadable(GError **error, int r)
{
    g_set_error(error, TU_ERROR, TU_ERROR_FAILED, "The call cannot be read: %s", g_strerror(-r));
    return NULL;
}

static GVariant *read_text(sd_bus_message *message, char type, GError **error)
{
    const char *text = NULL;
    int r = sd_bus_message_read_basic(message, type, &text);

    if (r < 0)
        return unreadable(error, r);
    if (strlen(text) > TEXT_LIMIT)
        return too_much(error, "a text of more than 4096 bytes, which nothing here can be");
    return type == 's'   ? g_variant_new_string(text)
           : type == 'o' ? g_variant_new_object_path(text)
                         : g_variant_new_signature(text);
}

static GVariant *read_number(sd_bus_message *message, char type, GError **error)
{
    union {
        guint8 y;
        int b; /* sd-bus's boolean */
        gint16 n;
        guint16 q;
        gint32 i;
        guint32 u;
        gint64 x;
        guint64 t;
        double d;
    } value = { 0 };
    int r = sd_bus_message_read_basic(message, type, &value);

    if (r < 0)
        return unreadable(error, r);
    switch (type) {
    case 'y':
        return g_variant_new_byte(value.y);
    case 'b':
        return g_variant_new_boolean(value.b);
    case 'n':
        return g_variant_new_int16(value.n);
    case 'q':
        return g_variant_new_uint16(value.q);
    case 'i':
        return g_variant_new_int32(value.i);
    case 'u':
        return g_variant_new_uint32(value.u);
    case 'x':
        return g_variant_new_int64(value.x);
    case 't':
        return g_variant_new_uint64(value.t);
    case 'd':
        return g_variant_new_double(value.d);
    }
    return unreadable(error, -EINVAL);
}

static GVariant *read_value(sd_bus_message *message, guint *budget, GError **error);

/* The type of a container as GVariant writes it. */
static char *container_type(char type, const char *contents)
{
    return type == 'a'   ? g_strconcat("a", contents, NULL)
           : type == 'v' ? g_strdup("v")
           : type == 'r' ? g_strconcat("(", contents, ")", NULL)
                         : g_strconcat("{", contents, "}", NULL);
}

static GVariant *read_container(sd_bus_message *message, char type, const char *contents,
                                guint *budget, GError **error)
{
    g_autofree char *string = container_type(type, contents);
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE(string));
    int r = sd_bus_message_enter_container(message, type, contents);

    while (r >= 0 && (r = sd_bus_message_at_end(message, 0)) == 0) {
        GVariant *value = read_value(message, budget, error);

        if (!value)
            return NULL;
        g_variant_builder_add_value(&builder, value);
    }
    if (r >= 0)
        r = sd_bus_message_exit_container(message);
    return r < 0 ? unreadable(error, r) : g_variant_builder_end(&builder);
}

/* Nesting needs no bound of its own: D-Bus itself allows 64 levels. */
static GVariant *read_value(sd_bus_message *message, guint *budget, GError **error)
{
    g_autofree char *contents = NULL;
    const char *peeked;
    char type;
    int r = sd_bus_message_peek_type(message, &type, &peeked);

    if (r < 0)
        return unreadable(error, r);
    if ((*budget)-- == 0)
        return too_much(error, "more than 1024 values, which no call here needs");
    contents = g_strdup(peeked);
    if (strchr("sog", type))
        return read_text(message, type, error);
    if (type == 'h')
        return too_much(error, "a file descriptor, which no option is");
    if (contents)
        return read_container(message, type, contents, budget, error);
    return read_number(message, type, error);
}

GVariant *variant_read_body(sd_bus_message *message, GError **error)
{
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_TUPLE);
    guint budget = VALUE_LIMIT;
    int r;

    while ((r = sd_bus_message_at_end(message, 0)) == 0) {
        GVariant *value = read_value(message, &budget, error);

        if (!value)
            return NULL;
        g_variant_builder_add_value(&builder, value);
    }
    if (r < 0)
        return unreadable(error, r);
    return g_variant_ref_sink(g_variant_builder_end(&builder));
}
