/* Where facts are tried: the instance, and what came of each trial so far. Internal to timesten/.
 */
#pragma once

#include "timesten/facts.h"
#include "timesten/trial.h"
#include "timesten/utility.h"

typedef struct {
    InstanceFacts *facts;
    const char *scratch;        /* NULL: nothing may be changed */
    char *directory;            /* a new one, for files */
    gboolean running;           /* the main daemon is */
    Trial *trials;              /* by BeliefId */
    guint64 longest[N_BELIEFS]; /* of what has this limit, in µs */
} Bench;

typedef struct {
    int status;   /* 128+N: signal N */
    char *output; /* "" where it could not be run */
} Answer;
void answer_free(Answer *answer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Answer, answer_free)

/* A utility as the product calls it, or with words of our own. Never NULL. */
Answer *bench_ask(Bench *bench, UtilityId id, const UtilityArguments *arguments);
Answer *bench_run(Bench *bench, BeliefId limit, const char *program, ...) G_GNUC_NULL_TERMINATED;

/* What came of a fact; of several trials of one, one that differs counts. */
void bench_note(Bench *bench, BeliefId id, gboolean holds, const Answer *seen, const char *how);
void bench_pass(Bench *bench, BeliefId id, const char *why); /* not tried, and why */

gboolean answer_has_line(const Answer *answer, BeliefId begin);

/* The trials that need a scratch database. */
void bench_try_scratch(Bench *bench);
/* Those of ttStatus, of ttAdmin -query and of SQL, with the database DSN; LOADED: it is in memory.
 */
void bench_try_status(Bench *bench, const char *data_store);
void bench_try_query(Bench *bench, const char *dsn);
void bench_try_sql(Bench *bench, const char *dsn);
