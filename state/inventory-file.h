/* One configuration file of the inventory: its keys, and what each may hold. Internal to state/. */
#pragma once

#include "state/inventory.h"

/* Reads one file. Everything that is wrong in it is added to PROBLEMS (GError), so that an
 * administrator sees all of it at once; NULL comes back then. What needs a look at other files is
 * not checked here. */
InstanceConfig *instance_file_read(const char *path, const char *name, GPtrArray *problems);
ServerConfig *server_file_read(const char *path, const char *name, GPtrArray *problems);

/* Whether a text may be a DSN and harms no file and no command line. */
gboolean dsn_is_valid(const char *text);

/* The port of PORT, ADDRESS:PORT or [IPV6]:PORT; 0 where it is none of them. */
guint16 listen_port(const char *listen);

/* Adds a problem that only shows beside other files, with the line of KEY. The file is read a
 * second time for that, so where it is changed this very moment, the line may be another. SECTION
 * is "Instance" or "Server". */
void inventory_file_complain(const char *path, const char *section, const char *key,
                             GPtrArray *problems, const char *format, ...) G_GNUC_PRINTF(5, 6);

void instance_config_free(InstanceConfig *instance);
void server_config_free(ServerConfig *server);
