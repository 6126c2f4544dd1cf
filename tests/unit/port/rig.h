/* A real port-keeper with sockets as systemd would hand them over, below a directory of its own.
 *
 * The public socket stays the rig's, as it stays systemd's, whatever happens to the keeper. Every
 * wait ends after WAIT_USEC, which is far more than a loaded machine needs, and fails the test.
 */
#pragma once

#include "port/keeper.h"

#include <netinet/in.h>
#include <sys/types.h>

#define WAIT_USEC ((guint64)15 * 1000000)
#define HOUR      "3600000000"

typedef struct {
    char *root;
    char *directory; /* of the keeper's files */
    int public;
    int control;
    pid_t keeper;               /* 0: none runs */
    struct sockaddr_in address; /* of the public socket */
} Rig;

typedef struct {
    const char *backend;
    const char *hold_usec; /* NULL: not set */
    const char *wait_usec;
    gboolean proxy;
    guint descriptors; /* 0: as many as the test itself has */
} RigOptions;

Rig *rig_new(void);
void rig_free(Rig *rig); /* stops the keeper, which must end well */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rig, rig_free)

/* Returns when the keeper answers. */
void rig_start(Rig *rig, const RigOptions *options);
void rig_stop(Rig *rig);
void rig_kill(Rig *rig);
/* µs of processor time the keeper has used. */
guint64 rig_keeper_time(const Rig *rig);

/* An order that must succeed, and its status. */
KeeperStatus *rig_say(const char *command);
void rig_order(const char *command);
/* Waits until a number or the state is so. */
void rig_wait_state(KeeperState state);
void rig_wait_held(guint held);
void rig_wait_sessions(guint sessions);

/* Stops the keeper's process for a while, so that several things have happened when it looks again.
 */
void rig_freeze(const Rig *rig);
void rig_thaw(const Rig *rig);

/* Blocking sockets with a time limit. */
int rig_connect(const Rig *rig);
int backend_new(char **ret_name);  /* listens; the name is ADDRESS:PORT */
int backend_deaf(char **ret_name); /* has the port, but does not listen yet */
int backend_accept(int backend);
GThread *backend_echo(int backend); /* echoes on everything that comes, until the end */
void backend_end(int backend, GThread *echoing);

void close_hard(int fd); /* so that the other side sees a reset */
void put(int fd, const char *text);
/* So many bytes must come and be the text. */
void expect(int fd, const char *text);
void expect_end(int fd);
void expect_reset(int fd);
void expect_silence(int fd); /* nothing has come so far */
