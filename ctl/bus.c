#include "ctl/bus.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"

#include <errno.h>
#include <signal.h>
#include <systemd/sd-event.h>

/* Errors that the bus, systemd and polkit make, and what they mean here. A name that ends in '.'
 * stands for all that begin with it. The first that fits wins. */
static const struct {
    const char *name;
    TuError code;
    const char *meaning;
} foreign[] = {
    { SD_BUS_ERROR_SERVICE_UNKNOWN, TU_ERROR_FAILED,
      "The upgrade service is not installed there: install the package timesten-upgrade" },
    { SD_BUS_ERROR_NAME_HAS_NO_OWNER, TU_ERROR_FAILED,
      "The upgrade service does not run and cannot be started over the bus: "
      "systemctl status timesten-upgraded.service tells why" },
    { "org.freedesktop.DBus.Error.Spawn.", TU_ERROR_FAILED,
      "The upgrade service could not be started: "
      "systemctl status timesten-upgraded.service tells why" },
    { "org.freedesktop.systemd1.", TU_ERROR_FAILED,
      "systemd could not start the upgrade service: "
      "systemctl status timesten-upgraded.service tells why" },
    { SD_BUS_ERROR_TIMEOUT, TU_ERROR_FAILED,
      "The upgrade service did not answer in time: "
      "systemctl status timesten-upgraded.service tells what it does" },
    { SD_BUS_ERROR_NO_REPLY, TU_ERROR_FAILED,
      "The upgrade service did not answer, or ended before it did: "
      "journalctl -u timesten-upgraded.service tells more" },
    { SD_BUS_ERROR_DISCONNECTED, TU_ERROR_FAILED, "The connection to the bus was lost" },
    { "System.Error.ENOTCONN", TU_ERROR_FAILED,
      "The bus cannot be reached, or the connection to it was lost" },
    { "System.Error.ECONNRESET", TU_ERROR_FAILED,
      "The bus cannot be reached, or the connection to it was lost" },
    { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, TU_ERROR_NOT_AUTHORIZED,
      "The service wants you to authenticate, and nobody could be asked" },
    { SD_BUS_ERROR_ACCESS_DENIED, TU_ERROR_NOT_AUTHORIZED, "Access was denied" },
    { SD_BUS_ERROR_UNKNOWN_METHOD, TU_ERROR_FAILED,
      "The service does not know this call: it is of another version than this ttctl" },
    { SD_BUS_ERROR_UNKNOWN_INTERFACE, TU_ERROR_FAILED,
      "The service does not know this interface: it is of another version than this ttctl" },
    { SD_BUS_ERROR_UNKNOWN_OBJECT, TU_ERROR_FAILED, "The object is gone" },
};

static gboolean name_fits(const char *pattern, const char *name)
{
    return g_str_has_suffix(pattern, ".") ? g_str_has_prefix(name, pattern)
                                          : g_str_equal(pattern, name);
}

void bus_take_error(const sd_bus_error *from, GError **error)
{
    g_autofree char *message = text_one_line(from->message ? from->message : from->name, 2000);
    TuError code;

    if (tu_error_from_bus_name(from->name, &code)) {
        g_set_error_literal(error, TU_ERROR, code, message);
        return;
    }
    for (guint i = 0; i < G_N_ELEMENTS(foreign); i++)
        if (name_fits(foreign[i].name, from->name)) {
            g_set_error(error, TU_ERROR, foreign[i].code, "%s (%s)", foreign[i].meaning, message);
            return;
        }
    g_set_error(error, TU_ERROR, TU_ERROR_FAILED, "%s (%s)", message, from->name);
}

gboolean bus_fail(GError **error, int r, const char *what)
{
    return tu_error_errno(error, -r, "%s", what);
}

sd_bus *bus_open(const Options *options, GError **error)
{
    sd_bus *bus = NULL;
    int r = 0;

    switch (options->transport) {
    case TRANSPORT_LOCAL:
        r = sd_bus_open_system(&bus);
        break;
    case TRANSPORT_HOST:
        r = sd_bus_open_system_remote(&bus, options->host);
        break;
    case TRANSPORT_MACHINE:
        r = sd_bus_open_system_machine(&bus, options->host);
        break;
    }
    if (r < 0) {
        tu_error_errno(error, -r, "Cannot connect to the system bus%s%s",
                       options->host ? " of " : "; is dbus running?",
                       options->host ? options->host : "");
        return NULL;
    }
    sd_bus_set_allow_interactive_authorization(bus, !options->no_ask_password);
    return bus;
}

sd_bus_message *bus_message(Session *session, const char *path, const char *interface,
                            const char *member, GError **error)
{
    sd_bus_message *call = NULL;
    int r =
        sd_bus_message_new_method_call(session->bus, &call, TU_BUS_NAME, path, interface, member);

    if (r < 0)
        bus_fail(error, r, "Cannot make a call to the service");
    return call;
}

/* Whose trouble it is, where that is not this host's. */
static void name_host(const Session *session, GError **error)
{
    if (session->options->host)
        g_prefix_error(error, "%s: ", session->options->host);
}

sd_bus_message *bus_send(Session *session, sd_bus_message *call, guint64 timeout_usec,
                         GError **error)
{
    sd_bus_error problem = SD_BUS_ERROR_NULL;
    sd_bus_message *answer = NULL;

    int r = sd_bus_call(session->bus, call, timeout_usec, &problem, &answer);

    if (r >= 0)
        return answer;
    if (sd_bus_error_is_set(&problem))
        bus_take_error(&problem, error);
    else
        bus_fail(error, r, "Cannot call the service");
    name_host(session, error);
    sd_bus_error_free(&problem);
    return NULL;
}

static int keep_answer(sd_bus_message *answer, void *data, sd_bus_error *ret_error)
{
    sd_bus_message **kept = data;

    *kept = sd_bus_message_ref(answer);
    return 0;
}

static int stop_waiting(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
    *(gboolean *)data = TRUE;
    return 0;
}

sd_bus_message *bus_send_patiently(Session *session, sd_bus_message *call, guint64 timeout_usec,
                                   GError **error)
{
    g_autoptr(sd_event) event = NULL;
    g_autoptr(sd_bus_slot) slot = NULL;
    g_autoptr(sd_bus_message) answer = NULL;
    gboolean stopped = FALSE;
    int r = sd_event_new(&event);

    if (r >= 0)
        r = sd_event_add_signal(event, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK, stop_waiting,
                                &stopped);
    if (r >= 0)
        r = sd_event_add_signal(event, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, stop_waiting,
                                NULL);
    if (r >= 0)
        r = sd_bus_attach_event(session->bus, event, SD_EVENT_PRIORITY_NORMAL);
    if (r >= 0)
        r = sd_bus_call_async(session->bus, &slot, call, keep_answer, &answer, timeout_usec);
    /* No sd_event_exit(): the end of a loop closes the buses that are attached to it. */
    while (r >= 0 && !answer && !stopped)
        r = sd_event_run(event, UINT64_MAX);
    sd_bus_detach_event(session->bus);
    if (r < 0) {
        bus_fail(error, r, "Cannot wait for the service's answer");
        return NULL;
    }
    if (answer && sd_bus_message_is_method_error(answer, NULL)) {
        bus_take_error(sd_bus_message_get_error(answer), error);
        name_host(session, error);
        return NULL;
    }
    return g_steal_pointer(&answer);
}

sd_bus_message *bus_call(Session *session, const char *path, const char *interface,
                         const char *member, guint64 timeout_usec, GError **error,
                         const char *types, ...)
{
    g_autoptr(sd_bus_message) call = bus_message(session, path, interface, member, error);
    va_list arguments;
    int r = 0;

    if (!call)
        return NULL;
    va_start(arguments, types);
    if (types)
        r = sd_bus_message_appendv(call, types, arguments);
    va_end(arguments);
    if (r < 0) {
        bus_fail(error, r, "Cannot write a call to the service");
        return NULL;
    }
    return bus_send(session, call, timeout_usec, error);
}
