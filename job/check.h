/* The checks before an upgrade, each a row with a stable id. A check looks and never changes
 * anything. */
#pragma once

#include "job/job.h"
#include "job/plan.h"
#include "timesten/status.h"

typedef enum { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_INFO } Severity;
extern const char *const severity_nicks[]; /* "error", "warning", "info", NULL */

typedef struct {
    Severity severity;
    const char *id;
    char *subject; /* what it is about: an instance, a database, a kernel setting */
    char *message;
    char *remedy; /* "" for info */
} Finding;

typedef struct {
    Job *job;
    const StepType *plan;
    TimesTenStatus *from_status, *to_status; /* NULL: not known */
    GPtrArray *findings;                     /* Finding */
    const char *id;                          /* of the check at work */
    char **only;                             /* ids; NULL: all */
    char **skip;                             /* likewise; NULL: none */
} Check;

struct Repair;

/* What a check needs before it can look; where that is missing, another check has already said so.
 */
typedef enum {
    NEEDS_NOTHING = 0,
    NEEDS_FROM = 1 << 0, /* facts of the old instance */
    NEEDS_TO = 1 << 1,
    NEEDS_BOTH = NEEDS_FROM | NEEDS_TO,
    NEEDS_FROM_DAEMON = 1 << 2, /* the old main daemon answers */
} CheckNeeds;

typedef struct {
    const char *id;
    const char *fine; /* what is true where the check found nothing */
    gint needs;       /* CheckNeeds */
    /* FALSE only where the looking itself was interrupted. */
    gboolean (*look)(Check *check, GError **error);
    const char *only;   /* kind of job that it is for; NULL: every one */
    const char *method; /* likewise */

    /* Told to people, in the manual and by ListChecks. */
    Severity worst;     /* no finding of it is worse; a row has that of its gravest finding */
    const char *about;  /* what its subject is: server, instance, database, host, peer, job */
    const char *source; /* where the rule comes from, and from where the state is read */
    const char *remedy; /* what helps in general; what a finding says is more exact */
    const char *kept;   /* why it is never skipped; NULL: it may be */

    /* What a repair of it does, and does it (job/repair.h); NULL: it has none that is safe. */
    const char *repair;
    void (*mend)(struct Repair *repair);
} CheckType;

/* Rows by what they look at, each ended by an id of NULL. */
extern const CheckType checks_of_facts[], checks_of_reading[], checks_of_instances[], checks_of_databases[],
    checks_of_host[], checks_of_kernel[], checks_of_system[], checks_of_rollback[],
    checks_of_online[], checks_of_clean[], checks_of_adopt[], checks_of_confirm[],
    checks_of_peer[], checks_of_copies[], checks_of_in_place[];

/* All rows there are, for whoever lists them; ended by a title of NULL. */
typedef struct {
    const char *title; /* "The two instances", a heading of the manual */
    const CheckType *rows;
    const char *kinds;  /* of jobs whose checks these are, with commas; a row may name one of them */
    const char *method; /* likewise; NULL: every one */
    gboolean skips;     /* whether these jobs can be told to skip any */
} CheckTable;
extern const CheckTable check_tables[];
/* The table's own copy of an id; NULL: there is no such check. */
const char *check_id(const char *word);

/* How much the databases of the server hold in the old release. */
guint64 check_data_bytes(const Job *job);

void check_found(Check *check, Severity severity, const char *subject, const char *remedy,
                 const char *format, ...) G_GNUC_PRINTF(5, 6);

GPtrArray *check_findings_new(void);

/* Runs all checks; findings in the order error, warning, info. NULL where it was interrupted. */
GPtrArray *check_run(Job *job, const StepType *plan, GError **error);
/* What "auto" means for a surveyed upgrade, which has that method from then on: the first of in-place
 * and online whose checks find no error, else offline. *ret_why (g_free()): which one and why.
 * FALSE only where the looking was interrupted. */
gboolean check_choose_method(Job *job, char **ret_why, GError **error);
guint check_errors(const GPtrArray *findings);
