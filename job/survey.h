/* The facts of both installations for a worker, also for one that comes when an installation cannot
 * be looked at any more. */
#pragma once

#include "job/job.h"

/* Looks at both sides, several times where that fails. A side that cannot be looked at keeps what
 * the record remembers of it; *ret_problem then tells why. FALSE where nothing is remembered. */
gboolean survey_run(Job *job, GError **ret_problem, GError **error);

/* Puts the facts into the record, once per job: a later worker may need them to go back. */
gboolean survey_remember(Job *job, GError **error);
