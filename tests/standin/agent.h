/* What the threads of a replication agent share: timestenrepd.c starts them, transmitter.c sends to
 * one peer, receiver.c takes from whoever connects.
 *
 * Nothing here is kept in memory only: an agent that is killed goes on where the stores say.
 */
#pragma once

#include "replica.h"
#include "session.h"

#define AGENT_PATIENCE_MS 120000 /* longest silence of a peer in the middle of its answer */

typedef struct {
    const Instance *instance;
    char *path; /* of the data store */
    char *name; /* of this store in the scheme */
    char *host;
    gboolean compat;     /* the main daemon was started with -insecure-backwards-compat */
    guint16 static_port; /* 0: dynamic */
    int stopping;        /* atomic */
    int transmitters;    /* that run; atomic */
} Agent;

typedef struct {
    Agent *agent;
    char *name; /* of the peer */
    char *host;
} Transmitter;

typedef struct {
    Agent *agent;
    Wire *wire;
} Receiver;

gpointer transmitter_run(gpointer data); /* takes a Transmitter */
gpointer receiver_run(gpointer data);    /* takes a Receiver */

/* The options of a link to another agent: a network that is cut ends it. */
void agent_set_link(const Agent *agent, int fd);
gboolean agent_is_stopping(Agent *agent);
/* A connection to the data store as ttStatus lists it. */
Session *agent_connect(Agent *agent, const char *name, GError **error);
/* Why agents of these two releases do not talk; NULL: they do. */
char *agent_refuse_peer(const Agent *agent, sqlite3 *database, const char *release,
                        guint16 peer_port, char **tables);
/* "OWNER.TABLE=SIGNATURE,…"; g_free(). */
char *agent_signatures(sqlite3 *database, char **tables);

/* A peer's changes, in the caller's transaction. FALSE with no error: the transaction lost against
 * rows that are here, and is to be forgotten. */
gboolean apply_changes(const Agent *agent, sqlite3 *database, char **tables, void *changes,
                       int size, GError **error);
