/* The root object: lists, look-ups, Reload. */
#pragma once

#include "daemon/object.h"

extern const Interface manager_interface;

Object *manager_new(Daemon *daemon);
