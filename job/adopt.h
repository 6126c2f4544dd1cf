/* What the steps and the checks of an adopt share. */
#pragma once

#include "job/job.h"
#include "timesten/status.h"

typedef enum { FILE_MISSING, FILE_OURS, FILE_OF_OTHERS } AdoptFile;

/* The configuration file that it writes; g_free(). */
char *adopt_file(const Job *job);
/* What there is: nothing, word by word what this job writes, or anything else. */
AdoptFile adopt_see_file(const Job *job);

/* Lets port-adopter look whether the port is the server's and can be shared; TAKE: and share it
 * with the keeper. What it said (g_free()), or NULL with the reason. */
char *adopt_look(Job *job, const TimesTenStatus *status, gboolean take, GError **error);
