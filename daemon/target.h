/* What a call that names a target instance must satisfy: Check, Plan and Upgrade. */
#pragma once

#include "daemon/call.h"

/* Reads (target, options) of a call on a Server and fills the call's details. Errors:
 * NO_SUCH_INSTANCE, INVALID_CONFIGURATION, INVALID_OPTION, NOT_POSSIBLE. */
gboolean target_prepare(Call *call, GError **error);
