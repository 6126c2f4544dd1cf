/* What the generator makes of an upgrade that waits to be confirmed: both main daemons start at boot,
 * because the way back needs both, and a timer goes off at the deadline. Internal to units/. */
#pragma once

#include "state/inventory.h"
#include "units/writer.h"

/* Writes links to both daemons and to timesten-confirm@SERVER.timer, and the times of that timer:
 * once for each boot and deadline, because they count from the timer's start and a later look must
 * not move them. Nothing where it does not wait. */
gboolean deadline_write(Writer *writer, const Inventory *inventory, const ServerConfig *server,
                        GError **error);

/* Adds the names of those units to UNITS, each g_free(). */
void deadline_add_units(const Inventory *inventory, const ServerConfig *server, GPtrArray *units);
