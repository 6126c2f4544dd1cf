/* Steps of an online change that touch the replication between the old and the new databases: made,
 * caught up, drained and ended. Rows of users are never touched here. */
#include "job/steps.h"
#include "job/replication.h"
#include "job/runner.h"
#include "common/error.h"

/* --- end-replication ----------------------------------------------------------------------------
 */

static gboolean end_on(Job *job, const Side *side, GError **error)
{
    if (!step_bring_daemon_up(job, side, error))
        return FALSE;
    for (char **dsn = job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(side->facts, *dsn);

        if (facts && facts->exists && !replica_end(job, side, *dsn, error))
            return FALSE;
    }
    return TRUE;
}

/* The side that serves must come to its end, or its log would be held for ever; of the other one
 * only what can be reached: nobody needs it any more. */
gboolean step_end_replication(Job *job, GError **error)
{
    const Side *serving = job_moves_server(job) && job->committed ? &job->to : &job->from;
    Side *sides[] = { &job->from, &job->to };

    for (guint i = 0; i < G_N_ELEMENTS(sides); i++) {
        const Side *side = sides[i];
        g_autoptr(GError) problem = NULL;

        if (side->facts && end_on(job, side, &problem))
            continue;
        if (job->stopping || side == serving) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        g_warning("The replication of instance %s is not ended: %s, ignoring", side->config->name,
                  problem ? problem->message : "it cannot be looked at");
    }
    return TRUE;
}
