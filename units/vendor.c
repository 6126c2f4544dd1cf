#include "units/vendor.h"
#include "common/names.h"

void vendor_append_preload(const Inventory *inventory, const InstanceConfig *instance,
                           const char *shim, GString *text)
{
    g_autoptr(GString) keepers = g_string_new(NULL);

    for (guint i = 0; i < inventory->servers->len; i++) {
        const ServerConfig *server = g_ptr_array_index(inventory->servers, i);
        g_autofree char *control = path_keeper(server->name, "control");

        if (server->mode == MODE_INHERIT)
            g_string_append_printf(keepers, "%s%u=%s", keepers->len ? "," : "", server->port,
                                   control);
    }
    if (keepers->len > 0)
        g_string_append_printf(text,
                               "Environment=LD_PRELOAD=%s\n"
                               "Environment=TIMESTEN_PORT_KEEPERS=%s\n"
                               "Environment=TIMESTEN_PORT_NAME=%s\n",
                               shim, keepers->str, instance->name);
}

void vendor_append_sockets(const Inventory *inventory, const InstanceConfig *instance,
                           GString *text)
{
    for (guint i = 0; i < inventory->servers->len; i++) {
        const ServerConfig *server = g_ptr_array_index(inventory->servers, i);
        g_autofree char *unit = unit_server_socket(server->name);

        if (server->mode == MODE_INHERIT && g_str_equal(server->instance, instance->name))
            g_string_append_printf(text, "Wants=%s\nAfter=%s\n", unit, unit);
    }
}

static gboolean backs_a_server(const Inventory *inventory, const InstanceConfig *instance)
{
    for (guint i = 0; i < inventory->servers->len; i++) {
        const ServerConfig *server = g_ptr_array_index(inventory->servers, i);

        if (g_strcmp0(server->instance, instance->name) == 0)
            return TRUE;
    }
    return FALSE;
}

/* An instance before and after an upgrade in place has one unit: whichever backs a server counts. */
static gboolean speaks_for_unit(const Inventory *inventory, const InstanceConfig *instance)
{
    const InstanceConfig *first = NULL;

    for (guint i = 0; i < inventory->instances->len; i++) {
        const InstanceConfig *other = g_ptr_array_index(inventory->instances, i);

        if (g_strcmp0(other->unit, instance->unit) != 0)
            continue;
        if (backs_a_server(inventory, other))
            return other == instance;
        first = first ? first : other;
    }
    return first == instance;
}

gboolean vendor_write(Writer *writer, const Inventory *inventory, const InstanceConfig *instance,
                      const Layout *layout, const char *service, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (!speaks_for_unit(inventory, instance))
        return TRUE;
    words_append(text, "[Unit]\nRequiresMountsFor", "",
                 (char *[]){ instance->home, layout->daemon_home, NULL });
    g_string_append(text, "After=nss-user-lookup.target\n"
                          "# An instance that dies again and again must not need a person to start.\n"
                          "StartLimitIntervalSec=0\n");
    vendor_append_sockets(inventory, instance, text);
    g_string_append_printf(text,
                           "\n[Service]\n%s"
                           "# Recovery at a start and checkpoints at a stop take their time.\n"
                           "TimeoutStartSec=10min\n"
                           "TimeoutStopSec=1h\n"
                           "# timestend alone is asked to end, and ends its children in order.\n"
                           "KillMode=mixed\n"
                           "LimitMEMLOCK=infinity\n"
                           "OOMPolicy=continue\n"
                           "# One that was stopped in order, by whatever, stays so.\n"
                           "Restart=on-failure\n"
                           "RestartSec=300ms\n",
                           service);
    return writer_dropin(writer, instance->unit, "50-timesten-upgrade.conf", text, error);
}
