/* ttctl hold, resume, reload: small orders that are carried out at once. */
#include "ctl/bus.h"
#include "ctl/object-json.h"
#include "ctl/report.h"
#include "ctl/socket.h"
#include "ctl/verbs.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"

#define DEFAULT_LIMIT_USEC (60 * USEC_PER_SEC)

/* Server and state after an order, as JSON; nothing with --quiet. */
static int print_server(Session *session, const char *path, GError **error)
{
    g_autoptr(Server) server = server_load(session, path, error);
    g_autoptr(Json) json = NULL;

    if (!server)
        return 1;
    json = json_begin(session->options);
    json_server(json, "server", server);
    json_finish(json);
    return 0;
}

static gboolean hold_limit(Session *session, char **arguments, guint64 *ret_usec, GError **error)
{
    const char *written = arguments[1] ? arguments[1] : session->options->limit;

    *ret_usec = DEFAULT_LIMIT_USEC;
    if (arguments[1] && session->options->limit) {
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                    "The limit was given twice, as %s and as --limit=%s", arguments[1],
                    session->options->limit);
        return FALSE;
    }
    if (!written)
        return TRUE;
    if (text_parse_timespan(written, ret_usec) && *ret_usec > 0 && *ret_usec != USEC_NEVER)
        return TRUE;
    g_set_error(
        error, TU_ERROR, TU_ERROR_INVALID_OPTION,
        "A hold needs a limit such as 90, 90s or 2min, and %s is none: clients must not wait "
        "for ever",
        written);
    return FALSE;
}

int hold_run(Session *session, char **arguments, GError **error)
{
    g_autofree char *path = NULL;
    g_autofree char *span = NULL;
    g_autoptr(sd_bus_message) answer = NULL;
    g_autoptr(GError) usage = NULL;
    guint64 limit;

    if (!hold_limit(session, arguments, &limit, &usage))
        return report_usage(usage);
    if (socket_is(arguments[0]))
        return socket_hold(session, arguments[0], limit, error);
    path = server_path(session, arguments[0], error);
    if (!path)
        return 1;
    answer = bus_call(session, path, TU_SERVER_INTERFACE, "Hold", CALL_CHANGE_USEC, error, "ta{sv}",
                      limit, 0);
    if (!answer)
        return 1;
    if (session->options->output != OUTPUT_TEXT)
        return print_server(session, path, error);
    span = text_timespan(limit);
    if (!session->options->quiet)
        printf("%s is on hold for at most %s: new connects wait, open sessions go on.\n"
               "Serve them with: ttctl resume %s\n",
               arguments[0], span, arguments[0]);
    return 0;
}

int resume_run(Session *session, char **arguments, GError **error)
{
    g_autofree char *path = NULL;
    g_autoptr(sd_bus_message) answer = NULL;

    if (socket_is(arguments[0]))
        return socket_resume(session, arguments[0], error);
    path = server_path(session, arguments[0], error);
    if (path)
        answer = bus_call(session, path, TU_SERVER_INTERFACE, "Resume", CALL_CHANGE_USEC, error,
                          "a{sv}", 0);
    if (!answer)
        return 1;
    if (session->options->output != OUTPUT_TEXT)
        return print_server(session, path, error);
    if (!session->options->quiet)
        printf("%s serves its clients again.\n", arguments[0]);
    return 0;
}

int reload_run(Session *session, char **arguments, GError **error)
{
    g_autoptr(sd_bus_message) answer = bus_call(session, TU_ROOT_PATH, TU_MANAGER_INTERFACE,
                                                "Reload", CALL_CHANGE_USEC, error, NULL);

    if (!answer)
        return 1;
    if (session->options->output != OUTPUT_TEXT) {
        g_autoptr(Json) json = json_begin(session->options);

        json_bool(json, "reloaded", TRUE);
        json_finish(json);
    } else if (!session->options->quiet) {
        puts("The configuration was read again.");
    }
    return 0;
}
