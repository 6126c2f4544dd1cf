#include "ctl/object.h"
#include "ctl/bus.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"

#include <errno.h>

/* One property: its name on the bus, its type there, and where it goes. */
typedef struct {
    const char *name;
    const char *type;
    gsize offset;
    int (*read)(sd_bus_message *message, gpointer target); /* for types that are no single field */
} Property;

static int read_last_result(sd_bus_message *message, gpointer target);
static int read_steps(sd_bus_message *message, gpointer target);
static int read_error(sd_bus_message *message, gpointer target);

#define IN_SERVER(member)   G_STRUCT_OFFSET(Server, member)
#define IN_INSTANCE(member) G_STRUCT_OFFSET(Instance, member)
#define IN_JOB(member)      G_STRUCT_OFFSET(Job, member)

static const Property server_properties[] = {
    { "Name", "s", IN_SERVER(name) },
    { "Port", "q", IN_SERVER(port) },
    { "State", "s", IN_SERVER(state) },
    { "Instance", "s", IN_SERVER(instance) },
    { "Release", "s", IN_SERVER(release) },
    { "PreviousInstance", "s", IN_SERVER(previous_instance) },
    { "Confirmation", "s", IN_SERVER(confirmation) },
    { "ConfirmBy", "t", IN_SERVER(confirm_by) },
    { "Databases", "as", IN_SERVER(databases) },
    { "Mode", "s", IN_SERVER(mode) },
    { "Sessions", "u", IN_SERVER(sessions) },
    { "Held", "u", IN_SERVER(held) },
    { "HoldSince", "t", IN_SERVER(hold_since) },
    { "HoldDeadline", "t", IN_SERVER(hold_deadline) },
    { "Job", "o", IN_SERVER(job) },
    { "LastResult", "(sstt)", 0, read_last_result },
    {},
};

static const Property instance_properties[] = {
    { "Name", "s", IN_INSTANCE(name) },
    { "Home", "s", IN_INSTANCE(home) },
    { "Release", "s", IN_INSTANCE(release) },
    { "Admin", "s", IN_INSTANCE(admin) },
    { "Unit", "s", IN_INSTANCE(unit) },
    { "State", "s", IN_INSTANCE(state) },
    { "DaemonPort", "q", IN_INSTANCE(daemon_port) },
    { "ServerPort", "q", IN_INSTANCE(server_port) },
    { "Databases", "as", IN_INSTANCE(databases) },
    { "Servers", "as", IN_INSTANCE(servers) },
    {},
};

static const Property job_properties[] = {
    { "Id", "t", IN_JOB(id) },
    { "Kind", "s", IN_JOB(kind) },
    { "Server", "s", IN_JOB(server) },
    { "From", "s", IN_JOB(from) },
    { "To", "s", IN_JOB(to) },
    { "Method", "s", IN_JOB(method) },
    { "State", "s", IN_JOB(state) },
    { "Result", "s", IN_JOB(result) },
    { "Step", "s", IN_JOB(step) },
    { "Steps", "a(sss)", 0, read_steps },
    { "Progress", "d", IN_JOB(progress) },
    { "RemainingUSec", "t", IN_JOB(remaining_usec) },
    { "HeldUSec", "t", IN_JOB(held_usec) },
    { "Error", "(ss)", 0, read_error },
    { "LeftToDo", "as", IN_JOB(left_to_do) },
    { "StartedByUID", "u", IN_JOB(started_by) },
    { "Started", "t", IN_JOB(started) },
    { "Finished", "t", IN_JOB(finished) },
    { "CanCancel", "b", IN_JOB(can_cancel) },
    {},
};

/* Names, states and descriptions are single lines of the contract; whatever would move a terminal's
 * cursor is taken out here, once. Only an error's message may be longer, and is cleaned where it is
 * printed. */
static void replace(char **field, const char *value)
{
    g_free(*field);
    *field = text_one_line(value, 1000);
}

static int read_last_result(sd_bus_message *message, gpointer target)
{
    Server *server = target;
    const char *result, *error;
    int r = sd_bus_message_read(message, "(sstt)", &result, &error, &server->last_job,
                                &server->last_time);

    if (r < 0)
        return r;
    replace(&server->last_result, result);
    replace(&server->last_error, error);
    return 0;
}

static int read_error(sd_bus_message *message, gpointer target)
{
    Job *job = target;
    const char *error, *text;
    int r = sd_bus_message_read(message, "(ss)", &error, &text);

    if (r < 0)
        return r;
    replace(&job->error, error);
    g_free(job->message);
    job->message = g_strdup(text);
    return 0;
}

static void step_free(gpointer data)
{
    JobStep *step = data;

    g_free(step->id);
    g_free(step->description);
    g_free(step->state);
    g_free(step);
}

static int read_steps(sd_bus_message *message, gpointer target)
{
    Job *job = target;
    const char *id, *description, *state;
    int r = sd_bus_message_enter_container(message, 'a', "(sss)");

    if (r < 0)
        return r;
    g_ptr_array_set_size(job->steps, 0);
    while ((r = sd_bus_message_read(message, "(sss)", &id, &description, &state)) > 0) {
        JobStep *step = g_new0(JobStep, 1);

        replace(&step->id, id);
        replace(&step->description, description);
        replace(&step->state, state);
        g_ptr_array_add(job->steps, step);
    }
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int read_strings(sd_bus_message *message, char ***field)
{
    g_autoptr(GPtrArray) strings = g_ptr_array_new();
    const char *word;
    int r = sd_bus_message_enter_container(message, 'a', "s");

    if (r < 0)
        return r;
    while ((r = sd_bus_message_read(message, "s", &word)) > 0)
        g_ptr_array_add(strings, g_strdup(word));
    g_ptr_array_add(strings, NULL);
    g_strfreev(*field);
    *field = (char **)g_ptr_array_free(g_steal_pointer(&strings), FALSE);
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int read_plain(sd_bus_message *message, const Property *property, gpointer field)
{
    const char *word;
    int number;
    int r;

    switch (property->type[0]) {
    case 's':
    case 'o':
        r = sd_bus_message_read_basic(message, property->type[0], &word);
        if (r >= 0)
            replace(field, word);
        return r;
    case 'a':
        return read_strings(message, field);
    case 'b':
        r = sd_bus_message_read_basic(message, 'b', &number);
        if (r >= 0)
            *(gboolean *)field = number;
        return r;
    default: /* q, u, t, d have the size of their fields */
        return sd_bus_message_read_basic(message, property->type[0], field);
    }
}

static int read_value(sd_bus_message *message, const Property *property, gpointer target)
{
    int r = sd_bus_message_enter_container(message, 'v', property->type);

    if (r < 0)
        return r;
    if (property->read)
        r = property->read(message, target);
    else
        r = read_plain(message, property, (char *)target + property->offset);
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

static const Property *find_property(const Property *properties, const char *name)
{
    for (; properties->name; properties++)
        if (g_str_equal(properties->name, name))
            return properties;
    return NULL;
}

static gboolean read_properties(sd_bus_message *message, const Property *properties,
                                gpointer target, GError **error)
{
    const char *name = NULL;
    int r = sd_bus_message_enter_container(message, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
        const Property *property;

        r = sd_bus_message_read(message, "s", &name);
        if (r < 0)
            break;
        property = find_property(properties, name);
        r = property ? read_value(message, property, target) : sd_bus_message_skip(message, "v");
        if (r >= 0)
            r = sd_bus_message_exit_container(message);
    }
    if (r >= 0)
        r = sd_bus_message_exit_container(message);
    if (r >= 0)
        return TRUE;
    g_set_error(
        error, TU_ERROR, TU_ERROR_FAILED,
        "Cannot read what the service says about %s: %s. It is of another version than this "
        "ttctl",
        name ? name : "its objects", g_strerror(-r));
    return FALSE;
}

static gboolean load(Session *session, const char *path, const char *interface,
                     const Property *properties, gpointer target, GError **error)
{
    g_autoptr(sd_bus_message) answer = bus_call(session, path, "org.freedesktop.DBus.Properties",
                                                "GetAll", CALL_READ_USEC, error, "s", interface);

    return answer && read_properties(answer, properties, target, error);
}

/* Every string is there from the start, so that nobody downstream has to think of NULL. */
static void fill_strings(const Property *properties, gpointer target)
{
    for (; properties->name; properties++)
        if (!properties->read && strchr("so", properties->type[0]))
            G_STRUCT_MEMBER(char *, target, properties->offset) = g_strdup("");
}

static void free_strings(const Property *properties, gpointer target)
{
    for (; properties->name; properties++) {
        if (properties->read)
            continue;
        if (strchr("so", properties->type[0]))
            g_free(G_STRUCT_MEMBER(char *, target, properties->offset));
        else if (properties->type[0] == 'a')
            g_strfreev(G_STRUCT_MEMBER(char **, target, properties->offset));
    }
    g_free(target);
}

Server *server_new(void)
{
    Server *server = g_new0(Server, 1);

    fill_strings(server_properties, server);
    server->last_result = g_strdup("");
    server->last_error = g_strdup("");
    return server;
}

void server_free(Server *server)
{
    g_free(server->last_result);
    g_free(server->last_error);
    free_strings(server_properties, server);
}

Instance *instance_new(void)
{
    Instance *instance = g_new0(Instance, 1);

    fill_strings(instance_properties, instance);
    return instance;
}

void instance_free(Instance *instance)
{
    free_strings(instance_properties, instance);
}

Job *job_new(void)
{
    Job *job = g_new0(Job, 1);

    fill_strings(job_properties, job);
    job->error = g_strdup("");
    job->message = g_strdup("");
    job->steps = g_ptr_array_new_with_free_func(step_free);
    job->remaining_usec = USEC_NEVER;
    return job;
}

void job_free(Job *job)
{
    g_free(job->error);
    g_free(job->message);
    g_ptr_array_unref(job->steps);
    free_strings(job_properties, job);
}

Server *server_load(Session *session, const char *path, GError **error)
{
    g_autoptr(Server) server = server_new();

    if (!load(session, path, TU_SERVER_INTERFACE, server_properties, server, error))
        return NULL;
    return g_steal_pointer(&server);
}

Instance *instance_load(Session *session, const char *path, GError **error)
{
    g_autoptr(Instance) instance = instance_new();

    if (!load(session, path, TU_INSTANCE_INTERFACE, instance_properties, instance, error))
        return NULL;
    return g_steal_pointer(&instance);
}

Job *job_load(Session *session, const char *path, GError **error)
{
    g_autoptr(Job) job = job_new();

    if (!load(session, path, TU_JOB_INTERFACE, job_properties, job, error))
        return NULL;
    return g_steal_pointer(&job);
}

gboolean server_read(Server *server, sd_bus_message *message, GError **error)
{
    return read_properties(message, server_properties, server, error);
}

gboolean job_read(Job *job, sd_bus_message *message, GError **error)
{
    return read_properties(message, job_properties, job, error);
}

static char *take_path(sd_bus_message *answer, GError **error)
{
    const char *path;
    int r;

    if (!answer)
        return NULL;
    r = sd_bus_message_read(answer, "o", &path);
    if (r < 0) {
        bus_fail(error, r, "Cannot read the service's answer");
        return NULL;
    }
    return g_strdup(path);
}

/* A word that D-Bus cannot even carry would end the connection instead of getting an answer. */
static gboolean can_be_name(const char *name, TuError code, const char *kind, GError **error)
{
    if (*name && g_utf8_validate(name, -1, NULL))
        return TRUE;
    g_set_error(error, TU_ERROR, code, "\"%s\" cannot be the name of %s", name, kind);
    return FALSE;
}

char *server_path(Session *session, const char *name, GError **error)
{
    g_autoptr(sd_bus_message) answer = NULL;

    if (!can_be_name(name, TU_ERROR_NO_SUCH_SERVER, "a server", error))
        return NULL;
    answer = bus_call(session, TU_ROOT_PATH, TU_MANAGER_INTERFACE, "GetServer", CALL_READ_USEC,
                      error, "s", name);
    return take_path(answer, error);
}

char *instance_path(Session *session, const char *name, GError **error)
{
    g_autoptr(sd_bus_message) answer = NULL;

    if (!can_be_name(name, TU_ERROR_NO_SUCH_INSTANCE, "an instance", error))
        return NULL;
    answer = bus_call(session, TU_ROOT_PATH, TU_MANAGER_INTERFACE, "GetInstance", CALL_READ_USEC,
                      error, "s", name);
    return take_path(answer, error);
}

char *job_path(Session *session, const char *id, GError **error)
{
    g_autoptr(sd_bus_message) answer = NULL;
    guint64 number;

    if (!text_parse_uint64(id, 1, G_MAXUINT64, &number)) {
        g_set_error(error, TU_ERROR, TU_ERROR_NO_SUCH_JOB,
                    "%s is not the number of a job. ttctl jobs shows all there are", id);
        return NULL;
    }
    answer = bus_call(session, TU_ROOT_PATH, TU_MANAGER_INTERFACE, "GetJob", CALL_READ_USEC, error,
                      "t", number);
    return take_path(answer, error);
}

gboolean job_stays(const Job *job)
{
    static const char *const kinds[] = { "clean", "adopt", "confirm", NULL };

    return g_strv_contains(kinds, job->kind);
}

gboolean job_is_finished(const Job *job)
{
    return g_str_equal(job->state, "finished");
}

const JobStep *job_find_step(const Job *job, const char *id)
{
    for (guint i = 0; i < job->steps->len; i++) {
        const JobStep *step = job->steps->pdata[i];

        if (g_str_equal(step->id, id))
            return step;
    }
    return NULL;
}
