/* In which state a keeper begins: as it was told to, or where one that was killed had been.
 *
 * Called once, by the gate.
 */
#pragma once

#include "port/gate.h"
#include "port/saved.h"

/* *ret_recovered: a killed keeper left it. */
Saved *beginning_state(const GateOptions *options, gboolean *ret_recovered);
