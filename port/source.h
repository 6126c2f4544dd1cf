/* From which address of the loopback network a backend on it is dialled.
 *
 * One address has some 28,000 ports (ip_local_port_range), and so many sessions: alone it would be
 * a limit far below that of descriptors. And the kernel finds a port quickly only while most are
 * free, because it walks past all that are taken; so an address is left long before that.
 */
#pragma once

#include "port/socket.h"

typedef struct Source Source;

Source *source_new(void);
void source_free(Source *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Source, source_free)

/* Before FD is connected to ADDRESS: chooses an address and binds it, where there is a choice.
 * SESSIONS: how many there are; while they are few and few come, it is the kernel's own choice,
 * 127.0.0.1. */
void source_bind(Source *source, int fd, const Address *address, guint sessions);
/* The connect failed because no port was left. FALSE: there is nothing else to try. */
gboolean source_next(Source *source, const Address *address, guint tried);
