/* Checksums for what lies on disk, and small key files that carry one.
 *
 * A seal tells a file that was cut short or overwritten from a whole one; it is no protection
 * against somebody who may write the file. Internal to state/.
 */
#pragma once

#include <glib.h>

#define SEAL_LENGTH 16 /* hex digits */

/* The first SEAL_LENGTH hex digits of SHA-256 over LENGTH bytes; g_free(). */
char *seal_sum(const char *text, gsize length);

/* Key-file text with its seal in a first comment line; g_free(). */
char *sealed_text(GKeyFile *keys);

/* Reads such a file of at most LIMIT bytes. *ret_missing tells a file that is not there; everything
 * else that is wrong gives RECORD_DAMAGED with REMEDY as the last sentence (I/O errors: FAILED). */
GKeyFile *sealed_read(const char *path, gsize limit, const char *remedy, gboolean *ret_missing,
                      GError **error);

/* Sets "PATH is damaged: WHAT. REMEDY" as RECORD_DAMAGED. Always returns FALSE. */
gboolean sealed_damaged(GError **error, const char *path, const char *what, const char *remedy);

/* Strings that may come from anywhere, as a key file can hold them. */
void sealed_set(GKeyFile *keys, const char *group, const char *key, const char *value);

/* A value, or NULL where the key is absent or empty; g_free(). */
char *sealed_get(GKeyFile *keys, const char *group, const char *key);
