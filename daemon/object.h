/* What an object on the bus is made of: rows for its methods, properties and signals.
 *
 * The rows are the only place where a member is declared; the vtable of sd-bus is made from them. A
 * property's value is a GVariant made by one function, which serves both Get and the comparison
 * that decides what PropertiesChanged tells. Used by every object of the daemon.
 */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

typedef struct Daemon Daemon;
typedef struct Call Call;
typedef struct Object Object;
typedef struct Interface Interface;

/* The action of a method that everybody may call. */
#define FREE_FOR_ALL "none"

typedef struct {
    const char *name;
    const char *in;        /* signature */
    const char *out;       /* signature */
    const char *arguments; /* names, in before out, each ended by NUL: SD_BUS_PARAM() */
    const char *action; /* polkit action or FREE_FOR_ALL; without one the daemon does not start */

    /* Looks whether the call makes sense and fills its details; changes nothing. Runs again after
     * polkit answered, because the world may have changed meanwhile. NULL: always makes sense. */
    gboolean (*prepare)(Call *call, GError **error);
    /* Does it; runs only when the caller is allowed to. Must end in call_reply() or call_fail(),
     * now or later. */
    void (*act)(Call *call);
} MethodRow;

typedef struct {
    const char *name;
    const char *signature;
    GVariant *(*get)(const Object *object); /* floating or full */
    gboolean constant;                      /* never changes while the object is there */
} PropertyRow;

typedef struct {
    const char *name;
    const char *signature;
    const char *arguments;
} SignalRow;

struct Interface {
    const char *name;
    const MethodRow *methods; /* ended by a row without name; NULL none */
    const PropertyRow *properties;
    const SignalRow *signals;
};

/* The first member of whatever is an object. Reference-counted, because a call may wait for polkit
 * while its object goes. */
struct Object {
    Daemon *daemon;
    const Interface *interface;
    char *path;
    gboolean gone;        /* no longer on the bus */
    GVariant **published; /* what the bus was told last, by row of properties; NULL: not yet */
    gboolean dirty;       /* waits in publish.c */
    GDestroyNotify clear; /* frees what stands behind this member */
};

/* A zeroed object of SIZE bytes; PATH is copied. */
gpointer object_new(gsize size, Daemon *daemon, const Interface *interface, const char *path,
                    GDestroyNotify clear);
gpointer object_ref(gpointer object);
void object_unref(gpointer object);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Object, object_unref)

/* The vtable for an interface; it lives as long as the process. An error where a method has no
 * action or a row is incomplete: closed unless declared. */
const sd_bus_vtable *object_vtable(const Interface *interface, GError **error);

/* The row of a member, or NULL. */
const MethodRow *object_find_method(const Interface *interface, const char *name);

/* "PREFIX/NAME", encoded as sd_bus_path_encode() does; g_free(). */
char *object_path(const char *prefix, const char *name);
/* The name in such a path, or NULL; g_free(). */
char *object_name(const char *prefix, const char *path);

/* Emits a signal of the object; ARGUMENTS is a tuple, taken over where it is floating. */
void object_emit(Object *object, const char *signal, GVariant *arguments);

guint object_count_properties(const Interface *interface);
