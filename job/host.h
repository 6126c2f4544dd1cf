/* What kernel and files say of this host, read without waiting: a path may lead into another user's
 * directory, and there to anything. */
#pragma once

#include <glib.h>

/* In front of each path: "", or the directory that a test plays the host with. */
extern const char *host_root;

/* g_free(). NULL where there is no such regular file, it cannot be read, or it is larger than 64
 * KiB. */
char *host_text(const char *path);
/* A file that has one number; FALSE where it has not. */
gboolean host_number(const char *path, guint64 *ret);
/* A line of /proc/meminfo, in bytes where it has a unit; FALSE where there is none. */
gboolean host_memory(const char *key, guint64 *ret);
/* KEY= of a file in systemd's way and of its drop-ins, as "logind.conf"; the last one counts. NULL:
 * it stands nowhere. g_free(). */
char *host_setting(const char *name, const char *section, const char *key);
