/* The files of an instance of 18.1 or later, as ttInstanceCreate leaves them (facts 2.1, 2.3, 2.5).
 */
#pragma once

#include "instance.h"

typedef struct {
    const Instance *software;
    const char *home, *name, *admin;
    const char *daemon_port, *server_port, *uid, *tns_admin;
} NewInstance;

/* Makes all of it. Error: TT_FILE. */
gboolean instance_files_create(const NewInstance *instance, GError **error);
/* The unit template HOME/startup/tt_NAME.service, made or removed. */
gboolean instance_unit_write(const Instance *instance, GError **error);
void instance_unit_remove(const Instance *instance);
char *instance_unit_path(const Instance *instance); /* g_free() */
/* HOME/install leads to INSTALLATION from now on. */
gboolean instance_link(const char *home, const char *installation, GError **error);
