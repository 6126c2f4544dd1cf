/* What ttStatus printed, of any era (facts 3.2). Unknown lines are passed over. */
#pragma once

#include <glib.h>

typedef struct {
    char *type;      /* Process, Server, Subdaemon, Replication, Cache Agent … */
    guint64 pid;
    char *name;      /* connection name, may be "" */
} StatusConnection;

typedef struct {
    char *path;              /* data store path without extension */
    GPtrArray *connections;  /* StatusConnection */
    gboolean closed;         /* "Closed to user connections" */
    gboolean unloaded;       /* "manually unloaded from RAM" */
    gboolean replication_running;
    gboolean cache_running;
    char *ram_policy;        /* NULL where not printed */
} StatusStore;

typedef struct {
    gboolean daemon_running;
    guint64 daemon_pid;
    guint16 daemon_port;
    char *instance;          /* NULL where not printed */
    guint64 server_pid;      /* 0: no server is running */
    guint16 server_port;     /* 0: no server is running */
    GPtrArray *stores;       /* StatusStore */
} TimesTenStatus;

/* Never fails: what is not there is told by zero and NULL. EXIT_STATUS is ttStatus's. */
TimesTenStatus *status_parse(const char *output, int exit_status);
void status_free(TimesTenStatus *status);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TimesTenStatus, status_free)

/* The store of a path, or NULL where ttStatus does not list it (it is then not loaded). */
const StatusStore *status_find_store(const TimesTenStatus *status, const char *path);

/* Connections that are not TimesTen's own sub-daemons: applications and server processes. */
guint status_user_connections(const StatusStore *store);

/* "pid 4711 (Process, myapp), pid 4712 (Server, …)" for messages; at most 8 are named. g_free(). */
char *status_name_connections(const StatusStore *store);
