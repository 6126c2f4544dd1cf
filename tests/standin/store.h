/* The files of one data store: PATH.ds0 (an SQLite file), .ds1 (a stamp), .log0 (its write-ahead
 * log), .res0.
 *
 * Knows nothing of the daemon: who may open a store when is the daemon's business (catalog.c).
 */
#pragma once

#include <sqlite3.h>

#include "release.h"

gboolean store_exists(const char *path);
/* Makes an empty store of RELEASE. LOG_DIR NULL: beside the data store. */
gboolean store_create(const char *path, const char *log_dir, const char *release, GError **error);
/* What is in the files of an unloaded store is on the disk. */
void store_sync(const char *path);
/* Opens; refuses a store of another major release than VERSION with TT_OTHER_RELEASE; VERSION NULL
 * takes any. */
sqlite3 *store_open(const char *path, const Version *version, GError **error);
void store_close(sqlite3 *database);
/* A loaded store is one daemon's: the lock of whoever has it, or -1 with TT_IN_USE. It ends with
 * store_unlock() or the process. */
int store_lock(const char *path, GError **error);
void store_unlock(int lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sqlite3, store_close)

/* Names kept with the store: "release", "restoring". store_get() is NULL where absent; g_free(). */
char *store_get(sqlite3 *database, const char *name);
gboolean store_set(sqlite3 *database, const char *name, const char *value, GError **error);

/* The release that the stamp names; g_free(). Works on damaged stores. */
char *store_release(const char *path);
/* Removes all files of the store. There is no way back. */
gboolean store_destroy(const char *path, GError **error);
guint64 store_size(const char *path); /* bytes of all its files */

/* All of FROM in the place of what TO had. */
gboolean store_copy(sqlite3 *from, sqlite3 *to, GError **error);

/* A descriptor to sync the log with, or -1: what was committed before is then on the disk. */
int store_open_log(const char *path);
/* Log files FIRST to LAST are there; PURGE: older ones are not (.log0 always is). */
void store_keep_logs(const char *path, gint64 first, gint64 last, gboolean purge);

gboolean store_execute(sqlite3 *database, const char *sql, GError **error);
