/* ttRepAdmin -duplicate: a store of its own out of a running one, with the place in the log of its
 * source from which it has to go on. The source's replication agent must be up. */
#pragma once

#include "arguments.h"

gboolean duplicate_run(const Arguments *arguments, const Target *target, GError **error);
