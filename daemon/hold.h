/* Hold and Resume: an administrator's own pause of a port, outside of any job. */
#pragma once

#include "daemon/call.h"

gboolean hold_prepare(Call *call, GError **error);
void hold_act(Call *call);
gboolean resume_prepare(Call *call, GError **error);
void resume_act(Call *call);
