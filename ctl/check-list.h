/* The table of checks, as the service lists it. */
#pragma once

#include "ctl/session.h"

/* Prints it, as text or as JSON; returns ttctl's exit status. */
int check_list(Session *session, GError **error);
