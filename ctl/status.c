/* ttctl status: how all servers do in a table, or everything that is known about one. */
#include "ctl/bus.h"
#include "ctl/object-json.h"
#include "ctl/pager.h"
#include "ctl/progress.h"
#include "ctl/socket.h"
#include "ctl/table.h"
#include "ctl/verbs.h"
#include "ctl/words.h"
#include "common/names.h"
#include "common/text.h"

/* The object paths of all servers. */
static GPtrArray *server_paths(Session *session, GError **error)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(sd_bus_message) answer = bus_call(session, TU_ROOT_PATH, TU_MANAGER_INTERFACE,
                                                "ListServers", CALL_READ_USEC, error, NULL);
    const char *path;
    int r;

    if (!answer)
        return NULL;
    r = sd_bus_message_enter_container(answer, 'a', "(ssqso)");
    while (r >= 0 &&
           (r = sd_bus_message_read(answer, "(ssqso)", NULL, NULL, NULL, NULL, &path)) > 0)
        g_ptr_array_add(paths, g_strdup(path));
    if (r < 0) {
        bus_fail(error, r, "Cannot read the service's answer");
        return NULL;
    }
    return g_steal_pointer(&paths);
}

static GPtrArray *load_servers(Session *session, GError **error)
{
    g_autoptr(GPtrArray) paths = server_paths(session, error);
    g_autoptr(GPtrArray) servers = g_ptr_array_new_with_free_func((GDestroyNotify)server_free);

    for (guint i = 0; paths && i < paths->len; i++) {
        Server *server = server_load(session, paths->pdata[i], error);

        if (!server)
            return NULL;
        g_ptr_array_add(servers, server);
    }
    return paths ? g_steal_pointer(&servers) : NULL;
}

/* The job that is at work on a server; NULL where there is none. One that ended and was removed in
 * between is none either. */
static Job *load_current_job(Session *session, const Server *server)
{
    if (!*server->job || g_str_equal(server->job, "/"))
        return NULL;
    return job_load(session, server->job, NULL);
}

/* How old the hold is, and how long it may still last. */
static char *hold_text(const Server *server)
{
    gint64 now = g_get_real_time();
    gint64 left = (gint64)server->hold_deadline - now;
    gint64 age = now - (gint64)server->hold_since;
    g_autofree char *left_text = NULL, *age_text = NULL;

    if (server->hold_deadline == 0)
        return g_strdup("");
    left_text = text_timespan(MAX(left, 0));
    if (server->hold_since == 0) /* a daemon before 0.2.0 */
        return g_strdup_printf("%s left", left_text);
    age_text = text_timespan(MAX(age, 0));
    return g_strdup_printf("%s, %s left", age_text, left_text);
}

static void print_overview(GPtrArray *servers)
{
    g_autoptr(Table) table = table_new("SERVER", "STATE", ">PORT", "INSTANCE", "RELEASE",
                                       ">SESSIONS", ">WAITING", "HOLD", NULL);

    for (guint i = 0; i < servers->len; i++) {
        const Server *server = servers->pdata[i];
        g_autofree char *hold = hold_text(server);

        table_add(table, server->name);
        table_add_styled(table, word_style(server->state), server->state);
        table_add_uint(table, server->port);
        table_add(table, server->instance);
        table_add(table, server->release);
        table_add_uint(table, server->sessions);
        table_add_uint(table, server->held);
        table_add(table, hold);
    }
    table_print(table, stdout);
}

static void print_field(const char *name, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void print_field(const char *name, const char *format, ...)
{
    g_autofree char *lead = g_strdup_printf("%12s: ", name);
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    terminal_paragraph(stdout, lead, STYLE_PLAIN, *text ? text : "-");
}

static void print_server(const Server *server, const Job *job)
{
    g_autofree char *databases = server->databases ? g_strjoinv(", ", server->databases) : NULL;
    g_autofree char *hold = hold_text(server);
    g_autofree char *confirmation = word_confirmation(server);

    terminal_put(stdout, STYLE_BOLD, server->name);
    printf(" (port %u)\n", server->port);
    printf("%12s: ", "State");
    terminal_put(stdout, word_style(server->state), server->state);
    printf("%s%s\n", *hold ? " for " : "", hold);
    print_field("Instance", "%s%s%s%s", server->instance, *server->release ? " (" : "",
                server->release, *server->release ? ")" : "");
    if (*server->previous_instance)
        print_field("Before that", "%s", server->previous_instance);
    if (*confirmation)
        print_field("Confirmation", "%s", confirmation);
    print_field("Databases", "%s", databases ? databases : "");
    print_field("Mode", "%s", server->mode);
    print_field("Clients", "%u connected, %u waiting", server->sessions, server->held);
    if (*server->last_result) {
        g_autofree char *time = word_time(server->last_time);

        print_field("Last job", "%" G_GUINT64_FORMAT ", %s%s%s, %s", server->last_job,
                    server->last_result, *server->last_error ? ": " : "",
                    *server->last_error ? strrchr(server->last_error, '.')
                                              ? strrchr(server->last_error, '.') + 1
                                              : server->last_error
                                        : "",
                    time);
    }
    if (job) {
        g_autofree char *line = progress_line(job, server, 0, terminal_columns(stdout));

        print_field("Job", "%" G_GUINT64_FORMAT ", %s", job->id, job->kind);
        printf("%12s  %s\n", "", line);
    }
}

/* What somebody who sees a state may want to type next. */
static const struct {
    const char *state;
    const char *hint;
} hints[] = {
    { "refusing", "Serve the clients again: ttctl resume {server}" },
    { "held", "Serve the clients again: ttctl resume {server}" },
    { "stopped", "Open the port: systemctl start timesten-server@{server}.socket" },
    { "needs-attention", "What to do: ttctl job {job}, and timesten-upgrade(7), section TROUBLE" },
};

static void print_hint(const Server *server)
{
    g_autofree char *job = g_strdup_printf("%" G_GUINT64_FORMAT, server->last_job);

    for (guint i = 0; i < G_N_ELEMENTS(hints); i++)
        if (g_str_equal(hints[i].state, server->state)) {
            g_autoptr(GString) hint = g_string_new(hints[i].hint);

            g_string_replace(hint, "{server}", server->name, 0);
            g_string_replace(hint, "{job}", job, 0);
            printf("\n%s\n", hint->str);
        }
}

/* A line of its own, because it is a thing to do. */
static void print_unconfirmed(const Server *server)
{
    g_autofree char *text = word_confirmation(server);

    if (*text)
        printf("\n%s is %s. Keep %s: ttctl confirm %s\n", server->name, text, server->instance,
               server->name);
}

static int show_one(Session *session, const char *name, GError **error)
{
    g_autofree char *path = server_path(session, name, error);
    g_autoptr(Server) server = path ? server_load(session, path, error) : NULL;
    g_autoptr(Job) job = server ? load_current_job(session, server) : NULL;
    g_autoptr(Pager) pager = NULL;

    if (!server)
        return 1;
    if (session->options->output != OUTPUT_TEXT) {
        g_autoptr(Json) json = json_begin(session->options);

        json_server(json, "server", server);
        if (job)
            json_job(json, "job", job);
        else
            json_null(json, "job");
        json_finish(json);
        return 0;
    }
    pager = pager_open(session->options);
    print_server(server, job);
    if (!session->options->quiet) {
        print_hint(server);
        print_unconfirmed(server);
    }
    return 0;
}

static int show_all(Session *session, GError **error)
{
    g_autoptr(GPtrArray) servers = load_servers(session, error);
    g_autoptr(Pager) pager = NULL;

    if (!servers)
        return 1;
    if (session->options->output != OUTPUT_TEXT) {
        g_autoptr(Json) json = json_begin(session->options);

        json_array_begin(json, "servers");
        for (guint i = 0; i < servers->len; i++)
            json_server(json, NULL, servers->pdata[i]);
        json_end(json);
        if (!socket_json(session, json, error))
            return 1;
        json_finish(json);
        return 0;
    }
    pager = pager_open(session->options);
    if (servers->len > 0)
        print_overview(servers);
    else
        puts("No servers are configured: see timesten-upgrade.conf(5).");
    for (guint i = 0; i < servers->len; i++) {
        const Server *server = servers->pdata[i];
        g_autoptr(Job) job = load_current_job(session, server);
        g_autofree char *line = NULL;

        print_unconfirmed(server);
        if (!job)
            continue;
        line = progress_line(job, server, 0, 0);
        printf("\nJob %" G_GUINT64_FORMAT " on %s: %s\n", job->id, server->name, line);
    }
    return socket_table(session, error) ? 0 : 1;
}

int status_run(Session *session, char **arguments, GError **error)
{
    if (arguments[0] && socket_is(arguments[0]))
        return socket_status(session, arguments[0], error);
    return arguments[0] ? show_one(session, arguments[0], error) : show_all(session, error);
}
