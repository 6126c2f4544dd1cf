/* The state of the gate and its file in /run: what a keeper that was killed must know when it is
 * back.
 *
 * Times are of CLOCK_BOOTTIME, which is the same clock for the next keeper, whatever happens to the
 * date.
 */
#pragma once

#include "port/keeper.h"

typedef struct {
    KeeperState state;
    char *backend;     /* NULL none */
    guint64 since;     /* of the hold; 0: not held */
    guint64 deadline;  /* of the hold; 0: not held */
    guint64 drain_end; /* when running sessions are cut; 0: not draining */
    guint stopped;     /* 1: by its own will, in a hold that still counts */
} Saved;

gboolean saved_is_held(const Saved *saved);
Saved *saved_copy(const Saved *saved);
void saved_free(Saved *saved);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Saved, saved_free)

gboolean saved_store(const char *server, const Saved *saved, GError **error);
/* NULL with *ret_missing where there is no file; NULL with RECORD_DAMAGED where it makes no sense.
 */
Saved *saved_load(const char *server, gboolean *ret_missing, GError **error);
void saved_remove(const char *server);
