/* What the checks are, without running any: the worker's table, copied here when the product is
 * built (job/check-document.c), because the worker's folder is not the daemon's to use. */
#pragma once

#include "daemon/call.h"

typedef struct {
    const char *id;
    const char *severity;
    const char *kinds;  /* of jobs, with commas */
    const char *method; /* "" every one */
    const char *about;
    const char *fine;
    const char *source;
    const char *remedy;
    const char *kept; /* why it is never skipped, "" it may be */
    const char *repair;
} CheckRow;

extern const CheckRow check_rows[]; /* ended by an id of NULL */

void checks_list(Call *call);

typedef enum { CHECKS_RUN, CHECKS_SKIP, CHECKS_REPAIR } ChecksUse;

/* Whether all words are ids of checks which can be used so: not all may be skipped, and not all have a
 * repair. Errors: INVALID_OPTION with KEY, the id and what to do. */
gboolean checks_named(const char *key, GVariant *ids, ChecksUse use, GError **error);
