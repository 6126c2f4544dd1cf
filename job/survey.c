/* An instance may become unreadable in the middle of a job: its administrator is deleted, its home
 * is not mounted. Going back, and most of all opening the port, must still be possible then, so
 * the first worker puts what it knows into the record. Called by the worker's main, before any
 * step. */
#include "job/survey.h"
#include "common/error.h"
#include "common/text.h"

#define TRIES      3
#define PAUSE_USEC (2 * USEC_PER_SEC)
/* More than a record's value may have is not remembered: hundreds of databases. */
#define LENGTH_LIMIT (60 * 1024)

static const struct {
    const char *key;
    gsize side;
} sides[] = {
    { FACTS_FROM, offsetof(Job, from) },
    { FACTS_TO, offsetof(Job, to) },
};

static Side *side_of(Job *job, guint which)
{
    return G_STRUCT_MEMBER_P(job, sides[which].side);
}

static const char *remembered(const Job *job, guint which)
{
    return job->summary ? g_hash_table_lookup(job->summary->values, sides[which].key) : NULL;
}

static gboolean recall(Job *job, guint which)
{
    Side *side = side_of(job, which);

    side->facts = job_recall_facts(job, sides[which].key);
    if (side->facts)
        job_set_port(job, side);
    return side->facts != NULL;
}

/* A job that has not begun is refused at the first failure; one that has is worth some patience. */
static gboolean look(Job *job, guint which, GError **error)
{
    for (guint try = 1;; try++) {
        g_autoptr(GError) problem = NULL;

        if (job_probe_side(job, side_of(job, which), &problem))
            return TRUE;
        if (try == TRIES || job->stopping || !remembered(job, which)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        g_message("%s; trying again", problem->message);
        if (!job_sleep(job, try * PAUSE_USEC, error))
            return FALSE;
    }
}

gboolean survey_run(Job *job, GError **ret_problem, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(sides); i++) {
        g_autoptr(GError) problem = NULL;

        if (look(job, i, &problem))
            continue;
        if (job->stopping || !recall(job, i)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        g_clear_error(ret_problem);
        g_propagate_error(ret_problem, g_steal_pointer(&problem));
    }
    return TRUE;
}

gboolean survey_remember(Job *job, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(sides); i++) {
        g_autofree char *text = facts_format(side_of(job, i)->facts);

        if (!remembered(job, i) && strlen(text) < LENGTH_LIMIT &&
            !job_record(job, RECORD_NOTE, "-", error, sides[i].key, text, NULL))
            return FALSE;
    }
    return TRUE;
}
