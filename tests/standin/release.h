/* Releases of the stand-in as rows: what differs from release to release is a column here and
 * nowhere else.
 *
 * To add a release: add its family to the enum if it is missing, one row in release.c, and set the
 * since/until columns of the option tables in the commands.
 */
#pragma once

#include <glib.h>

typedef enum {
    FAMILY_51,
    FAMILY_60,
    FAMILY_70,
    FAMILY_1121,
    FAMILY_1122,
    FAMILY_181,
    FAMILY_221,
    FAMILY_261,
    FAMILY_NEWEST,
} FamilyId;

/* What tells a program which instance it works for (facts 2.1); where files are follows from it. */
typedef enum {
    SELECTED_BY_PATH,        /* its own path: software and instance are one directory */
    SELECTED_BY_ENVIRONMENT, /* TIMESTEN_HOME: the software is an installation apart */
} Selection;

typedef struct {
    guint part[5];
} Version;

typedef struct {
    FamilyId id;
    guint first[3];    /* first parts of its releases, major_parts of them count */
    guint major_parts; /* how many parts make the major release */
    guint shown_parts; /* how many parts the banner shows */
    Selection selection;
    guint16 daemon_port; /* what the 64-bit installer offers */
    guint16 server_port;
    const char *copyright; /* first line of ttIsql at verbosity 2 */
    /* ttVersion */
    const char *built;          /* build date */
    gboolean date_on_next_line; /* the build date has a line of its own */
    gboolean machine_version;   /* -m and attribute names */
    gboolean new_attributes;    /* -m counts major1, major2, patchset … */
    const char *const *notes;   /* further lines of the banner */
    /* ttStatus */
    gboolean pretty_status;    /* connections as a table unless -nopretty */
    gboolean one_line_down;    /* without a daemon one line says so */
    gboolean shared_mode_line; /* "Data store is in shared mode" */
    gboolean wide_contexts;    /* addresses of 64 bits in the table */
    gboolean plsql;            /* PL/SQL memory, "PL/SQL enabled.", "Accessible by group" */
    gboolean store_header;     /* each store begins with a second ruler and the daemon's lines */
    gboolean closable;         /* databases are open or closed to users, and it is shown */
    const char *memory_key;    /* "KEY" or "Key" */
    const char *cache_policy;  /* label of the cache agent's policy */
    /* ttDaemonAdmin; {pid}, {port}, {file} stand for what they say */
    const char *daemon_started, *daemon_stopped, *server_started, *server_stopped;
    const char *daemon_running, *daemon_missing, *stale_pid;
    gboolean server_force; /* -force changes what -stopserver does */
    gboolean web_server;
    /* the rest */
    const char *driver;    /* in error messages; {release} is the instance's */
    gboolean relaxed_save; /* ttMigrate -c takes the option for stores without replication */
    gboolean users;        /* databases have users and privileges */
    gboolean reads_newer;  /* ttMigrate -r takes files of newer releases of this selection */
} Family;

/* "7.0.6" and the like; 2 to 5 parts. */
gboolean version_parse(const char *text, Version *ret);
int version_compare(const Version *a, const Version *b);
char *version_text(const Version *version); /* as its family's banner shows it; g_free() */

/* The family of a release, or NULL where the stand-in has none. */
const Family *family_find(const Version *version);

/* TEXT with each {name} replaced by the value that follows the name; ends with NULL. g_free(). */
char *wording(const char *text, ...) G_GNUC_NULL_TERMINATED;

/* Negative, zero, positive as A's major release is older than, equal to or newer than B's. */
int version_compare_major(const Version *a, const Version *b);

/* Whether a client of one release may talk to a server of another (facts 2.2, 4.1, 8.3 item 5).
 * COMPAT: the main daemon was started with -insecure-backwards-compat. NULL: yes; otherwise why
 * not. */
const char *version_refuse_client(const Version *client, const Version *server, gboolean compat);

/* Whether ttMigrate of READER restores a file that WRITER saved (facts 3.4, 4.1). */
gboolean version_reads_file(const Version *reader, const Version *writer);

/* Writes the upgrade.json of a release to standard output (upgrades.c). */
int upgrades_print(const Version *to);

/* Whether replication agents of two releases may talk at all (facts 4.1). NULL: yes; else why not.
 * What else peers before 7.0 need is agent_refuse_peer()'s. */
const char *version_refuse_peer(const Version *mine, const Version *peer);
