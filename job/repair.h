/* Repairs of what checks find, where that is safe: each is asked for, told before it is done,
 * undone by what it tells, and changes no file that the administrator or a package owns. Called for
 * `upgrade-job repair`, never by a job. */
#pragma once

#include "job/check.h"

typedef struct {
    const char *id; /* of the check */
    char *subject;
    char *before, *after; /* as it is now, and as it would be or was made */
    char *undo;           /* what takes it back */
} Repaired;

typedef struct Repair {
    Job *job;
    TimesTenStatus *from_status, *to_status;
    gboolean dry; /* only tell */
    const char *id;
    GPtrArray *done; /* Repaired */
} Repair;

GPtrArray *repaired_new(void); /* of Repaired */

/* All repairs that are needed, or (option "only") those that are named. NULL where the looking was
 * interrupted; a repair that failed says so in its "after". */
GPtrArray *repair_run(Job *job, GError **error);

/* Whether only telling was asked for (option "dry-run"). */
gboolean repair_is_dry(const Job *job);

/* For the rows' own functions. Where it is to be done they do it, and tell it in any case; what is
 * right already they leave alone and do not tell. */

/* A kernel setting, now and at each boot. */
void repair_sysctl(Repair *repair, const char *key, const char *value);
/* A drop-in of our own, and whether it is there now. */
gboolean repair_drop_in(Repair *repair, const char *subject, const char *path, const char *content,
                        const char *before, const char *after, const char *undo);
/* Takes over the texts but SUBJECT; PROBLEM (may be NULL) is what kept it from being done. */
void repair_tell(Repair *repair, const char *subject, char *before, char *after, char *undo,
                 const GError *problem);
