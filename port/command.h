/* The words of the control socket: one line in, one line out. */
#pragma once

#include "port/gate.h"

/* The answer to a line, without newlines; g_free(). */
char *command_answer(Gate *gate, const char *line);

/* "error NICK MESSAGE" */
char *command_error(const GError *error);
