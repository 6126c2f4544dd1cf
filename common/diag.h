/* What the kernel knows of sockets, asked by sock_diag(7): no right is needed, and nobody's
 * descriptors are touched. Blocks for as long as the kernel needs to answer, which is short.
 */
#pragma once

#include <glib.h>
#include <sys/socket.h>

typedef struct {
    guint64 inode;                 /* 0: a connection that nobody has accepted yet */
    guint64 cookie;                /* of TCP: SO_COOKIE, no two sockets of a boot have the same */
    struct sockaddr_storage local; /* of TCP */
    guint queue;                   /* of a listening socket: the connects that wait */
    guint limit;                   /* the same: how many may */
} DiagSocket;

typedef void (*DiagFound)(const DiagSocket *socket, gpointer data);

/* All listening stream sockets of this network, of TCP and of the file system. */
gboolean diag_listening(DiagFound found, gpointer data, GError **error);
/* All established TCP connections to PORT of this host; queue and limit mean nothing. */
gboolean diag_established(guint16 port, DiagFound found, gpointer data, GError **error);
