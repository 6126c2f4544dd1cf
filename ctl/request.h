/* The calls that a server takes about an upgrade: Check, Plan, Upgrade. All three have the same
 * shape. */
#pragma once

#include "ctl/session.h"

/* A filled call METHOD(target, options) on the server of that name; the caller's. */
sd_bus_message *request_new(Session *session, const char *method, const char *server,
                            const char *target, GError **error);
