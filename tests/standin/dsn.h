/* Connection strings and sys.odbc.ini: from what an operator writes to the files of a database. */
#pragma once

#include "instance.h"

typedef struct {
    char *dsn;            /* "" where only a path was given */
    char *data_store;     /* path without extension */
    char *log_dir;        /* LogDir=; NULL: beside the data store */
    char *uid;            /* NULL: the user of the process */
    char *charset;        /* DatabaseCharacterSet=; NULL: not given */
    gint64 log_file_size; /* LogFileSize=, in bytes; 0: not given */
    guint segment_mb;     /* size of the shared memory segment, without the release's own part */
    gboolean force_disconnect; /* ForceDisconnectEnabled=1 */
    gboolean auto_create;
    gboolean durable; /* DurableCommits=1: a commit is on the disk before it is answered */
} Target;

/* TEXT is a bare DSN or "DSN=x;AutoCreate=0;…". SYSTEM_ONLY: the server's view, without the user's
 * own files. Errors: TT_NO_DSN, TT_BAD_VALUE, TT_AUTHENTICATION. */
Target *target_find(const Instance *instance, const char *text, gboolean system_only,
                    GError **error);
Target *target_of_path(const char *path);

/* What a client needs to know of a database behind a server. */
typedef struct {
    char *host;
    guint16 port;
    char *dsn;       /* on the server */
    guint timeout_s; /* TTC_Timeout: the longest wait for an answer; 60 unless told */
} Remote;

/* TEXT is a client DSN, "DSN=x;…", or "TTC_Server=h;TTC_Server_DSN=d;TCP_Port=n" without any DSN.
 * Errors: TT_NO_DSN, TT_BAD_VALUE. */
Remote *remote_find(const Instance *instance, const char *text, GError **error);
void remote_free(Remote *remote);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Remote, remote_free)

void target_free(Target *target);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Target, target_free)
