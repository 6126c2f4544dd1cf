/* Whether a library can be preloaded into the programs of an instance: what Mode=inherit needs.
 * Must run as the instance's administrator, like everything that looks at an instance.
 */
#pragma once

#include <glib.h>

/* Why the dynamic linker would leave a preloaded library out of some program below HOME, as words
 * behind the program's path; NULL: nothing speaks against it. g_free(). */
char *preload_find_problem(const char *home);

/* Whether the process that PID_FILE names runs without the library; FALSE where none runs. */
gboolean preload_is_missing(const char *pid_file);
