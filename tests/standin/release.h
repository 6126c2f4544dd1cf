/* Releases of the stand-in as rows: what differs from release to release is a column here and
 * nowhere else.
 *
 * To add a release: add its family to the enum if it is missing, one row in release.c, and set the
 * since/until columns of the option tables in the commands.
 */
#pragma once

#include <glib.h>

typedef enum {
    FAMILY_60,
    FAMILY_70,
    FAMILY_1121,
    FAMILY_1122,
    FAMILY_181,
    FAMILY_221,
    FAMILY_261,
    FAMILY_NEWEST,
} FamilyId;

typedef struct {
    guint part[5];
} Version;

typedef struct {
    FamilyId id;
    guint first[3];             /* first parts of its releases, major_parts of them count */
    guint major_parts;          /* how many parts make the major release */
    guint shown_parts;          /* how many parts the banner shows */
    const char *built;          /* build date in ttVersion */
    gboolean date_on_next_line; /* ttVersion's build date has a line of its own */
    gboolean machine_version;   /* ttVersion -m and attribute names */
    gboolean pretty_status;     /* ttStatus lists connections as a table unless -nopretty */
    gboolean one_line_down;     /* ttStatus without a daemon says it in one line */
    gboolean shared_mode_line;  /* ttStatus prints "Data store is in shared mode" */
    gboolean server_force;      /* -force changes what -stopserver does */
    const char *cache_policy;   /* label of the cache agent's policy in ttStatus */
    const char
        *daemon_started; /* ttDaemonAdmin -start; pid and port are its arguments where wanted */
    const char *daemon_stopped;
    const char *copyright; /* first line of ttIsql at verbosity 2 */
} Family;

/* "7.0.6" and the like; 2 to 5 parts. */
gboolean version_parse(const char *text, Version *ret);
int version_compare(const Version *a, const Version *b);
char *version_text(const Version *version); /* as its family's banner shows it; g_free() */

/* The family of a release, or NULL where the stand-in has none. */
const Family *family_find(const Version *version);

/* Negative, zero, positive as A's major release is older than, equal to or newer than B's. */
int version_compare_major(const Version *a, const Version *b);

/* Whether a client of one release may talk to a server of another (facts 2.2, 4.1, 8.3 item 5).
 * COMPAT: the main daemon was started with -insecure-backwards-compat. NULL: yes; otherwise why
 * not. */
const char *version_refuse_client(const Version *client, const Version *server, gboolean compat);
