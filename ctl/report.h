/* How a failure reaches the user: message and what to do next on stderr, with --json also as an
 * object on stdout, and the exit status of the public error table. */
#pragma once

#include "ctl/options.h"

/* Prints ERROR and returns ttctl's exit status for it. */
int report_error(const Options *options, const GError *error);

#define EXIT_USAGE 2

/* Prints what is wrong with the command line and returns EXIT_USAGE. */
int report_usage(const GError *error);

/* What somebody who got this error may want to type next, or NULL. */
const char *report_hint(int code);
