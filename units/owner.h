/* Who has a server's port in this boot: systemd's socket unit, or the keeper where the server that
 * opened it was adopted while it ran. Internal to units/. */
#pragma once

#include <glib.h>

/* Appends to [Socket] where its public port comes from. */
void owner_append_socket(GString *text, const char *server, const char *address);
/* Appends the keeper's [Unit] and begins its [Service]. BACKING: the unit of the instance. */
void owner_append_keeper(GString *text, const char *server, const char *backing);
