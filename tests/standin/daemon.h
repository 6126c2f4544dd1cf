/* What the parts of the main daemon share. One thread, one GLib main loop; nothing here waits.
 */
#pragma once

#include "instance.h"
#include "wire.h"

typedef struct Daemon Daemon;
typedef struct DataStore DataStore;
typedef struct Client Client;

/* A process of its own making. */
typedef struct {
    pid_t pid;  /* 0: not running */
    Wire *wire; /* its standard input, where it takes orders; NULL where it takes none */
    guint source;
} Child;

/* Whoever is connected to the daemon port. */
struct Client {
    Daemon *daemon;
    Wire *wire;
    guint source;
    gboolean remote; /* from another host */
    pid_t pid;
    /* as a connection to a data store */
    DataStore *store;
    guint id;
    char *type;
    char *name;
    char *info;
    uid_t uid;
    gboolean creates;    /* AutoCreate=1 */
    gboolean busy;       /* in the middle of a transaction */
    gboolean leaving;    /* to be dropped at its end */
    DataStore *reserved; /* store that nobody else may touch while this link is open */
};

/* The TimesTen Server or the web server. */
typedef struct {
    const char *program;
    OptionId option; /* its port in the option file */
    Child child;
    guint16 port;       /* as started */
    pid_t ended;        /* the last one that ended */
    Client *registered; /* its link, once it listens */
    GPtrArray *waiting; /* clients that wait for its end */
    gboolean restart;   /* start again at its end */
} Service;

struct Daemon {
    const Instance *instance;
    GMainLoop *loop;
    int listener;
    gboolean compat; /* started with -insecure-backwards-compat */
    gboolean stopping;
    Client *stopper; /* wants to be told of the end */
    GPtrArray *clients;
    GPtrArray *stores; /* DataStore */
    Service server;
    Service web;
};

/* timestend.c */
void daemon_stop(Daemon *daemon, Client *stopper);
void daemon_stop_further(
    Daemon *daemon); /* called whenever something ended that a stop waits for */
void client_drop(Client *client);
void client_ok(Client *client);
void client_error(Client *client, int number, const char *text);

/* children.c: starts HOME/bin/PROGRAM, which dies with the daemon. PORT: where it shall listen; NULL:
 * nowhere, and its standard input is a socket. */
gboolean child_start(Daemon *daemon, Child *child, const char *program, const char *id,
                     const char *port);
void child_forget(Child *child);

/* services.c */
void service_init(Service *service, const char *program, OptionId option);
void service_start(Daemon *daemon, Service *service); /* port from the option file; none: nothing */
void service_stop(Daemon *daemon, Service *service, gboolean force);
void service_answer(Client *client, const Service *service); /* ok, with its pid and port */

/* catalog.c */
void catalog_load(Daemon *daemon);           /* reads the catalog and loads what policies say */
gboolean catalog_busy(const Daemon *daemon); /* a sub-daemon is running */
void catalog_unload_all(Daemon *daemon);
void catalog_abandon(Daemon *daemon); /* kills the sub-daemons that did not end in time */
void catalog_forget_client(Client *client);

/* agents.c */
void agents_load(Daemon *daemon); /* starts those that policies want */
void agents_stop(Daemon *daemon);
gboolean agents_busy(const Daemon *daemon);
void agents_abandon(Daemon *daemon);
void agents_forget_client(Client *client);
guint16 agents_port(const Daemon *daemon, const char *name); /* 0: no agent of such a store */

/* requests.c: does one line of a client's. */
void request_handle(Client *client, const char *line);
