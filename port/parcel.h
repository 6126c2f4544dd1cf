/* A line with descriptors, over a unix socket. Used by the control socket on both ends. */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Most that one parcel may hold; the kernel's own limit is 253. */
#define PARCEL_LIMIT 16

/* Sends LINE, and DESCRIPTORS (array of int, may be NULL or empty) with its first byte. FALSE with
 * errno where not all of it went out at once. */
gboolean parcel_send(int fd, const char *line, const GArray *descriptors);

/* As recv(2) without waiting; what came along is appended to INTO, close-on-exec and the caller's.
 */
gssize parcel_receive(int fd, char *buffer, gsize size, GArray *into);

/* Closes all and leaves the array empty. */
void parcel_drop(GArray *descriptors);
