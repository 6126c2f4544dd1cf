/* The service's objects as structs: read whole with GetAll, and kept up to date from
 * PropertiesChanged.
 *
 * A property that is missing keeps its empty value, one that is not known here is passed over, so
 * that ttctl and service of neighbouring versions work together.
 */
#pragma once

#include "ctl/session.h"

typedef struct {
    char *name;
    guint16 port;
    char *state;
    char *instance;
    char *release;
    char *previous_instance;
    char *confirmation;  /* "" nothing to confirm */
    guint64 confirm_by;  /* µs since the epoch; 0: it does not go back by itself */
    char **databases;
    char *mode;
    guint32 sessions;
    guint32 held;
    guint64 hold_since;    /* µs since the epoch; 0: not held */
    guint64 hold_deadline; /* the same */
    char *job;             /* object path; "/" none */
    char *last_result;
    char *last_error; /* bus name, "" none */
    guint64 last_job;
    guint64 last_time; /* µs since the epoch */
} Server;

typedef struct {
    char *name;
    char *home;
    char *release;
    char *admin;
    char *unit;
    char *state;
    guint16 daemon_port;
    guint16 server_port;
    char **databases;
    char **servers;
} Instance;

typedef struct {
    char *id;
    char *description;
    char *state; /* pending, running, done, failed, undoing, undone, undo-failed */
} JobStep;

typedef struct {
    guint64 id;
    char *kind;
    char *server;
    char *from;
    char *to;
    char *method;
    char *state;
    char *result;
    char *step;
    GPtrArray *steps; /* JobStep; never NULL */
    double progress;  /* 0 … 1 */
    guint64 remaining_usec;
    guint64 held_usec;
    char *error; /* bus name, "" none */
    char *message;
    char **left_to_do; /* NULL: not told */
    guint32 started_by;
    guint64 started, finished; /* µs since the epoch; 0 not yet */
    gboolean can_cancel;
} Job;

Server *server_new(void);
Instance *instance_new(void);
Job *job_new(void);
void server_free(Server *server);
void instance_free(Instance *instance);
void job_free(Job *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Server, server_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Instance, instance_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Job, job_free)

/* By object path. */
Server *server_load(Session *session, const char *path, GError **error);
Instance *instance_load(Session *session, const char *path, GError **error);
Job *job_load(Session *session, const char *path, GError **error);

/* Reads an a{sv} where MESSAGE stands into the struct; what is not in it stays as it is. */
gboolean server_read(Server *server, sd_bus_message *message, GError **error);
gboolean job_read(Job *job, sd_bus_message *message, GError **error);

/* Object paths by name, asked of the service, so that a wrong name is told by the service's own
 * error; g_free(). */
char *server_path(Session *session, const char *name, GError **error);
char *instance_path(Session *session, const char *name, GError **error);
char *job_path(Session *session, const char *id, GError **error);

gboolean job_is_finished(const Job *job);
/* Whether the server keeps its instance, whatever becomes of the job. */
gboolean job_stays(const Job *job);
/* The step of an id, or NULL. */
const JobStep *job_find_step(const Job *job, const char *id);
