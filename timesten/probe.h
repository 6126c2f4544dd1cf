/* The parts of facts_probe() that instance-helper also needs alone. */
#pragma once

#include "timesten/facts.h"

/* Where an installation has its files, and what its option file says: all of the facts but the
 * databases. Runs ttVersion. */
InstanceFacts *probe_files(const char *home, const char *release_override, GError **error);

/* How the utilities of an installation find their instance, told by which files it has. */
EraKind probe_kind(const char *home);
