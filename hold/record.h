/* What the daemon and the holder of a service tell each other about a hold, in files below /run.
 *
 * A hold is of a service and so of all sockets that start it. The request is the daemon's, and may
 * be renewed; the status is the holder's and goes with it, however it ends.
 */
#pragma once

#include <glib.h>

/* The unit that holds a service, and the one that widens the queue of a socket; g_free(). */
char *hold_unit(const char *service);
char *hold_queue_unit(const char *socket);
/* Whether a unit is one of these, which are no services of anybody's. */
gboolean hold_is_ours(const char *unit);

typedef struct {
    guint64 deadline; /* µs of CLOCK_BOOTTIME */
    char **sockets;
} HoldRequest;
void hold_request_free(HoldRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HoldRequest, hold_request_free)

gboolean hold_request_write(const char *service, const HoldRequest *request, GError **error);
HoldRequest *hold_request_read(const char *service, GError **error);

typedef struct {
    char *service;
    gboolean held;    /* FALSE: the service is still being stopped */
    guint64 since;    /* µs since the epoch */
    guint64 deadline; /* the same */
    guint64 request;  /* the deadline of the request that this answers */
    guint waiting;    /* connects in the queues */
    guint limit;      /* what the queues take together; 0 unknown */
    char **sockets;
} HoldStatus;
void hold_status_free(HoldStatus *status);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HoldStatus, hold_status_free)

/* The directory with a service's status, made by systemd for the holder; g_free(). */
char *hold_status_directory(const char *service);
gboolean hold_status_write(const HoldStatus *status, GError **error);
/* NULL where the service is not held. */
HoldStatus *hold_status_read(const char *service);
/* Those of all services, by name; array of HoldStatus. */
GPtrArray *hold_status_list(void);

/* The kernel's numbers of a socket unit's listening sockets, by which their queues are found. */
gboolean hold_inodes_write(const char *socket, const GArray *inodes, GError **error);
GArray *hold_inodes_read(const char *socket); /* of guint64; empty where unknown */
