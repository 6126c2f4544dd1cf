/* A connection to somebody who listens as systemd would, in the same process and loop. */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

typedef struct {
    sd_event *event;
    sd_bus *ours, *theirs;
} Pid1;

/* HANDLER sees every message that comes to the other end, with DATA. */
void pid1_connect(Pid1 *pid1, sd_bus_message_handler_t handler, void *data);
void pid1_clear(Pid1 *pid1);
