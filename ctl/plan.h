/* The steps of a change as text, for whoever is about to begin it. */
#pragma once

#include "ctl/request.h"

gboolean plan_print(Session *session, const Change *change, GError **error);
