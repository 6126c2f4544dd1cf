/* Runs a short-lived program and reads what it prints: bounded in time and in size, stdin empty.
 *
 * For ttVersion in instance-helper only. The utilities that do work run as transient units.
 */
#pragma once

#include <glib.h>

/* ARGV[0] is an absolute path; ENVIRONMENT (NAME=VALUE) is added to this process's own. After
 * LIMIT_USEC, or more than LIMIT bytes on stdout and stderr together, the program is killed with
 * all that it started. *ret_output is the caller's; *ret_status is 0…255, or 128+N for death by
 * signal N. Errors: UTILITY_FAILED where it cannot be started, DEADLINE_PASSED. */
gboolean capture_run(char **argv, char **environment, guint64 limit_usec, gsize limit,
                     char **ret_output, int *ret_status, GError **error);
