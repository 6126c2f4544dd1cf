/* What the units of instances say about the servers that they back, and the drop-in of a unit that is
 * the vendor's: what it lacks for us, never what it says itself. For the generator. */
#pragma once

#include "units/layout.h"
#include "units/writer.h"

/* Without the socket unit there would be no keeper to ask. */
void vendor_append_sockets(const Inventory *inventory, const InstanceConfig *instance,
                           GString *text);
/* So that its TimesTen Server takes the socket of the server that it backs. For all instances:
 * which of them backs a server changes while their main daemons run, and the keeper knows. */
void vendor_append_preload(const Inventory *inventory, const InstanceConfig *instance,
                           const char *shim, GString *text);

/* SERVICE: more lines for [Service]. Nothing where another instance speaks for the same unit. */
gboolean vendor_write(Writer *writer, const Inventory *inventory, const InstanceConfig *instance,
                      const Layout *layout, const char *service, GError **error);
