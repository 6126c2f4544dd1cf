/* How the rest of the house talks to a server's port keeper.
 *
 * The control socket takes one line and answers one line. A keeper also publishes its status in
 * /run/timesten-upgrade/server/NAME/status, at each change of state and at most four times a second
 * while counters move, so that readers never wait and never wake a stopped server.
 */
#pragma once

#include <glib.h>

typedef enum {
    KEEPER_OPEN,   /* accepts and relays */
    KEEPER_HOLD,   /* does not accept; the kernel queues */
    KEEPER_DRAIN,  /* hold, and running sessions may still end */
    KEEPER_REFUSE, /* accepts and resets */
} KeeperState;
extern const char *const keeper_state_nicks[]; /* "open", "hold", "drain", "refuse" */

typedef struct {
    KeeperState state;
    char *backend;      /* "127.0.0.1:26002"; NULL none */
    guint sessions;     /* relayed now; of a server that accepts by itself, what the kernel counts */
    guint held;         /* connects that wait now: in the kernel's queue, or for a silent backend */
    guint queue_limit;  /* what the queue can take */
    guint64 hold_since; /* µs since the epoch; 0: not held */
    guint64 hold_deadline; /* µs since the epoch; 0: not held */
    guint64 accepted;      /* sessions begun since the keeper's first start */
    guint64 refused;       /* reset by "refuse" or by the deadline */
    guint64 cut;           /* sessions cut: by order, by a drain's end, by the keeper's death */
    guint64 gave_up;       /* had closed without a word before it was their turn */
    guint guest;           /* process that still accepts at an adopted socket; 0 none */
} KeeperStatus;

/* The published status of a server; NULL where no keeper runs. Never blocks. */
KeeperStatus *keeper_status_read(const char *server);
/* The one-line form, used by the file and by the answer to "status". */
char *keeper_status_format(const KeeperStatus *status);
KeeperStatus *keeper_status_parse(const char *line, GError **error);
void keeper_status_free(KeeperStatus *status);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KeeperStatus, keeper_status_free)

/* A connected control socket, non-blocking, close-on-exec; -1 and PORT_NOT_HELD where nobody
 * listens. Connecting activates a stopped keeper. The caller writes one line ended by '\n' and
 * reads one answer line: "ok …" or "error NICK message". */
int keeper_connect(const char *server, GError **error);
/* Turns an answer line into TRUE or the error it tells; *ret_rest points behind "ok ". */
gboolean keeper_answer(const char *line, const char **ret_rest, GError **error);

/* For callers that may block (the worker, tests): connects, says COMMAND, waits at most
 * TIMEOUT_USEC, and returns the rest of the answer (g_free()). */
char *keeper_say(const char *server, const char *command, guint64 timeout_usec, GError **error);
