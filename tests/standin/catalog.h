/* The daemon's data stores: RAM policy, loading and unloading by a sub-daemon each, connections.
 *
 * What must outlive the daemon is in the file DBIstores of the daemon home.
 */
#pragma once

#include "daemon.h"

typedef enum { STORE_UNLOADED, STORE_LOADING, STORE_LOADED, STORE_UNLOADING } StoreState;
typedef enum { POLICY_IN_USE, POLICY_MANUAL, POLICY_ALWAYS, POLICY_ENDURING } RamPolicy;
extern const char *const policy_names[]; /* all of them; see policy_find() */

typedef enum { AGENT_MANUAL, AGENT_ALWAYS, AGENT_NO_RESTART } AgentPolicy;
extern const char *const agent_policy_names[];

/* The replication agent of a store. */
typedef struct {
    Child child;
    AgentPolicy policy;
    gboolean manual; /* somebody started it */
    gboolean stopping;
    char *name;   /* of the store in its replication scheme; NULL until it listens */
    guint16 port; /* where it listens; 0: not yet */
    guint restart_source;
    GPtrArray *starters; /* Client: wait until it listens */
    GPtrArray *stoppers; /* Client: wait for its end */
} StoreAgent;

struct DataStore {
    Daemon *daemon;
    char *path;
    char *log_dir;
    RamPolicy policy;
    guint grace; /* seconds after the last disconnect; inUse only */
    gboolean manually_loaded;
    gboolean recover; /* the last end was not in order: the next load takes longer */
    gboolean creating; /* told so to the sub-daemon that loads it */
    gboolean closed; /* to user connections */
    gboolean force_disconnect;
    guint segment_mb; /* size of the shared segment as loaded */
    int segment;      /* that was detached, as shmat() names it; -1: none */
    gboolean attach;  /* the next load takes over a segment */
    StoreState state;
    Child subdaemon;
    char *load_error;       /* what the sub-daemon said last, as a line of the protocol */
    GPtrArray *connections; /* Client */
    GPtrArray *waiting;     /* Client: connects and loads that wait for the state to settle */
    GPtrArray *unloading;   /* Client: wait for the unload */
    Client *reserver;
    StoreAgent agent;
    guint grace_source;
    guint key; /* shown as the shared memory key */
};

DataStore *catalog_find(Daemon *daemon, const char *path, gboolean add);
void catalog_remove(DataStore *store);
void catalog_save(Daemon *daemon);

/* Each answers CLIENT, now or when the state has settled. */
void catalog_connect(DataStore *store, Client *client);
void catalog_ram_load(DataStore *store, Client *client);
void catalog_ram_unload(DataStore *store, Client *client);
void catalog_set_policy(DataStore *store, RamPolicy policy, guint grace);
/* The policy of that name, if the release has it; -1: none. */
int policy_find(const Family *family, const char *name);

/* For the two below: a load, an unload, and whatever the RAM policy wants after a change. */
void catalog_start_load(DataStore *store);
void catalog_start_unload(DataStore *store);
void catalog_settle(DataStore *store);

/* admission.c: who may be connected. catalog_disconnect() answers nobody and waits for nobody. */
gboolean catalog_admits(const DataStore *store, const Client *client);
typedef enum { DISCONNECT_TRANSACTIONAL, DISCONNECT_IMMEDIATE, DISCONNECT_ABORT } DisconnectMode;
int disconnect_find(const char *name); /* -1: no such mode */
void catalog_disconnect(DataStore *store, DisconnectMode mode, gboolean unload);
void catalog_transaction(Client *client, gboolean open); /* a connection began or ended one */

/* segments.c: shared memory that outlives the daemon. Each answers CLIENT. */
void segment_detach(DataStore *store, Client *client);
void segment_attach(DataStore *store, guint megabytes, Client *client);
void segment_free(DataStore *store, Client *client);
gboolean segment_is_there(const DataStore *store);

/* agents.c; the first two answer CLIENT. */
void agent_start(DataStore *store, Client *client, gboolean wait);
void agent_stop(DataStore *store, Client *client);
gboolean agent_set_policy(DataStore *store, const char *policy); /* FALSE: no such policy */
void agent_listens(DataStore *store, Client *client, const char *name, pid_t pid, guint16 port);
gboolean agent_runs(const DataStore *store);
void agent_init(DataStore *store);
void agent_clear(DataStore *store);
