/* ttctl list: what there is. One line each, straight from the manager; of servers also whether they
 * wait to be confirmed, which only they know. */
#include "ctl/bus.h"
#include "ctl/object-json.h"
#include "ctl/pager.h"
#include "ctl/socket.h"
#include "ctl/table.h"
#include "ctl/verbs.h"
#include "ctl/words.h"
#include "common/names.h"

/* Fills table and JSON (either may be NULL) from an answer; returns the number of rows, < 0 on
 * error. */
typedef int (*ReadRows)(Session *session, sd_bus_message *answer, Table *table, Json *json);

static int read_servers(Session *session, sd_bus_message *answer, Table *table, Json *json)
{
    const char *name, *state, *instance, *path;
    guint16 port;
    int count = 0, r = sd_bus_message_enter_container(answer, 'a', "(ssqso)");

    if (r < 0)
        return r;
    while ((r = sd_bus_message_read(answer, "(ssqso)", &name, &state, &port, &instance, &path)) >
           0) {
        g_autoptr(Server) server = server_load(session, path, NULL); /* gone meanwhile: NULL */
        g_autofree char *confirmation = server ? word_confirmation(server) : g_strdup("");
        g_autofree char *shown =
            *confirmation ? g_strdup_printf("%s (%s)", instance, confirmation) : g_strdup(instance);

        count++;
        if (json) {
            json_object_begin(json, NULL);
            json_string(json, "name", name);
            json_string(json, "state", state);
            json_uint(json, "port", port);
            json_string(json, "instance", *instance ? instance : NULL);
            json_confirmation(json, server);
            json_end(json);
            continue;
        }
        table_add(table, name);
        table_add_styled(table, word_style(state), state);
        table_add_uint(table, port);
        table_add(table, shown);
    }
    return r < 0 ? r : count;
}

static int read_instances(Session *session, sd_bus_message *answer, Table *table, Json *json)
{
    const char *name, *release, *state;
    int count = 0, r = sd_bus_message_enter_container(answer, 'a', "(ssso)");

    if (r < 0)
        return r;
    while ((r = sd_bus_message_read(answer, "(ssso)", &name, &release, &state, NULL)) > 0) {
        count++;
        if (json) {
            json_object_begin(json, NULL);
            json_string(json, "name", name);
            json_string(json, "release", *release ? release : NULL);
            json_string(json, "state", state);
            json_end(json);
            continue;
        }
        table_add(table, name);
        table_add(table, release);
        table_add_styled(table, word_style(state), state);
    }
    return r < 0 ? r : count;
}

static gboolean list(Session *session, const char *method, ReadRows read, Table *table, Json *json,
                     int *ret_count, GError **error)
{
    g_autoptr(sd_bus_message) answer =
        bus_call(session, TU_ROOT_PATH, TU_MANAGER_INTERFACE, method, CALL_READ_USEC, error, NULL);

    if (!answer)
        return FALSE;
    *ret_count = read(session, answer, table, json);
    return *ret_count >= 0 || bus_fail(error, *ret_count, "Cannot read the service's answer");
}

static int list_json(Session *session, GError **error)
{
    g_autoptr(Json) json = json_begin(session->options);
    int count;

    json_array_begin(json, "servers");
    if (!list(session, "ListServers", read_servers, NULL, json, &count, error))
        return 1;
    json_end(json);
    json_array_begin(json, "instances");
    if (!list(session, "ListInstances", read_instances, NULL, json, &count, error))
        return 1;
    json_end(json);
    if (!socket_json(session, json, error))
        return 1;
    json_finish(json);
    return 0;
}

int list_run(Session *session, char **arguments, GError **error)
{
    g_autoptr(Table) servers = table_new("SERVER", "STATE", ">PORT", "INSTANCE", NULL);
    g_autoptr(Table) instances = table_new("INSTANCE", "RELEASE", "STATE", NULL);
    g_autoptr(Pager) pager = NULL;
    int server_count, instance_count;

    if (session->options->output != OUTPUT_TEXT)
        return list_json(session, error);
    if (!list(session, "ListServers", read_servers, servers, NULL, &server_count, error) ||
        !list(session, "ListInstances", read_instances, instances, NULL, &instance_count, error))
        return 1;
    pager = pager_open(session->options);
    if (server_count > 0)
        table_print(servers, stdout);
    else
        puts("No servers are configured: see timesten-upgrade.conf(5).");
    putchar('\n');
    if (instance_count > 0)
        table_print(instances, stdout);
    else
        puts("No instances are configured: see timesten-upgrade.conf(5).");
    return socket_table(session, error) ? 0 : 1;
}
