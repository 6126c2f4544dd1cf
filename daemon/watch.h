/* Seeing that something in a directory changed, also when the directory comes later or goes and
 * returns.
 *
 * Watches only tell that, never what: whoever is told reads again. Files whose names begin with a
 * dot are somebody's temporary ones and are passed over.
 */
#pragma once

#include <glib.h>
#include <systemd/sd-event.h>

typedef struct Watch Watch;
typedef void (*WatchChanged)(gpointer data);

/* CHANGED is called from the event loop, once for any number of changes that came together. */
Watch *watch_new(sd_event *event, const char *directory, WatchChanged changed, gpointer data);
void watch_free(Watch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Watch, watch_free)
