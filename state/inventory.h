/* The declared world: /etc/timesten-upgrade/{instances,servers}.d and which instance backs each
 * server now.
 *
 * A wrong file is a problem of that one instance or server; it takes no other with it. Used by the
 * generator, the daemon and the worker.
 */
#pragma once

#include "state/backing.h"

#include <glib.h>

typedef struct {
    char *name;
    char *file; /* its configuration file */
    char *home;
    char *admin;   /* NULL: told by who owns the installation */
    char *unit;    /* NULL: timesten@NAME.service; otherwise a vendor unit that is in control */
    char *release; /* NULL: told by ttVersion */
    /* That it is to run from, where it can be given another one; NULL: whichever it has. Two of one
     * home with different ones are one instance before and after an upgrade in place. */
    char *installation;
    guint16 server_port; /* ServerPort=: private port override; 0 none */
} InstanceConfig;

typedef enum { MODE_RELAY, MODE_INHERIT } PortMode;
extern const char *const port_mode_nicks[];

typedef struct {
    char *name;
    char *file;
    /* Where the port is: while its socket is open, that address, because systemd would close an
     * open port whose address changes; otherwise Listen=. As systemd's ListenStream= wants it. */
    char *listen;
    guint16 port;
    char *wanted_listen;  /* Listen= where the open socket has another address; NULL: the same */
    char **databases;     /* DSNs, at least one */
    char *first_instance; /* Instance= */
    PortMode mode;
    guint16 private_port;      /* PrivatePort=; 0 none */
    gboolean proxy;            /* ProxyProtocol= */
    guint64 drain_usec;        /* default 10 s */
    guint64 hold_limit_usec;   /* default 60 s */
    guint64 outage_limit_usec; /* USEC_NEVER by default */
    gboolean outage_limit_given;
    guint64 replication_delay_usec; /* until a changed state of a peer acts; default 10 s */
    guint replication_log_files;    /* that may be held for a peer; default 64 */
    char *work_directory;      /* WorkDirectory=; NULL: below the state directory */
    /* from the state directory */
    char *instance;          /* which backs it now; first_instance until a commit said otherwise */
    char *previous_instance; /* NULL: never upgraded */
    Backing *backing;        /* all that stands there */
} ServerConfig;

typedef struct {
    char *file;
    char *kind;    /* "instance" or "server" */
    char *name;    /* of the instance or server, from the file's name */
    char *message; /* "FILE:LINE: …", with the remedy */
} InventoryProblem;

typedef struct {
    GPtrArray *instances; /* InstanceConfig, by name */
    GPtrArray *servers;   /* ServerConfig, by name */
    GPtrArray *problems;  /* InventoryProblem */
    GArray *public_ports; /* guint16, ascending: of all servers that are configured, and of all that
                             are open */
} Inventory;

/* Never fails: what cannot be read is a problem in the list. */
Inventory *inventory_load(void);
/* The same as if PATH were the file of server NAME in servers.d, where there is none of that name
 * yet: what a job is about to declare. */
Inventory *inventory_load_with(const char *name, const char *path);
void inventory_free(Inventory *inventory);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Inventory, inventory_free)

/* By name. Errors: NO_SUCH_…; INVALID_CONFIGURATION with the problem's message where the file is
 * wrong. */
const InstanceConfig *inventory_instance(const Inventory *inventory, const char *name,
                                         GError **error);
const ServerConfig *inventory_server(const Inventory *inventory, const char *name, GError **error);

/* Whether two names stand for one instance, before and after its installation was changed. */
gboolean inventory_is_same_instance(const InstanceConfig *a, const InstanceConfig *b);

/* The server that has this public port, or NULL. */
const ServerConfig *inventory_server_of_port(const Inventory *inventory, guint16 port);

/* The address with which the socket of a server was opened, also where its file is wrong or gone;
 * NULL: it is not open. The socket unit leaves it in /run/timesten-upgrade/listen; g_free(). */
char *inventory_open_address(const char *server);

/* The port on which INSTANCE's own TimesTen Server listens when it backs SERVER: in inherit mode the
 * public one, in relay mode the private one. */
guint16 inventory_backend_port(const Inventory *inventory, const ServerConfig *server,
                               const InstanceConfig *instance, guint16 configured);
/* What the keeper of SERVER has as its backend: "127.0.0.1:PORT", or INSTANCE@USER in inherit mode;
 * g_free(). */
char *inventory_backend(const Inventory *inventory, const ServerConfig *server,
                        const InstanceConfig *instance, const char *user, guint16 configured);

/* The port on which it listens where no client comes: in relay mode always, in inherit mode before
 * it is proved to serve. In this order: the server's PrivatePort=; the instance's ServerPort=; CONFIGURED (the port in its
 * option file, 0 none) where that is not a public port of ours; 20000 + a hash of the instance's
 * name % 10000, which lies below the kernel's ephemeral ports, passing over public ports. The order
 * makes an untouched vendor configuration work and two releases side by side never share a port.
 * Nothing but the inventory and CONFIGURED goes in, so generator, daemon and worker always agree;
 * and once the result stands in the option file, it comes back as CONFIGURED. */
guint16 inventory_private_port(const Inventory *inventory, const ServerConfig *server,
                               const InstanceConfig *instance, guint16 configured);

/* The unit in control of an instance; g_free(). */
char *inventory_instance_unit(const InstanceConfig *instance);
