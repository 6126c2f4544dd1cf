/* Connects to the backend, from an address that has a free port.
 *
 * One address of the loopback network has some 28,000 ports (ip_local_port_range), and so many
 * sessions: alone it would be a limit far below that of descriptors. And the kernel finds a port
 * quickly only while most are free, because it walks past all that are taken; so an address is left
 * long before that. Belongs to one thread at a time.
 */
#pragma once

#include "port/socket.h"

typedef struct Source Source;

Source *source_new(void);
void source_free(Source *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Source, source_free)

/* 0: *ret_fd is connected; EINPROGRESS: it will be or not, source_result() tells; else why not, and
 * it is -1. SESSIONS: how many there are. While they are few and few come, a backend on this host
 * sees 127.0.0.1, as the kernel likes. */
int source_connect(Source *source, const Address *address, guint sessions, int *ret_fd);
/* Where a connect that was begun stands, in the same words. *FD becomes -1 where it was closed. */
int source_result(int *fd, const Address *address);
