/* The declared world as objects: what the configuration says, kept as it changes.
 *
 * Reads the inventory whenever one of its directories changes, makes and removes the objects of
 * instances and servers, and logs each problem once. A wrong file takes its own object away and no
 * other.
 */
#pragma once

#include "daemon/object.h"

typedef struct World World;

/* Fills the daemon's inventory, instances and servers, and begins to watch. */
World *world_new(Daemon *daemon);
void world_free(World *world);

/* Reads everything again now, instead of when the change of a file is noticed. */
void world_look_again(Daemon *daemon);

/* Reads everything again now, and looks at every instance again. */
void world_reload(Daemon *daemon);

/* An object by name or number. Errors: NO_SUCH_…, INVALID_CONFIGURATION. */
Object *world_find_instance(Daemon *daemon, const char *name, GError **error);
Object *world_find_server(Daemon *daemon, const char *name, GError **error);
Object *world_find_job(Daemon *daemon, guint64 id, GError **error);

/* What is wrong with the files of facts.d; the world's own. */
char **world_fact_problems(const Daemon *daemon);

/* Whether systemd told how each unit is, and each installation what it is, good or bad. */
gboolean world_known(const Daemon *daemon);
