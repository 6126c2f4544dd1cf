/* GVariant to and from bus messages: options are kept, compared and printed as GVariant, and sd-bus
 * has no such thing. What comes from the bus is bounded here, once for every method. */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/* Appends one value; a negative errno like sd-bus. */
int variant_append(sd_bus_message *message, GVariant *value);

/* Appends the members of a tuple one after the other, as a message body has them. */
int variant_append_tuple(sd_bus_message *message, GVariant *tuple);

/* The whole body of a message as a tuple, full reference. Errors: INVALID_OPTION where something in
 * it is larger than anything that makes sense (4 KiB of text, 1024 values) or a file descriptor. */
GVariant *variant_read_body(sd_bus_message *message, GError **error);
