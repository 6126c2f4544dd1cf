/* A directory that stands in for / while a test runs. */
#pragma once

#include <glib.h>

/* Makes an empty one, makes all paths of common/names.h lie below it, and removes the one before.
 */
void scratch_begin(void);
/* Removes it. */
void scratch_end(void);

/* Writes a file below it, with all directories above. */
void scratch_write(const char *path, const char *content);

/* Makes the directory of a job with a minimal request; returns its id. */
guint64 scratch_job(void);

/* Runs rm -rf on a path below it. */
void scratch_remove(const char *path);

/* PATH below it; g_free(). */
char *scratch_path(const char *path);
