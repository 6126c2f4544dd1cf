/* Reads the declared world and looks at it as a whole: what no single file can tell. A wrong file
 * must never take another server with it, so everything that is wrong becomes a problem beside what
 * is right. */
#include "state/inventory.h"
#include "state/backing.h"
#include "state/inventory-file.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"

#include <string.h>

#define SUFFIX ".conf"

/* What instances and servers have in common while a directory is read. */
typedef struct {
    const char *kind;    /* of InventoryProblem */
    const char *section; /* of the file */
    gpointer (*read)(const char *path, const char *name, GPtrArray *problems);
} Kind;

static gpointer read_instance(const char *path, const char *name, GPtrArray *problems)
{
    return instance_file_read(path, name, problems);
}

static gpointer read_server(const char *path, const char *name, GPtrArray *problems)
{
    return server_file_read(path, name, problems);
}

static const Kind instance_kind = { "instance", "Instance", read_instance };
static const Kind server_kind = { "server", "Server", read_server };

static void problem_free(InventoryProblem *problem)
{
    g_free(problem->file);
    g_free(problem->kind);
    g_free(problem->name);
    g_free(problem->message);
    g_free(problem);
}

/* Moves ERRORS into the inventory's list. */
static void add_problems(Inventory *inventory, const Kind *kind, const char *name, const char *file,
                         const GPtrArray *errors)
{
    for (guint i = 0; i < errors->len; i++) {
        const GError *error = g_ptr_array_index(errors, i);
        InventoryProblem *problem = g_new(InventoryProblem, 1);

        *problem = (InventoryProblem){ .file = g_strdup(file),
                                       .kind = g_strdup(kind->kind),
                                       .name = g_strdup(name),
                                       .message = g_strdup(error->message) };
        g_ptr_array_add(inventory->problems, problem);
    }
}

static GPtrArray *errors_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of NAME.conf in a directory, sorted, so that whoever is "the later one" never changes.
 * A directory that is not there has none; names that begin with a dot are editors' and package
 * managers' own. */
static GPtrArray *list_files(const char *path, GError **error)
{
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) local = NULL;
    g_autoptr(GDir) directory = g_dir_open(path, 0, &local);
    const char *file;

    if (!directory && !g_error_matches(local, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION,
                    "%s. Nothing in it is known until it can be read", local->message);
        return NULL;
    }
    while (directory && (file = g_dir_read_name(directory)))
        if (file[0] != '.' && g_str_has_suffix(file, SUFFIX))
            g_ptr_array_add(files, g_strdup(file));
    g_ptr_array_sort(files, compare_strings);
    return g_steal_pointer(&files);
}

static void load_directory(Inventory *inventory, const Kind *kind, const char *directory,
                           GPtrArray *into)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) files = list_files(directory, &error);

    if (!files) {
        g_autoptr(GPtrArray) errors = errors_new();

        g_ptr_array_add(errors, g_steal_pointer(&error));
        add_problems(inventory, kind, "", directory, errors);
        return;
    }
    for (guint i = 0; i < files->len; i++) {
        const char *file = g_ptr_array_index(files, i);
        g_autofree char *path = g_build_filename(directory, file, NULL);
        g_autofree char *name = g_strndup(file, strlen(file) - strlen(SUFFIX));
        g_autoptr(GPtrArray) errors = errors_new();
        gpointer config = NULL;

        if (name_is_valid(name))
            config = kind->read(path, name, errors);
        else
            g_ptr_array_add(
                errors,
                g_error_new(TU_ERROR, TU_ERROR_INVALID_CONFIGURATION,
                            "%s:1: \"%s\" cannot be the name of %s %s. Rename the file: letters, "
                            "digits and '_', no digit first, at most 64",
                            path, name, kind == &instance_kind ? "an" : "a", kind->kind));
        if (config)
            g_ptr_array_add(into, config);
        add_problems(inventory, kind, name, path, errors);
    }
}

static InstanceConfig *find_instance(const Inventory *inventory, const char *name)
{
    for (guint i = 0; i < inventory->instances->len; i++) {
        InstanceConfig *instance = g_ptr_array_index(inventory->instances, i);

        if (g_strcmp0(instance->name, name) == 0)
            return instance;
    }
    return NULL;
}

static const InventoryProblem *find_problem(const Inventory *inventory, const Kind *kind,
                                            const char *name)
{
    for (guint i = 0; i < inventory->problems->len; i++) {
        const InventoryProblem *problem = g_ptr_array_index(inventory->problems, i);

        if (g_str_equal(problem->kind, kind->kind) &&
            (g_strcmp0(problem->name, name) == 0 || problem->name[0] == '\0'))
            return problem;
    }
    return NULL;
}

char *inventory_open_address(const char *server)
{
    g_autofree char *below = g_strconcat("listen/", server, NULL);
    g_autofree char *path = path_runtime(below);
    g_autofree char *text = name_is_valid(server) ? file_read(path, 256, NULL, NULL) : NULL;

    return text && listen_port(g_strstrip(text)) != 0 ? g_steal_pointer(&text) : NULL;
}

/* A server that is open is where it is, whatever its file says by now. */
static void take_open_addresses(Inventory *inventory)
{
    for (guint i = 0; i < inventory->servers->len; i++) {
        ServerConfig *server = g_ptr_array_index(inventory->servers, i);
        g_autofree char *open = inventory_open_address(server->name);

        if (!open || g_str_equal(open, server->listen))
            continue;
        server->wanted_listen = g_steal_pointer(&server->listen);
        server->listen = g_steal_pointer(&open);
        server->port = listen_port(server->listen);
    }
}

static int compare_ports(const void *a, const void *b)
{
    return (int)*(const guint16 *)a - (int)*(const guint16 *)b;
}

static gboolean is_public(const Inventory *inventory, guint16 port)
{
    return g_array_binary_search(inventory->public_ports, &port, compare_ports, NULL);
}

/* Keeps the list ascending and without doubles. */
static void add_public_port(Inventory *inventory, const char *listen)
{
    guint16 port = listen ? listen_port(listen) : 0;

    if (port != 0 && !is_public(inventory, port)) {
        g_array_append_val(inventory->public_ports, port);
        g_array_sort(inventory->public_ports, compare_ports);
    }
}

static void collect_public_ports(Inventory *inventory)
{
    g_autofree char *path = path_runtime("listen");
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    const char *name;

    for (guint i = 0; i < inventory->servers->len; i++) {
        const ServerConfig *server = g_ptr_array_index(inventory->servers, i);

        add_public_port(inventory, server->listen);
        add_public_port(inventory, server->wanted_listen);
    }
    while (directory && (name = g_dir_read_name(directory))) {
        g_autofree char *open = inventory_open_address(name);

        add_public_port(inventory, open);
    }
}

static guint16 hashed_port(const Inventory *inventory, const char *name)
{
    guint32 hash = 2166136261u; /* FNV-1a: the same on every machine and in every version of GLib */

    for (; *name; name++)
        hash = (hash ^ (guint8)*name) * 16777619u;
    for (guint i = 0; i < 10000; i++) {
        const guint16 port = 20000 + (hash + i) % 10000;

        if (!is_public(inventory, port))
            return port;
    }
    return 0; /* ten thousand servers */
}

/* The fixed private port of an instance, whatever its option file says. */
static guint16 own_port(const Inventory *inventory, const InstanceConfig *instance)
{
    return instance->server_port ? instance->server_port : hashed_port(inventory, instance->name);
}

gboolean inventory_is_same_instance(const InstanceConfig *a, const InstanceConfig *b)
{
    return g_str_equal(a->home, b->home) && a->installation && b->installation &&
           !g_str_equal(a->installation, b->installation);
}

/* Whether an instance can live beside the servers and the instances BEFORE it. */
static void check_instance(const Inventory *inventory, const InstanceConfig *instance, guint before,
                           GPtrArray *errors)
{
    const guint16 port = own_port(inventory, instance);

    if (instance->server_port != 0 && is_public(inventory, instance->server_port))
        inventory_file_complain(
            instance->file, "Instance", "ServerPort", errors,
            "ServerPort=%u is the public port of a server. Write a port that no client uses, or "
            "leave the line out",
            instance->server_port);
    for (guint i = 0; i < before; i++) {
        const InstanceConfig *other = g_ptr_array_index(inventory->instances, i);

        if (inventory_is_same_instance(other, instance))
            continue;
        if (g_str_equal(other->home, instance->home))
            inventory_file_complain(
                instance->file, "Instance", "Home", errors,
                "Home=%s is also the home of instance %s. Remove one of the two files, or give each "
                "an Installation= of its own",
                instance->home, other->name);
        if (own_port(inventory, other) == port)
            inventory_file_complain(
                instance->file, "Instance", "ServerPort", errors,
                "the private port %u is also that of instance %s. Add ServerPort=PORT with another "
                "one below [Instance]",
                port, other->name);
    }
}

static gboolean is_open(const ServerConfig *server)
{
    g_autofree char *address = inventory_open_address(server->name);

    return address != NULL;
}

/* Whether the port of a server is its own. Of two, the one that is open keeps it, otherwise the
 * first by name. */
static void check_port(Inventory *inventory, ServerConfig *server, guint before, GPtrArray *errors)
{
    for (guint i = 0; i < inventory->servers->len; i++) {
        const ServerConfig *other = g_ptr_array_index(inventory->servers, i);
        const gboolean loses = is_open(server) == is_open(other) ? i < before : is_open(other);

        if (other != server && other->port == server->port && loses)
            inventory_file_complain(server->file, "Server", "Listen", errors,
                                    "port %u is already that of server %s. Write another port",
                                    server->port, other->name);
    }
}

/* Whether the instance that backs a server is there, and where both say which private port. */
static void check_backing(Inventory *inventory, ServerConfig *server, guint before,
                          GPtrArray *errors)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Backing) backing = backing_load(server->name, &error);
    const InventoryProblem *problem;

    if (!backing) {
        g_ptr_array_add(errors, g_steal_pointer(&error));
        return;
    }
    server->instance = g_strdup(backing->instance ? backing->instance : server->first_instance);
    server->previous_instance = g_strdup(backing->previous);
    server->backing = g_steal_pointer(&backing);
    if (!find_instance(inventory, server->instance)) {
        problem = find_problem(inventory, &instance_kind, server->instance);
        inventory_file_complain(
            server->file, "Server", "Instance", errors, "instance %s, which %s, is %s. %s",
            server->instance,
            server->backing->instance ? "backs this server since its last upgrade" : "Instance= names",
            problem ? "wrongly configured" : "not declared",
            problem ? problem->message : "Add a file of that name to instances.d");
    }
    if (server->private_port != 0 && is_public(inventory, server->private_port))
        inventory_file_complain(
            server->file, "Server", "PrivatePort", errors,
            "PrivatePort=%u is the public port of a server. Write a port that no client uses, or "
            "leave the line out",
            server->private_port);
    for (guint i = 0; i < before; i++) {
        const ServerConfig *other = g_ptr_array_index(inventory->servers, i);

        /* An instance has one TimesTen Server, hence one port. */
        if (g_strcmp0(other->instance, server->instance) == 0 &&
            (other->mode == MODE_INHERIT || server->mode == MODE_INHERIT))
            inventory_file_complain(
                server->file, "Server", "Mode", errors,
                "instance %s also backs server %s, and with Mode=inherit it can serve one port "
                "only. Write Mode=relay in both files",
                server->instance, other->name);
        if (g_strcmp0(other->instance, server->instance) == 0 &&
            other->private_port != server->private_port)
            inventory_file_complain(
                server->file, "Server", "PrivatePort", errors,
                "instance %s also backs server %s, with another PrivatePort=. Write the same in "
                "both files, or in neither",
                server->instance, other->name);
    }
}

/* Takes the configurations out that a check complained about. */
static void check_instances(Inventory *inventory)
{
    for (guint i = 0; i < inventory->instances->len;) {
        InstanceConfig *instance = g_ptr_array_index(inventory->instances, i);
        g_autoptr(GPtrArray) errors = errors_new();

        check_instance(inventory, instance, i, errors);
        add_problems(inventory, &instance_kind, instance->name, instance->file, errors);
        if (errors->len > 0)
            g_ptr_array_remove_index(inventory->instances, i);
        else
            i++;
    }
}

typedef void (*ServerCheck)(Inventory *inventory, ServerConfig *server, guint before,
                            GPtrArray *errors);

static void check_servers(Inventory *inventory, ServerCheck check)
{
    for (guint i = 0; i < inventory->servers->len;) {
        ServerConfig *server = g_ptr_array_index(inventory->servers, i);
        g_autoptr(GPtrArray) errors = errors_new();

        check(inventory, server, i, errors);
        add_problems(inventory, &server_kind, server->name, server->file, errors);
        if (errors->len > 0)
            g_ptr_array_remove_index(inventory->servers, i);
        else
            i++;
    }
}

/* Last of all, so that in a conflict whoever is there already keeps what it has. */
static void load_proposed(Inventory *inventory, const char *directory, const char *name,
                          const char *path)
{
    g_autofree char *file = g_strconcat(directory, "/", name, SUFFIX, NULL);
    g_autoptr(GPtrArray) errors = errors_new();
    ServerConfig *server;

    if (g_file_test(file, G_FILE_TEST_EXISTS))
        return;
    server = server_file_read(path, name, errors);
    if (server)
        g_ptr_array_add(inventory->servers, server);
    add_problems(inventory, &server_kind, name, path, errors);
}

Inventory *inventory_load(void)
{
    return inventory_load_with(NULL, NULL);
}

Inventory *inventory_load_with(const char *name, const char *path)
{
    g_autofree char *instances = path_instances_directory();
    g_autofree char *servers = path_servers_directory();
    Inventory *inventory = g_new0(Inventory, 1);

    inventory->instances = g_ptr_array_new_with_free_func((GDestroyNotify)instance_config_free);
    inventory->servers = g_ptr_array_new_with_free_func((GDestroyNotify)server_config_free);
    inventory->problems = g_ptr_array_new_with_free_func((GDestroyNotify)problem_free);
    inventory->public_ports = g_array_new(FALSE, FALSE, sizeof(guint16));
    load_directory(inventory, &instance_kind, instances, inventory->instances);
    load_directory(inventory, &server_kind, servers, inventory->servers);
    if (name)
        load_proposed(inventory, servers, name, path);
    take_open_addresses(inventory);
    collect_public_ports(inventory);
    /* In this order: public ports decide which private ones are free, and instances which servers
     * can be. */
    check_servers(inventory, check_port);
    check_instances(inventory);
    check_servers(inventory, check_backing);
    return inventory;
}

void inventory_free(Inventory *inventory)
{
    if (!inventory)
        return;
    g_ptr_array_unref(inventory->instances);
    g_ptr_array_unref(inventory->servers);
    g_ptr_array_unref(inventory->problems);
    g_array_unref(inventory->public_ports);
    g_free(inventory);
}

/* Why a name is not in the lists. Always returns NULL. */
static gconstpointer not_found(const Inventory *inventory, const Kind *kind, TuError code,
                               const char *name, GError **error)
{
    const InventoryProblem *problem = find_problem(inventory, kind, name);

    if (problem)
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION, "%s", problem->message);
    else
        g_set_error(error, TU_ERROR, code,
                    "No %s \"%s\" is configured. \"ttctl list\" shows those that are; a new one is "
                    "a file in "
                    "/etc/timesten-upgrade/%ss.d",
                    kind->kind, name ? name : "", kind->kind);
    return NULL;
}

const InstanceConfig *inventory_instance(const Inventory *inventory, const char *name,
                                         GError **error)
{
    const InstanceConfig *instance = find_instance(inventory, name);

    return instance ? instance
                    : not_found(inventory, &instance_kind, TU_ERROR_NO_SUCH_INSTANCE, name, error);
}

const ServerConfig *inventory_server(const Inventory *inventory, const char *name, GError **error)
{
    for (guint i = 0; i < inventory->servers->len; i++) {
        const ServerConfig *server = g_ptr_array_index(inventory->servers, i);

        if (g_strcmp0(server->name, name) == 0)
            return server;
    }
    return not_found(inventory, &server_kind, TU_ERROR_NO_SUCH_SERVER, name, error);
}

const ServerConfig *inventory_server_of_port(const Inventory *inventory, guint16 port)
{
    for (guint i = 0; i < inventory->servers->len; i++) {
        const ServerConfig *server = g_ptr_array_index(inventory->servers, i);

        if (server->port == port)
            return server;
    }
    return NULL;
}

guint16 inventory_backend_port(const Inventory *inventory, const ServerConfig *server,
                               const InstanceConfig *instance, guint16 configured)
{
    return server->mode == MODE_INHERIT
               ? server->port
               : inventory_private_port(inventory, server, instance, configured);
}

char *inventory_backend(const Inventory *inventory, const ServerConfig *server,
                        const InstanceConfig *instance, const char *user, guint16 configured)
{
    if (server->mode == MODE_INHERIT)
        return g_strdup_printf("%s@%s", instance->name, user);
    return g_strdup_printf("127.0.0.1:%u",
                           inventory_private_port(inventory, server, instance, configured));
}

guint16 inventory_private_port(const Inventory *inventory, const ServerConfig *server,
                               const InstanceConfig *instance, guint16 configured)
{
    if (server->private_port != 0)
        return server->private_port;
    if (instance->server_port != 0)
        return instance->server_port;
    if (configured != 0 && !is_public(inventory, configured))
        return configured;
    return hashed_port(inventory, instance->name);
}

char *inventory_instance_unit(const InstanceConfig *instance)
{
    return instance->unit ? g_strdup(instance->unit) : unit_instance(instance->name);
}
