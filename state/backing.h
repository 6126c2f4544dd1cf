/* Which instance backs a server: one small file per server, replaced by one atomic, synced rename.
 * That rename is the commit of an upgrade. Only the worker writes it. */
#pragma once

#include <glib.h>

typedef struct {
    char *instance; /* backs the server now; NULL: no commit yet, the configuration's Instance=
                       holds */
    char *previous; /* backed it before; NULL: none */
    guint64 job;    /* that committed it; 0 none */
    guint64 since;  /* µs since the epoch */
    char *method;   /* of that job; NULL: as in files of 0.1, "offline" */

    /* The instance before still gets every row by replication, so the way back loses nothing. Until
     * somebody confirms, or goes back. */
    gboolean unconfirmed;
    guint64 confirm_by;           /* µs since the epoch, when it goes back by itself; 0 never */
    guint64 confirm_by_monotonic; /* the same by the clock that nobody sets, in the boot below */
    char *confirm_boot;           /* NULL: not known */
    guint64 confirmed_by;         /* job that confirmed it; 0 none */
} Backing;

/* A missing file gives an empty Backing. Damaged content is RECORD_DAMAGED. */
Backing *backing_load(const char *server, GError **error);
gboolean backing_commit(const char *server, const Backing *backing, GError **error);

/* "offline", "online", … : how the data came to the instance that backs the server. */
const char *backing_method(const Backing *backing);
/* Whether the instance before has the same database files. */
gboolean backing_in_place(const Backing *backing);

/* Lets it go back by itself after USEC unless it is confirmed; 0: never. Counts from now. Without a
 * word for this boot (state/boot.h) only the time of day counts. */
void backing_set_deadline(Backing *backing, guint64 usec);

/* When that is, in µs since the epoch as the clock stands now; 0 never. In the boot of its commit a
 * clock that is set changes nothing, and after another boot never more is left than was given. */
guint64 backing_confirm_by(const Backing *backing);
/* Whether this is the boot of its commit. */
gboolean backing_same_boot(const Backing *backing);
/* µs that are left; 0 over, USEC_NEVER none was set. */
guint64 backing_confirm_left(const Backing *backing);

/* From here on nobody replicates back: what is unconfirmed no longer is, by JOB (0: by going back).
 */
void backing_confirm(Backing *backing, guint64 job);

/* Makes a commit that was only seen survive a power cut: its worker may have died between the
 * rename and the sync. */
gboolean backing_sync(const char *server, GError **error);

/* Takes away what a commit left that was killed before its rename. Nobody else may be committing
 * this server. */
void backing_tidy(const char *server);
void backing_free(Backing *backing);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Backing, backing_free)
