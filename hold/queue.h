/* The queues of held sockets: made as long as the kernel allows, and counted. */
#pragma once

#include <glib.h>

/* As timesten-queue@SOCKET.service, which systemd gives the sockets: widens their queues and writes
 * down by which numbers the kernel knows them. Keeps no descriptor, because a copy would let a
 * restart of the socket unit fail. Returns an exit status. */
int queue_widen(const char *socket);

/* How many wait in all queues of the sockets, and for how many there is room. Zeros where the
 * kernel does not tell. */
void queue_count(char *const *sockets, guint *ret_waiting, guint *ret_limit);
