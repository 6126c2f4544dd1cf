/* The daemon's place on the bus: every object found by its path, the name taken and given back. */
#pragma once

#include "daemon/object.h"

/* All interfaces of the daemon, ended by NULL. */
extern const Interface *const bus_interfaces[];

/* Connects to the system bus, or to the one that DBUS_SYSTEM_BUS_ADDRESS names. */
gboolean bus_connect(Daemon *daemon, GError **error);

/* Makes all objects callable. An error where a member is not declared completely. */
gboolean bus_publish(Daemon *daemon, GError **error);
