/* What a job of kind "clean" was asked to remove: named databases of the instance that backed the
 * server before, and exports of jobs that ended. Nothing that was not named, and nothing in use. */
#pragma once

#include "job/job.h"
#include "timesten/status.h"

typedef struct {
    char **databases; /* DSNs; empty: none was named */
    gboolean exports;
    guint64 only; /* the exports of this job; 0: of each */
} CleanWish;

CleanWish *clean_wish(const Job *job);
void clean_wish_free(CleanWish *wish);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CleanWish, clean_wish_free)

/* NOT_POSSIBLE where a named database must not be destroyed: it is in use or kept in memory, or its
 * files are those of a database that serves. Needs the facts of both sides; that a database is gone
 * is no reason. */
gboolean clean_may_destroy(const Job *job, const char *dsn, const TimesTenStatus *status,
                           GError **error);

/* The ended jobs of the server whose exports are meant, ascending; array of JobRequest, owned.
 * Those that a retry could still want are left out. */
GPtrArray *clean_jobs(const Job *job, const CleanWish *wish, GError **error);
