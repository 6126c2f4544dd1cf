/* The jobs on disk, as objects on the bus: the newest ones alive, the others for the record.
 *
 * Everything here is read from the request, the record and the progress file of a job; only the
 * worker writes those. Nothing is concluded from having started a worker, so that a daemon that
 * comes later knows as much.
 */
#pragma once

#include "daemon/object.h"
#include "daemon/units.h"
#include "daemon/watch.h"
#include "state/progress.h"
#include "state/record.h"
#include "state/request.h"

typedef struct JobTable JobTable;

typedef struct {
    Object object;
    guint64 id;
    JobRequest *request;    /* NULL: damaged */
    RecordSummary *summary; /* NULL: damaged or not readable */
    JobProgress *progress;  /* NULL: finished, or none yet */
    char *damage;           /* why it cannot be read; NULL */
    gboolean cancelled;     /* somebody wished so */
    gboolean announced;     /* PrepareForUpgrade(true) was told or would have been */
    gboolean ended;         /* JobRemoved was told or would have been */
    gboolean seen_running;  /* its worker ran, or should have before we came */
    gboolean start_asked;   /* this daemon asked systemd to start its worker */
    gboolean stop_told;     /* the journal knows that its worker stands still */
    UnitWatch *unit;        /* its worker; NULL: finished */
    Watch *record_watch, *progress_watch;
    struct Start *start; /* start.c: it was just asked for; NULL otherwise */
} Job;

extern const Interface job_interface;

JobTable *jobs_new(Daemon *daemon);
void jobs_free(JobTable *table);

/* Makes an object for a request that was just written, and tells JobNew. */
Job *jobs_add(Daemon *daemon, guint64 id);

/* The table's own; NULL where there is none of that number. */
Job *jobs_find(const Daemon *daemon, guint64 id);
/* The job that is at work on a server, or was left unfinished; NULL none. */
Job *jobs_unfinished(const Daemon *daemon, const char *server);
/* The job that is at work on another server and uses an instance that REQUEST would use, too; NULL
 * none. Two jobs on one instance would stop it under each other. *ret_instance is REQUEST's own. */
Job *jobs_rival(const Daemon *daemon, const JobRequest *request, const char **ret_instance);
/* The newest of a server that ended; NULL none. */
Job *jobs_last_finished(const Daemon *daemon, const char *server);
/* Ascending by id; array of Job. */
const GPtrArray *jobs_all(const Daemon *daemon);
/* Whether a worker runs or is about to. */
gboolean jobs_any_alive(const Daemon *daemon);
/* Whether systemd told of each unfinished job how its worker is. */
gboolean jobs_known(const Daemon *daemon);

/* Reads a job again and tells what became of it. */
void job_refresh(Job *job);
/* Follows a job that had ended and that a person wants to go on. */
void job_reopen(Job *job);

gboolean job_is_finished(const Job *job);
const char *job_state(const Job *job);         /* as the property; lives for ever */
const char *job_method(const Job *job);        /* as asked, or what "auto" came to */
const char *job_result(const Job *job);        /* "" until finished */
const char *job_error_name(const Job *job);    /* "" none */
const char *job_error_message(const Job *job); /* "" none */
guint64 job_finished_usec(const Job *job);     /* since the epoch; 0 not yet */
double job_progress(const Job *job);           /* 0 … 1 */
/* TOO_LATE or RECORD_DAMAGED where it cannot be cancelled any more. */
gboolean job_can_cancel(const Job *job, GError **error);
/* NOT_POSSIBLE, TOO_LATE, BUSY or RECORD_DAMAGED where it cannot go on. */
gboolean job_can_retry(const Job *job, GError **error);
