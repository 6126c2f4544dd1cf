/* What was asked of a job: written once by the daemon, before the worker starts. */
#pragma once

#include <glib.h>

typedef struct {
    guint64 id;
    char *kind; /* "upgrade", "rollback", "clean", "adopt", "confirm" */
    char *server;
    char *from;        /* instance that backed the server when it was asked */
    char *to; /* target instance; of a clean, the one whose databases go; of a confirm, the one that
                 is let go; of an adopt, FROM */
    char *method;      /* "offline"; "auto" is resolved before */
    GVariant *options; /* a{sv}, as given */
    guint32 uid;       /* who asked */
    guint32 pid;
    char *unit;      /* the asker's unit, "" unknown */
    guint64 created; /* µs since the epoch */
    char *boot;      /* id of the boot that it was asked in; written by request_create() */
} JobRequest;

/* Allocates the next id (never repeated, also after old jobs were removed), makes its directory and
 * writes the request, all synced. Fills request->id. */
gboolean request_create(JobRequest *request, GError **error);
JobRequest *request_load(guint64 id, GError **error); /* NO_SUCH_JOB, RECORD_DAMAGED */
void request_free(JobRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JobRequest, request_free)

/* Whether it takes the server away and makes another instance back it. */
gboolean request_moves_server(const JobRequest *request);

/* Whether it ends the way back that loses nothing. */
gboolean request_confirms(const JobRequest *request);

/* Whether it declares a server that is not known before. */
gboolean request_adopts(const JobRequest *request);

/* Whether it starts, stops or changes this instance. */
gboolean request_uses(const JobRequest *request, const char *instance);

/* Ids of all jobs on disk, ascending; array of guint64. */
GArray *request_list(GError **error);

/* The wish to cancel is a file beside the request, so that it outlives every process. */
gboolean request_cancel(guint64 id, guint32 uid, GError **error);
gboolean request_is_cancelled(guint64 id);

/* Likewise the wish to go on with a job that needs attention. The worker takes it off when it
 * stands in the record. */
gboolean request_retry(guint64 id, guint32 uid, GError **error);
gboolean request_wants_retry(guint64 id);
gboolean request_take_retry(guint64 id, GError **error);
