/* What the parts of the daemon share: one of each, made by main.c, handed to whoever needs it.
 *
 * It only points to things that have a file of their own; nothing is kept here that belongs to one
 * of them, and nothing here says that the daemon is busy.
 */
#pragma once

#include "daemon/object.h"
#include "state/inventory.h"

struct Daemon {
    sd_event *event;
    sd_bus *bus;
    Object *manager;             /* manager.c */
    struct World *world;         /* world.c: watches on the configuration */
    Inventory *inventory;        /* the same, as last read */
    GHashTable *instances;       /* name → Instance, instance.c */
    GHashTable *servers;         /* name → Server, server.c */
    struct JobTable *jobs;       /* jobs.c */
    GPtrArray *calls;            /* Call, call.c: those without an answer */
    GPtrArray *asks;             /* Ask, ask.c: checks and plans at work */
    GPtrArray *pauses;           /* socket.c: holds and resumes at work */
    struct UnitTurns *turns;     /* units.c */
    struct Publisher *publisher; /* publish.c */
};
