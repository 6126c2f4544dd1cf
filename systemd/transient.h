/* Running a program as a transient unit: it outlives whoever asked, and is found again by its name.
 *
 * The unit is a oneshot that stays after its end, so that its result is still there for a caller
 * that was killed meanwhile. What it printed lies in a file that systemd opened.
 */
#pragma once

#include "systemd/unit.h"

typedef struct {
    const char *unit; /* full name, ends in .service; see transient_name() */
    const char *description;
    const char *slice;             /* NULL: TU_SLICE */
    char **argv;                   /* argv[0] is an absolute path */
    char **environment;            /* NAME=VALUE; may be NULL */
    const char *user;              /* NULL: root */
    const char *group;             /* a group that is added, by name or number; NULL none */
    const char *output;            /* file for stdout and stderr, truncated at the start; NULL: the
                                      journal, for transient_start() only */
    const int *input;              /* descriptor for stdin, stays the caller's; NULL: nothing */
    const char *state_directory;   /* below /var/lib, made for USER with mode 0750; NULL none */
    const char *working_directory; /* NULL: "/" */
    guint64 limit_usec;            /* USEC_NEVER: none */
    const guint64 *capabilities; /* all that it may have, as bits, and no more privileges; NULL: those
                                    of its user */
    gboolean fresh; /* a unit of this name from before is removed first, never taken over */
} TransientSpec;

typedef struct {
    int exit_status; /* 0…255; 128+N: killed by signal N; -1: it could not be started */
    gboolean timed_out;
    char *output; /* at most 64 MiB; never NULL */
    char *result; /* systemd's word for it */
    guint64 usec; /* how long it ran, as systemd measured; 0 unknown */
    guint64 began_usec; /* by the monotonic clock; 0 unknown */
} TransientOutcome;
void transient_outcome_free(TransientOutcome *outcome);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TransientOutcome, transient_outcome_free)

/* ERROR is set only where systemd could not be asked; a program that failed is an outcome. */
typedef void (*TransientDone)(const TransientOutcome *outcome, const GError *error, gpointer data);

/* Starts the unit. Where a unit of that name is already there, running or ended, it takes that one
 * (unless FRESH), so that long work is found again by whoever comes after a crash. After the
 * callback the unit is still there; transient_forget() removes it. */
UnitCall *transient_run(sd_bus *bus, const TransientSpec *spec, TransientDone done, gpointer data);

/* Starts the unit as one that serves, and does not wait: its end is told to nobody, and it is gone
 * then. FALSE where systemd could not be asked. */
gboolean transient_start(sd_bus *bus, const TransientSpec *spec);

/* Removes an ended unit (and kills a running one), fire and forget. */
void transient_forget(sd_bus *bus, const char *unit);

/* transient_forget() for every unit that matches a pattern such as "timesten-util-7-*". */
void transient_forget_all(sd_bus *bus, const char *pattern);

/* The same, and DONE ("done") when systemd has heard of all. An error where the connection was lost
 * before: then it may have heard of none, and must be asked again. */
UnitCall *transient_forget_surely(sd_bus *bus, const char *pattern, UnitJobDone done,
                                  gpointer data);

/* "timesten-util-PART-PART….service", the parts escaped; g_free(). */
char *transient_name(const char *first, ...) G_GNUC_NULL_TERMINATED;
