#include "units/deadline.h"
#include "common/names.h"
#include "common/text.h"

#include <string.h>

#define DROPIN "50-deadline.conf"

static gboolean write_times(Writer *writer, const ServerConfig *server, GError **error)
{
    const guint64 by = server->backing->confirm_by;
    g_autofree char *unit = unit_confirm(server->name);
    g_autofree char *first = g_strdup_printf("# For the deadline %" G_GUINT64_FORMAT ".\n", by);
    g_autoptr(GString) text = g_string_new(first);
    guint64 left = backing_confirm_left(server->backing);

    if (writer_keep(writer, unit, DROPIN, first))
        return TRUE;
    /* One that has passed is not waited for; the moment is for timers that are started at once. */
    g_string_append_printf(text, "[Timer]\nOnActiveSec=\nOnActiveSec=%" G_GUINT64_FORMAT "us\n",
                           MAX(left, USEC_PER_SEC));
    /* After a reboot the time of day is all there is, and it may be set right only later. */
    if (left > 0 && !backing_same_boot(server->backing))
        g_string_append_printf(text, "OnCalendar=@%" G_GUINT64_FORMAT "\n",
                               (by + USEC_PER_SEC - 1) / USEC_PER_SEC);
    return writer_dropin(writer, unit, DROPIN, text, error);
}

void deadline_add_units(const Inventory *inventory, const ServerConfig *server, GPtrArray *units)
{
    const char *const names[] = { server->instance, server->previous_instance };

    for (guint i = 0; server->backing->unconfirmed && i < G_N_ELEMENTS(names); i++) {
        const InstanceConfig *instance = inventory_instance(inventory, names[i], NULL);

        if (instance)
            g_ptr_array_add(units, inventory_instance_unit(instance));
    }
    if (server->backing->confirm_by != 0)
        g_ptr_array_add(units, unit_confirm(server->name));
}

/* The unit file of which a unit is an instance; systemd reads the name of the link alone. g_free().
 */
static char *file_of(const char *unit)
{
    const char *at = strchr(unit, '@');

    return at ? g_strdup_printf(UNITDIR "/%.*s@%s", (int)(at - unit), unit, strrchr(unit, '.'))
              : g_strconcat(UNITDIR "/", unit, NULL);
}

gboolean deadline_write(Writer *writer, const Inventory *inventory, const ServerConfig *server,
                        GError **error)
{
    g_autoptr(GPtrArray) units = g_ptr_array_new_with_free_func(g_free);

    if (server->backing->confirm_by != 0 && !write_times(writer, server, error))
        return FALSE;
    deadline_add_units(inventory, server, units);
    for (guint i = 0; i < units->len; i++) {
        const char *unit = units->pdata[i];
        g_autofree char *file = file_of(unit);
        const char *target =
            g_str_has_suffix(unit, ".timer") ? "timers.target" : "multi-user.target";

        if (!writer_want(writer, target, unit, file, error))
            return FALSE;
    }
    return TRUE;
}
