#include "daemon/bus.h"
#include "daemon/bouncer.h"
#include "daemon/daemon.h"
#include "daemon/instance.h"
#include "daemon/jobs.h"
#include "daemon/manager.h"
#include "daemon/server.h"
#include "daemon/world.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"

#include <errno.h>

const Interface *const bus_interfaces[] = { &manager_interface, &instance_interface,
                                            &server_interface, &job_interface, NULL };

/* One row for each kind of object that is found by its path. Finding only looks; it does no work.
 */
typedef struct {
    const char *prefix;
    const Interface *interface;
    Object *(*find)(Daemon *daemon, const char *name, GError **error);
    sd_bus_node_enumerator_t list;
} Kind;

static Object *find_job(Daemon *daemon, const char *name, GError **error)
{
    guint64 id;

    if (text_parse_uint64(name, 1, G_MAXUINT64, &id))
        return world_find_job(daemon, id, error);
    g_set_error(error, TU_ERROR, TU_ERROR_NO_SUCH_JOB, "The path does not end in a job's number");
    return NULL;
}

/* The paths of objects as sd-bus wants them: from malloc(), which it frees. */
static int answer_paths(const GPtrArray *objects, char ***ret_nodes)
{
    char **nodes = calloc(objects->len + 1, sizeof *nodes);

    if (!nodes)
        return -ENOMEM;
    for (guint i = 0; i < objects->len; i++)
        if (!(nodes[i] = strdup(((Object *)objects->pdata[i])->path))) {
            while (i-- > 0)
                free(nodes[i]);
            free(nodes);
            return -ENOMEM;
        }
    *ret_nodes = nodes;
    return 0;
}

static int answer_table(GHashTable *table, char ***ret_nodes)
{
    g_autoptr(GPtrArray) objects = g_ptr_array_new();
    GHashTableIter iter;
    gpointer object;

    g_hash_table_iter_init(&iter, table);
    while (g_hash_table_iter_next(&iter, NULL, &object))
        g_ptr_array_add(objects, object);
    return answer_paths(objects, ret_nodes);
}

static int list_instances(sd_bus *bus, const char *prefix, void *data, char ***ret_nodes,
                          sd_bus_error *error)
{
    return answer_table(((Daemon *)data)->instances, ret_nodes);
}

static int list_servers(sd_bus *bus, const char *prefix, void *data, char ***ret_nodes,
                        sd_bus_error *error)
{
    return answer_table(((Daemon *)data)->servers, ret_nodes);
}

static int list_jobs(sd_bus *bus, const char *prefix, void *data, char ***ret_nodes,
                     sd_bus_error *error)
{
    return answer_paths(jobs_all(data), ret_nodes);
}

static const Kind kinds[] = {
    { TU_INSTANCE_PATH, &instance_interface, world_find_instance, list_instances },
    { TU_SERVER_PATH, &server_interface, world_find_server, list_servers },
    { TU_JOB_PATH, &job_interface, find_job, list_jobs },
};

static const Kind *kind_of(const char *path)
{
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_str_has_prefix(path, kinds[i].prefix))
            return &kinds[i];
    return NULL;
}

static int on_find(sd_bus *bus, const char *path, const char *interface, void *data, void **found,
                   sd_bus_error *ret_error)
{
    const Kind *kind = kind_of(path);
    g_autofree char *name = kind ? object_name(kind->prefix, path) : NULL;
    g_autoptr(GError) error = NULL;
    Object *object;

    if (!name || !*name)
        return 0; /* the node above them, which is no object */
    object = kind->find(data, name, &error);
    if (object && g_str_equal(object->path, path)) {
        *found = object;
        return 1;
    }
    if (object) /* "01" is no second name of job 1 */
        sd_bus_error_setf(ret_error, SD_BUS_ERROR_UNKNOWN_OBJECT,
                          "There is no object at this path; it is at %s", object->path);
    else
        sd_bus_error_set(ret_error, tu_error_bus_name(error), error->message);
    return -ENOENT;
}

static gboolean publish_kind(Daemon *daemon, const Kind *kind, GError **error)
{
    const sd_bus_vtable *vtable = object_vtable(kind->interface, error);
    int r;

    if (!vtable)
        return FALSE;
    r = sd_bus_add_fallback_vtable(daemon->bus, NULL, kind->prefix, kind->interface->name, vtable,
                                   on_find, daemon);
    if (r >= 0)
        r = sd_bus_add_node_enumerator(daemon->bus, NULL, kind->prefix, kind->list, daemon);
    return r >= 0 || tu_error_errno(error, -r, "Cannot publish %s", kind->interface->name);
}

gboolean bus_publish(Daemon *daemon, GError **error)
{
    const sd_bus_vtable *vtable = object_vtable(&manager_interface, error);
    int r;

    if (!vtable)
        return FALSE;
    r = sd_bus_add_object_manager(daemon->bus, NULL, TU_ROOT_PATH);
    if (r >= 0)
        r = sd_bus_add_object_vtable(daemon->bus, NULL, TU_ROOT_PATH, manager_interface.name,
                                     vtable, daemon->manager);
    if (r < 0)
        return tu_error_errno(error, -r, "Cannot publish %s", manager_interface.name);
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (!publish_kind(daemon, &kinds[i], error))
            return FALSE;
    return TRUE;
}

/* sd-bus takes a signal from anybody for one of PID 1 or of the bus, because it knows senders by
 * their unique names only. Who may not be believed is not heard at all. */
static int on_message(sd_bus_message *message, void *data, sd_bus_error *error)
{
    const char *sender = sd_bus_message_get_sender(message);

    return sd_bus_message_is_signal(message, NULL, NULL) > 0 && sender && sender[0] == ':' &&
           bouncer_user(message) != 0;
}

gboolean bus_connect(Daemon *daemon, GError **error)
{
    int r = sd_bus_open_system(&daemon->bus);

    if (r >= 0)
        r = sd_bus_add_filter(daemon->bus, NULL, on_message, daemon);
    if (r >= 0)
        r = sd_bus_attach_event(daemon->bus, daemon->event, 0);
    return r >= 0 || tu_error_errno(error, -r, "Cannot connect to the system bus");
}
