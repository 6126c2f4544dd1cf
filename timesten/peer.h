/* Replication with a database on another host: how that host is named, what ttReplicationStatus tells
 * of it, and the question whether it has everything (facts 3.7, 4.4). Runs nothing. */
#pragma once

#include "timesten/replication.h"

/* "HOST[:PORT]": the host as the replication scheme names it, and the port of its TimesTen Server (0:
 * not given). Letters, digits, '.' and '-' only, because it comes into connection strings and
 * statements. INVALID_OPTION otherwise. */
gboolean peer_address_parse(const char *text, char **ret_host, guint16 *ret_port, GError **error);

/* One row of ttReplicationStatus: somebody who subscribes to the database that was asked. */
typedef struct {
    char *store; /* name of its database, upper case */
    char *host;
    guint16 port; /* of its agent; 0: automatic */
    PeerState state;
    char *scheme, *owner;
} PeerLink;
void peer_link_free(PeerLink *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PeerLink, peer_link_free)

#define PEER_STATUS_SQL "call ttReplicationStatus;"
/* Its rows, PeerLink; those that are none are left out. Never NULL. */
GPtrArray *peer_links_parse(const char *output);
/* Whether it is a link to that host. */
gboolean peer_link_is_to(const PeerLink *link, const char *host);

/* Waits at most so long until the subscriber has durably what was committed before; see
 * replication_wait(). g_free(). */
char *peer_wait_sql(const PeerLink *link, guint seconds);
