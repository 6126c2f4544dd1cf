/* The plan of a method: its steps as rows. A step knows how it is done, how it is undone and how
 * long it may take; in which order and with what guarantees is the engine's business. */
#pragma once

#include "job/job.h"

/* Does the step from whatever half-done state the world is in: it observes first. Called again
 * after a crash. */
typedef gboolean (*StepDo)(Job *job, GError **error);
/* Takes it back, likewise from any half-done state. */
typedef gboolean (*StepUndo)(Job *job, GError **error);
/* µs, from the facts of a surveyed job. */
typedef guint64 (*StepEstimate)(const Job *job);

typedef struct {
    const char *id;
    const char *description;
    StepDo run;
    StepUndo undo; /* NULL: there is nothing to take back */
    StepEstimate estimate;
    gboolean takes_away; /* from its begin on the server is away for its clients */
    gboolean commits;    /* the one step after which there is only forward */
    /* Taken back after a reboot even where it was never begun: the boot itself has done it, because
     * the job was unfinished. */
    gboolean done_by_boot;
    /* And done again after a reboot even where it was done: the boot has taken it back. */
    gboolean undone_by_boot;
    /* Clients need not wait for its undo: it comes when the port is open again. */
    gboolean undone_last;
} StepType;

/* Rows of a kind of job ("upgrade", "rollback", "clean", "adopt", "confirm") by a
 * method, ended by an id of NULL; NULL
 * where there is no such plan. */
const StepType *plan_of(const char *kind, const char *method);
const StepType *plan_find(const StepType *plan, const char *id);

/* Sum of the estimates of the steps from the first that takes the server away to the one that gives
 * it back. */
guint64 plan_outage_usec(const StepType *plan, const Job *job);
