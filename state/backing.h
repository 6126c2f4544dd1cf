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
} Backing;

/* A missing file gives an empty Backing. Damaged content is RECORD_DAMAGED. */
Backing *backing_load(const char *server, GError **error);
gboolean backing_commit(const char *server, const Backing *backing, GError **error);

/* Makes a commit that was only seen survive a power cut: its worker may have died between the
 * rename and the sync. */
gboolean backing_sync(const char *server, GError **error);

/* Takes away what a commit left that was killed before its rename. Nobody else may be committing
 * this server. */
void backing_tidy(const char *server);
void backing_free(Backing *backing);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Backing, backing_free)
