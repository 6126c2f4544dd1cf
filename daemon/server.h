/* A server on the bus: its configuration, how its units and its keeper are, what jobs did to it.
 *
 * What it can be asked for is in ask.c (Check, Plan), change.c (Upgrade, Rollback, Confirm, Clean) and
 * hold.c (Hold, Resume).
 */
#pragma once

#include "daemon/object.h"
#include "daemon/units.h"
#include "daemon/watch.h"
#include "port/keeper.h"
#include "state/inventory.h"

typedef struct {
    Object object;
    const ServerConfig *config; /* of the daemon's inventory */
    UnitWatch *socket;
    UnitWatch *keeper;
    Watch *status_watch;
    KeeperStatus *status;   /* as last published; NULL none */
    gboolean under_control; /* Hold or Resume talks to the keeper */
} Server;

extern const Interface server_interface;

/* CONFIG stays the inventory's. */
Server *server_new(Daemon *daemon, const ServerConfig *config);
/* The daemon's own; NULL where none of that name is declared. */
Server *server_find(const Daemon *daemon, const char *name);
/* Follows nothing any more: it is no longer declared, but a call may still hold it. */
void server_stop(Server *server);
void server_update(Server *server, const ServerConfig *config);

/* "serving", …; a word that lives for ever. */
const char *server_state(const Server *server);
