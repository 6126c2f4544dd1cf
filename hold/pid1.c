#include "hold/pid1.h"
#include "common/error.h"
#include "common/text.h"

#include <stdlib.h>
#include <systemd/sd-bus.h>

#define NAME       "org.freedesktop.systemd1"
#define PATH       "/org/freedesktop/systemd1"
#define INTERFACE  "org.freedesktop.systemd1.Manager"
#define ADDRESS    "unix:path=/run/systemd/private"
#define LIMIT_USEC (10 * USEC_PER_SEC)

static sd_bus *bus;

static sd_bus *connection(void)
{
    if (bus && sd_bus_is_open(bus) > 0)
        return bus;
    bus = sd_bus_close_unref(bus);
    if (sd_bus_new(&bus) < 0)
        return NULL;
    if (sd_bus_set_address(bus, ADDRESS) < 0 ||
        sd_bus_set_method_call_timeout(bus, LIMIT_USEC) < 0 || sd_bus_start(bus) < 0)
        bus = sd_bus_close_unref(bus);
    return bus;
}

char *pid1_active_state(const char *unit)
{
    char *path = NULL, *state = NULL, *copy = NULL;

    if (connection() && sd_bus_path_encode(PATH "/unit", unit, &path) >= 0 &&
        sd_bus_get_property_string(bus, NAME, path, NAME ".Unit", "ActiveState", NULL, &state) >= 0)
        copy = g_strdup(state);
    else
        bus = sd_bus_close_unref(bus);
    free(path);
    free(state);
    return copy;
}

gboolean pid1_order(const char *verb, const char *unit, GError **error)
{
    sd_bus_error problem = SD_BUS_ERROR_NULL;
    gboolean ok = FALSE;
    int r;

    if (!connection())
        return FALSE;
    r = g_str_equal(verb, "ResetFailedUnit")
            ? sd_bus_call_method(bus, NAME, PATH, INTERFACE, verb, &problem, NULL, "s", unit)
            : sd_bus_call_method(bus, NAME, PATH, INTERFACE, verb, &problem, NULL, "ss", unit,
                                 "replace");
    ok = r >= 0;
    if (!ok && g_str_has_prefix(problem.name ? problem.name : "", NAME))
        tu_error_set(error, TU_ERROR_FAILED, "systemd refused: %s", problem.message);
    else if (!ok)
        bus = sd_bus_close_unref(bus);
    sd_bus_error_free(&problem);
    return ok;
}
