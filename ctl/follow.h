/* Following a job to its end. It holds across restarts of the service (the job runs without it) and
 * misses nothing: it listens first and reads then, and it believes only what it read. */
#pragma once

#include "ctl/object.h"

typedef enum {
    FOLLOW_FINISHED, /* *ret_job is the finished job */
    FOLLOW_DETACHED, /* SIGINT or SIGTERM: the job goes on */
    FOLLOW_FAILED,   /* ERROR is set; the job goes on */
} FollowEnd;

/* Shows the job at PATH until its end. *ret_job is set with FOLLOW_FINISHED only and is the caller's;
 * how the job ended is no error here. */
FollowEnd follow_job(Session *session, const char *path, Job **ret_job, GError **error);
