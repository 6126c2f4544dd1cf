/* Files whose content a later decision depends on: written whole, synced, renamed, directory
 * synced. */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Replaces PATH by CONTENT (length in bytes, -1 for a string). After TRUE the new content and its
 * name survive a power cut; after FALSE the old file is untouched. Only a killed writer leaves a
 * temporary file. */
gboolean file_replace_synced(const char *path, const char *content, gssize length, mode_t mode,
                             GError **error);

/* The same without any sync: for /run, where a reader must only never see half a file. */
gboolean file_replace(const char *path, const char *content, gssize length, mode_t mode,
                      GError **error);

/* Removes the temporary files of writers of PATH that were killed. Only where nobody can be writing
 * it now. */
void file_forget_unfinished(const char *path);

/* Makes a directory and, where it is new, syncs the directory above. An existing one is no error.
 */
gboolean directory_make_synced(const char *path, mode_t mode, GError **error);

/* Syncs a directory, so that the names in it survive a power cut. */
gboolean directory_sync(const char *path, GError **error);

/* Reads a whole file of at most LIMIT bytes; NUL-terminated, the caller's. A larger file is an
 * error: nothing this project reads is large, so a large one is somebody's mistake or mischief.
 * Missing files are told by *ret_missing where it is given, and are an error otherwise. */
char *file_read(const char *path, gsize limit, gboolean *ret_missing, GError **error);
