/* What a unit itself printed last, for error messages: an administrator should not have to look for
 * it. */
#pragma once

#include <glib.h>

/* The last line that a process of UNIT wrote to the journal in this boot, at most 300 bytes, or
 * NULL where there is none or the journal cannot be read; g_free(). What systemd says about the
 * unit is passed over. */
char *log_last_line(const char *unit);
