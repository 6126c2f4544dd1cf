/* Telling the bus what changed: objects that come and go, properties that are not what they were.
 *
 * Whoever changes anything marks the object; what really changed is found by comparing with what
 * the bus was told last. At most four rounds a second, so that a busy port does not flood the bus.
 */
#pragma once

#include "daemon/object.h"

typedef struct Publisher Publisher;

Publisher *publisher_new(Daemon *daemon);
void publisher_free(Publisher *publisher);

/* From now on the bus is told; before that nobody can know us, and objects come in silence. */
void publisher_open(Publisher *publisher);

/* The object is there and can be found: InterfacesAdded. */
void publish_added(Object *object);
/* The object is about to go and can still be found: InterfacesRemoved. */
void publish_removed(Object *object);

/* Something of the object may have changed. */
void publish_mark(Object *object);
/* Tells now what waits, before a signal that must come after it. */
void publish_flush(Daemon *daemon);
