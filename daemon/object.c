#include "daemon/object.h"
#include "daemon/call.h"
#include "daemon/daemon.h"
#include "daemon/variant.h"
#include "common/error.h"

#include <errno.h>

gpointer object_new(gsize size, Daemon *daemon, const Interface *interface, const char *path,
                    GDestroyNotify clear)
{
    Object *object = g_rc_box_alloc0(size);

    object->daemon = daemon;
    object->interface = interface;
    object->path = g_strdup(path);
    object->clear = clear;
    return object;
}

static void object_clear(gpointer data)
{
    Object *object = data;

    if (object->clear)
        object->clear(object);
    for (guint i = 0; object->published && object->interface->properties[i].name; i++)
        g_variant_unref(object->published[i]);
    g_free(object->published);
    g_free(object->path);
}

gpointer object_ref(gpointer object)
{
    return g_rc_box_acquire(object);
}

void object_unref(gpointer object)
{
    if (object)
        g_rc_box_release_full(object, object_clear);
}

const MethodRow *object_find_method(const Interface *interface, const char *name)
{
    for (const MethodRow *row = interface->methods; row && row->name; row++)
        if (g_str_equal(row->name, name))
            return row;
    return NULL;
}

static int on_get(sd_bus *bus, const char *path, const char *interface, const char *name,
                  sd_bus_message *reply, void *data, sd_bus_error *error)
{
    Object *object = data;

    for (const PropertyRow *row = object->interface->properties; row && row->name; row++)
        if (g_str_equal(row->name, name)) {
            g_autoptr(GVariant) value = g_variant_ref_sink(row->get(object));

            return variant_append(reply, value);
        }
    return -ENOENT;
}

static guint count_methods(const MethodRow *row)
{
    guint n = 0;

    while (row && row[n].name)
        n++;
    return n;
}

guint object_count_properties(const Interface *interface)
{
    guint n = 0;

    while (interface->properties && interface->properties[n].name)
        n++;
    return n;
}

static guint count_signals(const SignalRow *row)
{
    guint n = 0;

    while (row && row[n].name)
        n++;
    return n;
}

static gboolean check_method(const Interface *interface, const MethodRow *row, GError **error)
{
    if (row->action && *row->action && row->in && row->out && row->arguments && row->act)
        return TRUE;
    g_set_error(error, TU_ERROR, TU_ERROR_FAILED,
                "Method %s.%s is declared without %s: it stays closed, and so does the daemon",
                interface->name, row->name,
                row->action && *row->action ? "handler or signature" : "a polkit action");
    return FALSE;
}

/* The entries are filled field by field and not by sd-bus-vtable.h's initialisers, because sd-bus
 * wants the unused part of each union zeroed, which an assignment does not promise. */
static void fill_start(sd_bus_vtable *entry)
{
    entry->type = _SD_BUS_VTABLE_START;
    entry->x.start.element_size = sizeof *entry;
    entry->x.start.features = _SD_BUS_VTABLE_PARAM_NAMES;
    entry->x.start.vtable_format_reference = &sd_bus_object_vtable_format;
}

static void fill_method(sd_bus_vtable *entry, const MethodRow *row)
{
    entry->type = _SD_BUS_VTABLE_METHOD;
    /* This only takes sd-bus's own check of privileges away; polkit decides, see call.c. */
    entry->flags = SD_BUS_VTABLE_UNPRIVILEGED;
    entry->x.method.member = row->name;
    entry->x.method.signature = row->in;
    entry->x.method.result = row->out;
    entry->x.method.names = row->arguments;
    entry->x.method.handler = call_dispatch;
}

static void fill_property(sd_bus_vtable *entry, const PropertyRow *row)
{
    entry->type = _SD_BUS_VTABLE_PROPERTY;
    entry->flags =
        row->constant ? SD_BUS_VTABLE_PROPERTY_CONST : SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE;
    entry->x.property.member = row->name;
    entry->x.property.signature = row->signature;
    entry->x.property.get = on_get;
}

static void fill_signal(sd_bus_vtable *entry, const SignalRow *row)
{
    entry->type = _SD_BUS_VTABLE_SIGNAL;
    entry->x.signal.member = row->name;
    entry->x.signal.signature = row->signature;
    entry->x.signal.names = row->arguments;
}

const sd_bus_vtable *object_vtable(const Interface *interface, GError **error)
{
    static GPtrArray *kept;
    guint methods = count_methods(interface->methods);
    guint properties = object_count_properties(interface);
    guint signals = count_signals(interface->signals);
    g_autofree sd_bus_vtable *vtable = g_new0(sd_bus_vtable, methods + properties + signals + 2);
    sd_bus_vtable *next = vtable;

    fill_start(next++);
    for (guint i = 0; i < methods; i++) {
        if (!check_method(interface, &interface->methods[i], error))
            return NULL;
        fill_method(next++, &interface->methods[i]);
    }
    for (guint i = 0; i < properties; i++)
        fill_property(next++, &interface->properties[i]);
    for (guint i = 0; i < signals; i++)
        fill_signal(next++, &interface->signals[i]);
    next->type = _SD_BUS_VTABLE_END;
    if (!kept) /* sd-bus goes on to read it as long as it has a slot for it */
        kept = g_ptr_array_new();
    g_ptr_array_add(kept, vtable);
    return g_steal_pointer(&vtable);
}

char *object_path(const char *prefix, const char *name)
{
    char *encoded = NULL;
    char *copy;

    if (sd_bus_path_encode(prefix, name, &encoded) < 0)
        g_error("Out of memory");
    copy = g_strdup(encoded);
    free(encoded);
    return copy;
}

char *object_name(const char *prefix, const char *path)
{
    char *decoded = NULL;
    char *copy = NULL;

    if (sd_bus_path_decode(path, prefix, &decoded) > 0)
        copy = g_strdup(decoded);
    free(decoded);
    return copy;
}

void object_emit(Object *object, const char *signal, GVariant *arguments)
{
    g_autoptr(GVariant) tuple = g_variant_ref_sink(arguments);
    sd_bus_message *message = NULL;
    int r = sd_bus_message_new_signal(object->daemon->bus, &message, object->path,
                                      object->interface->name, signal);

    if (r >= 0)
        r = variant_append_tuple(message, tuple);
    if (r >= 0)
        r = sd_bus_send(NULL, message, NULL);
    if (r < 0)
        g_warning("Cannot send signal %s: %s, ignoring", signal, g_strerror(-r));
    sd_bus_message_unref(message);
}
