#include "hold/danger.h"
#include "hold/record.h"
#include "common/error.h"
#include "common/text.h"

#include <string.h>

/* systemd's unit_name_is_valid(). */
#define NAME_LETTERS G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS ":-_.\\@"
/* "timesten-queue@" and ".service" come around it, and 255 is what systemd takes. */
#define NAME_LIMIT 220

/* What holds everything else up. */
static const struct {
    const char *prefix;
    const char *why;
} not_these[] = {
    { "timesten-server@", "is the port of a server of ours: hold it by the server's name" },
    { "dbus.socket", "is what a hold itself is asked and ended by" },
    { "dbus-broker", "is what a hold itself is asked and ended by" },
    { "systemd-", "belongs to the system itself, which does not run without it" },
    { "syslog.socket", "belongs to the system's journal" },
};

gboolean danger_check_name(const char *socket, GError **error)
{
    g_autofree char *shown = text_one_line(socket, 80);

    if (!g_str_has_suffix(socket, ".socket") || socket[0] == '.' || strlen(socket) > NAME_LIMIT ||
        socket[strspn(socket, NAME_LETTERS)] != '\0' || g_str_has_suffix(socket, "@.socket"))
        return tu_error_set(error, TU_ERROR_INVALID_OPTION,
                            "\"%s\" is not the name of a socket unit, such as web.socket", shown);
    for (guint i = 0; i < G_N_ELEMENTS(not_these); i++)
        if (g_str_has_prefix(socket, not_these[i].prefix))
            return tu_error_set(error, TU_ERROR_NOT_POSSIBLE, "%s cannot be held, because it %s",
                                socket, not_these[i].why);
    return TRUE;
}

static gboolean refuse(GError **error, const char *unit, const char *why)
{
    return tu_error_set(error, TU_ERROR_NOT_POSSIBLE, "%s cannot be held: %s", unit, why);
}

gboolean danger_check_socket(const UnitFacts *socket, GError **error)
{
    if (!g_str_equal(socket->load_state, "loaded"))
        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "%s cannot be held, because systemd has no such unit (%s). "
                            "systemctl list-sockets shows what there is",
                            socket->name, socket->load_state);
    if (!g_str_equal(socket->active_state, "active"))
        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "%s cannot be held, because nothing listens there: it is %s. "
                            "systemctl start %s opens it",
                            socket->name, socket->active_state, socket->name);
    if (socket->accept)
        return refuse(
            error, socket->name,
            "with Accept=yes systemd takes each client out of the queue itself, and closes "
            "those beyond MaxConnections=. Use Accept=no and a service that accepts");
    for (guint i = 0; socket->listen_types[i]; i++)
        if (!g_str_equal(socket->listen_types[i], "Stream"))
            return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                                "%s cannot be held: it has a socket of type %s, whose messages "
                                "would be lost. Only ListenStream= has a queue in which clients "
                                "wait; give it a socket unit of its own",
                                socket->name, socket->listen_types[i]);
    if (socket->flush_pending)
        return refuse(error, socket->name,
                      "with FlushPending=yes systemd throws away who waits when the service stops. "
                      "Set it to no");
    if (socket->stop_when_unneeded)
        return refuse(error, socket->name,
                      "with StopWhenUnneeded=yes it goes when its service stops, and resets who "
                      "waits. Set it to no");
    return TRUE;
}

const char *danger_service(const UnitFacts *socket, GError **error)
{
    const char *service = NULL;
    guint count = 0;

    for (guint i = 0; socket->triggers[i]; i++)
        if (!hold_is_ours(socket->triggers[i])) {
            service = socket->triggers[i];
            count++;
        }
    if (count == 1 && g_str_has_suffix(service, ".service"))
        return service;
    refuse(error, socket->name,
           count > 1 ? "more than one service has its descriptors (Sockets=), so a stop of one "
                       "leaves another that accepts. Give each a socket unit of its own"
                     : "it starts no service");
    return NULL;
}

gboolean danger_check_service(const UnitFacts *service, guint64 limit_usec, GError **error)
{
    if (!g_str_equal(service->load_state, "loaded"))
        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "%s cannot be held, because its unit is %s: nothing could be started "
                            "at the end of the hold",
                            service->name, service->load_state);
    if (service->refuse_manual_stop || service->refuse_manual_start)
        return refuse(error, service->name,
                      "RefuseManualStart= or RefuseManualStop= of the service forbids it");
    if (g_str_equal(service->kill_mode, "none") || g_str_equal(service->kill_mode, "process"))
        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "%s cannot be held: with KillMode=%s processes of the service outlive "
                            "its stop, and may go on accepting. Use control-group or mixed",
                            service->name, service->kill_mode);
    if (service->job_timeout_usec < limit_usec) {
        g_autofree char *limit = text_timespan(service->job_timeout_usec);

        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "%s cannot be held for so long: its JobTimeoutSec= of %s would end the "
                            "start that waits. Hold it for less",
                            service->name, limit);
    }
    return TRUE;
}

GPtrArray *danger_taken_along(const UnitFacts *unit)
{
    char **const lists[] = { unit->required_by, unit->bound_by, unit->consists_of,
                             unit->propagates_stop_to };
    GPtrArray *units = g_ptr_array_new();

    for (guint i = 0; i < G_N_ELEMENTS(lists); i++)
        for (guint j = 0; lists[i][j]; j++)
            g_ptr_array_add(units, lists[i][j]);
    return units;
}

gboolean danger_check_taken_along(const char *unit, const char *service, GError **error)
{
    if (!g_str_has_suffix(unit, ".socket"))
        return TRUE;
    return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                        "%s cannot be held, because its restart also restarts %s (PartOf=, "
                        "BindsTo= or Requires= there), which resets who waits. Take that line away",
                        service, unit);
}
