/* Running things for a job and waiting for their end: utilities and the helper as transient units
 * under the administrator's user, units of systemd, the keeper. Survives a lost connection to
 * PID 1. */
#pragma once

#include "job/job.h"
#include "systemd/unit.h"
#include "timesten/status.h"
#include "timesten/utility.h"

typedef struct {
    Verdict verdict;
    char *reason; /* of a verdict that is not good; names utility, database and instance */
    char *output;
    int exit_status;
    guint64 usec; /* how long the utility itself ran */
} UtilityResult;
void utility_result_free(UtilityResult *result);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtilityResult, utility_result_free)

/* Runs a utility and waits. NULL only where it could not be run or the wait was interrupted; a
 * utility that failed is a result. */
UtilityResult *run_utility(Job *job, const Side *side, UtilityId id,
                           const UtilityArguments *arguments, GError **error);

/* The same, and a bad verdict is an error as well: UTILITY_FAILED with the reason. */
UtilityResult *run_utility_checked(Job *job, const Side *side, UtilityId id,
                                   const UtilityArguments *arguments, GError **error);

/* Long work, one per database, several at a time. The units are found again by a later worker, so
 * calling it again takes over what still runs or has ended meanwhile. */
typedef struct {
    const char *step; /* part of the unit's name */
    const char *dsn;
    const Side *side;
    UtilityId id;
    UtilityArguments arguments;
    const char *state_directory; /* see TransientSpec; may be NULL */
    const char *group;           /* see TransientSpec; may be NULL */
    /* filled by run_parallel(), freed by parallel_run_clear() */
    char *unit;
    char *output_path;
    UtilityResult *result;
    GError *error; /* it could not be run */
    UnitCall *call;
    const Job *job;
    gboolean *woken; /* set at its end */
} ParallelRun;
void parallel_run_clear(ParallelRun *run);

/* Called about twice a second while they run, to measure how far they are. */
typedef void (*ParallelPoll)(Job *job, ParallelRun *runs, guint count);
gboolean run_parallel(Job *job, ParallelRun *runs, guint count, ParallelPoll poll, GError **error);

/* Where run_parallel() has what a database's utility printed in a step; g_free(). */
char *run_output_path(const Job *job, const char *step, const char *dsn);

/* Kills and removes what run_parallel() may have left for a step, and waits until it is gone. */
gboolean run_forget(Job *job, const char *step, const char *dsn, GError **error);

/* The same for any transient unit. */
gboolean run_forget_unit(Job *job, const char *unit, GError **error);

/* Whether what run_parallel() runs in a step is at work or has ended, for each database of the
 * server, so that a later worker can take it over. */
gboolean run_is_known(Job *job, const char *step, gboolean *ret_known, GError **error);

/* Kills and removes the short runs of a side that a worker left behind: a start that comes late
 * must not undo a later stop. */
void run_forget_short(Job *job, const Side *side);

/* Removes every ended unit of this job. */
void run_forget_all(Job *job);

/* Removes what short utilities printed and a worker that died could not read any more. */
void run_forget_outputs(Job *job);

/* Any program as a side's administrator; returns its output (g_free()). Exit status other than 0 is
 * UTILITY_FAILED. */
char *run_program(Job *job, const Side *side, const char *what, char **argv, GError **error);

/* port-adopter as root with the one right that it needs; OF: the side whose server it looks at. */
char *run_adopter(Job *job, const Side *of, char **argv, GError **error);

/* instance-helper set HOME … as a side's administrator; the arguments end with NULL. */
gboolean run_helper_set(Job *job, const Side *side, GError **error, ...) G_GNUC_NULL_TERMINATED;

/* Any other verb of it. */
gboolean run_helper(Job *job, const Side *side, const char *verb, GError **error,
                    ...) G_GNUC_NULL_TERMINATED;

/* Starts, stops or restarts a unit and waits for systemd's job. */
gboolean run_unit(Job *job, UnitVerb verb, const char *unit, GError **error);
gboolean run_enable(Job *job, const char *unit, gboolean on, GError **error); /* at boot */
gboolean run_daemon_reload(Job *job, GError **error);
char *run_unit_state(Job *job, const char *unit, GError **error); /* ActiveState; g_free() */

/* Says one command to the server's keeper. */
gboolean run_keeper(Job *job, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* ttStatus of a side. */
TimesTenStatus *run_status(Job *job, const Side *side, GError **error);
