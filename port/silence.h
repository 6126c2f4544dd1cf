/* Calls for help while clients wait for a backend that does not answer.
 *
 * It writes a file that a path unit watches (timesten-revive@NAME.path): the keeper itself may
 * start nothing. A short silence is an instance that is being started, and nobody is called for
 * that.
 */
#pragma once

#include <glib.h>

typedef struct Silence Silence;

Silence *silence_new(const char *server);
void silence_free(Silence *silence);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Silence, silence_free)

/* The backend has been silent for LASTED µs by now, 0: it answers, or nobody waits. To be told a
 * few times a second while it is silent. */
void silence_lasts(Silence *silence, guint64 lasted);

/* For how long the queue of a backend that accepts by itself has not been empty; HELD are in it now.
 */
guint64 silence_of_queue(Silence *silence, guint held);
