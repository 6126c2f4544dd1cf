/* Servers with the preload library before a real keeper, and what their clients see.
 *
 * Each server is tests/unit/shim/habits.c, a group of processes of its own.
 */
#pragma once

#include "../port/rig.h"

typedef enum { FOUR, SIX, DUAL } Kind;

/* A rig whose public socket is of that kind; for the second, open to the instance tt60. */
Rig *make_rig(Kind kind);
Rig *start_rig(Kind kind);
char *heir(void); /* the backend that means this instance */

typedef struct {
    const char *name; /* as whom it asks; NULL: nobody */
    guint16 port;     /* 0: the public one */
    const char *path; /* of the keeper's socket; NULL: the rig's */
    uid_t user;       /* 0: as the test */
} ServerOptions;

/* Starts a server with words as its habits. */
pid_t run_server(const Rig *rig, const ServerOptions *options, const char *habits);
pid_t run(const Rig *rig, const char *habits); /* as tt60 */
int end_of(pid_t pid);                         /* its exit status */
/* With all its children, which are the test's when their parent is dead. */
void kill_server(pid_t pid);

/* What the server said to a client: which group of processes it is, and how it sees the client. */
typedef struct {
    pid_t group;
    char *accepted, *peer, *own, *listener, *options;
} Line;

Line *read_line(int fd);
void line_free(Line *line);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Line, line_free)

int connect_six(const Rig *rig);
char *own_name(int fd);
/* A client of the family is served and seen as it is. Returns the server's group. */
pid_t must_serve(const Rig *rig, gboolean six);
