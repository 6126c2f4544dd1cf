/* What a call on a Server about a change of it must satisfy, and what it is about: which kind of
 * change, from which instance to which, by which method. */
#pragma once

#include "daemon/call.h"

/* Each reads the arguments of a call and fills its details. Errors: NO_SUCH_INSTANCE,
 * INVALID_CONFIGURATION, INVALID_OPTION, NOT_POSSIBLE, RECORD_DAMAGED. */
gboolean target_prepare_upgrade(Call *call, GError **error);  /* target, options */
gboolean target_prepare_rollback(Call *call, GError **error); /* options */
gboolean target_prepare_clean(Call *call, GError **error);    /* options */
gboolean target_prepare_confirm(Call *call, GError **error);  /* options */
gboolean target_prepare_check(Call *call, GError **error);    /* target, options */
gboolean target_prepare_plan(Call *call, GError **error);     /* target, options */
gboolean target_prepare_repair(Call *call, GError **error);   /* target, options */
