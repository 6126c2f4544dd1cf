/* Old jobs: the newest of each server stay readable, the others leave the disk.
 *
 * Otherwise whoever moves servers every night would have directories, objects on the bus and lists
 * that grow for ever. Called by the worker when its own job has ended.
 */
#pragma once

#include <glib.h>

#define RETENTION_JOBS 100 /* ended jobs of a server that stay */

/* Removes the ended jobs of SERVER but the newest KEEP. In any case stay: a job that needs
 * attention or whose record is damaged, one whose export files are still there, and the one that
 * made the last commit. */
gboolean retention_tidy(const char *server, guint keep, GError **error);
