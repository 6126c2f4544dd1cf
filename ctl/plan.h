/* The steps of a change as text, for whoever is about to begin it. */
#pragma once

#include "ctl/request.h"

/* Asks the service and prints what it says. Errors are those of Plan. */
gboolean plan_print(Session *session, const Change *change, GError **error);
