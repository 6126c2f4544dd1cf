/* An instance on the bus: its configuration, what its installation says, how its unit is. */
#pragma once

#include "daemon/object.h"
#include "daemon/units.h"
#include "state/inventory.h"
#include "timesten/facts.h"

typedef struct {
    Object object;
    const InstanceConfig *config; /* of the daemon's inventory */
    UnitWatch *unit;
    char *unit_name;
    gboolean was_active;
    InstanceFacts *facts; /* NULL: not known yet */
    struct Probe *probe;  /* probe.c: a look that is under way */
} Instance;

extern const Interface instance_interface;

/* CONFIG stays the inventory's. */
Instance *instance_new(Daemon *daemon, const InstanceConfig *config);
/* The daemon's own; NULL where none of that name is declared. */
Instance *instance_find(const Daemon *daemon, const char *name);

/* The configuration was read again; CONFIG belongs to the new inventory, the old one is still
 * there. */
void instance_update(Instance *instance, const InstanceConfig *config);

/* Follows nothing any more: it is no longer declared, but a call may still hold it. */
void instance_stop(Instance *instance);

/* Its facts changed: so did the servers that it backs. */
void instance_changed(Instance *instance);

/* "running", …; a word that lives for ever. */
const char *instance_state(const Instance *instance);
/* As "7.0.6", "" unknown; g_free(). */
char *instance_release(const Instance *instance);
