/* Whether timesten-generator did its part of a daemon-reload. systemd does not tell: what one that
 * was killed did not write is as it was before. Asked by daemon and worker after each reload.
 */
#pragma once

#include <glib.h>

/* How often systemd is told to reload before it is given up: a generator may have been killed, or
 * somebody else's reload may just have emptied the directory with its mark. */
#define GENERATOR_TRIES 4

/* Its mark is there: it came to its end in the last reload. */
gboolean generator_ran(void);

/* FALSE, and the ERROR for one that never did; REMEDY: what to say after it is mended. */
gboolean generator_fail(const char *remedy, GError **error);
