/* Descriptors that outlive the keeper: systemd keeps them and hands them to the next one by name
 * (FileDescriptorStoreMax= of the unit), until the unit is stopped. */
#pragma once

#include <glib.h>

#define STORE_SOCKET "adopted" /* names in $LISTEN_FDNAMES */
#define STORE_GUEST  "guest"

/* The process of an adopted server, and its sockets (array of int). After TRUE systemd has them all,
 * or this process runs without systemd. */
gboolean store_adopted(int pidfd, const GArray *sockets, GError **error);
/* It has ended. */
void store_forget_guest(void);
