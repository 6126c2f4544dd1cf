/* Manager.Adopt: a server that is not known yet is to be taken under management. */
#pragma once

#include "daemon/call.h"

/* Arguments: name, instance, options. Errors: NO_SUCH_SERVER (no name), NO_SUCH_INSTANCE,
 * INVALID_CONFIGURATION, INVALID_OPTION, NOT_POSSIBLE. */
gboolean adopt_prepare(Call *call, GError **error);
/* Looks at the instance for what the options leave out, then begins the job. */
void adopt_act(Call *call);
/* The same look, then what the job would check, and its steps; nothing is begun. */
void adopt_check(Call *call);
void adopt_plan(Call *call);
