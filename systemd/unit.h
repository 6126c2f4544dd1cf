/* Asking PID 1 over the bus, without ever blocking: start, stop and restart units, run a program as
 * a transient unit, read how a unit is. Used by daemon (which goes on serving) and worker (which
 * pumps its loop).
 *
 * Every call gives a UnitCall that ends with exactly one callback, unless it is freed before:
 * freeing forgets the answer, it never undoes the work.
 */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

typedef struct UnitCall UnitCall;
void unit_call_free(UnitCall *call);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UnitCall, unit_call_free)

/* Must be called once per connection before anything else here: systemd sends job signals to
 * subscribers only. Asynchronous; AlreadySubscribed is no error. */
int unit_subscribe(sd_bus *bus);

typedef enum { UNIT_START, UNIT_STOP, UNIT_RESTART, N_UNIT_VERBS } UnitVerb;

/* How a job of systemd's ended: "done", "failed", "canceled", "timeout", "dependency", "skipped".
 * ERROR is set instead where the job was not accepted (no such unit, refused …). */
typedef void (*UnitJobDone)(const char *result, const GError *error, gpointer data);
UnitCall *unit_verb(sd_bus *bus, UnitVerb verb, const char *unit, UnitJobDone done, gpointer data);

/* Whether the unit is started at boot, as its [Install] says; a daemon-reload must follow. */
UnitCall *unit_enable(sd_bus *bus, const char *unit, gboolean on, UnitJobDone done, gpointer data);

/* daemon-reload. */
UnitCall *unit_reload_all(sd_bus *bus, UnitJobDone done, gpointer data);

typedef struct {
    char *active_state; /* active, inactive, failed, activating, deactivating; "inactive" where not
                           loaded */
    char *sub_state;
    char *result;    /* of a service: success, exit-code, signal, timeout, … */
    int exit_status; /* of the main process: its status, or the signal's number (exit_code tells) */
    guint64 main_pid;
    int exit_code;       /* CLD_EXITED, CLD_KILLED, …; 0 before the end */
    gboolean job_queued; /* a job of systemd's waits or works on it */
    guint64 ran_usec;    /* how long the main process ran; 0 before its end */
    guint64 began_usec;  /* when, by the monotonic clock */
    char *invocation_id; /* hex; "" none */
    gboolean loaded;
} UnitState;
void unit_state_free(UnitState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UnitState, unit_state_free)

typedef void (*UnitStateRead)(const UnitState *state, const GError *error, gpointer data);
UnitCall *unit_read(sd_bus *bus, const char *unit, UnitStateRead done, gpointer data);
