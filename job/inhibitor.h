/* Asks logind not to let the host go down while clients wait for a job. */
#pragma once

#include "job/job.h"

typedef struct Inhibitor Inhibitor;

/* Takes the locks, waits no longer than some seconds for them, and never fails: where there is no
 * logind or no bus, it says so once. Nothing new where they are held already. */
void inhibitor_take(Job *job);

/* The host may go down again at once; the second only takes back what refuses, not what delays. */
void inhibitor_release(Job *job);
void inhibitor_release_block(Job *job);

void inhibitor_free(Inhibitor *inhibitor);
