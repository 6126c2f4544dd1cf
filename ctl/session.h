/* What a verb works with: the options it was given and the bus it talks to. */
#pragma once

#include "ctl/options.h"

#include <systemd/sd-bus.h>

typedef struct {
    const Options *options;
    sd_bus *bus;
} Session;
