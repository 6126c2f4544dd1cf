/* In which state a keeper begins: as it was told to, or where one that was killed had been.
 *
 * Called once, by the gate.
 */
#pragma once

#include "port/gate.h"
#include "port/listener.h"
#include "port/saved.h"

/* *ret_recovered: a killed keeper left it. */
Saved *beginning_state(const GateOptions *options, gboolean *ret_recovered);
/* A backend that is one of LISTENERS is none: every client would be relayed to the keeper itself.
 */
void beginning_check_backend(Saved *first, const char *server, const Listeners *listeners);
