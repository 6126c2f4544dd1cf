/* Release numbers and the eras of TimesTen.
 *
 * The rule for "same major release" differs by era (Installation Guide 7.0 p. 87; release numbers in the
 * 11.2 and 18.1 guides): before 11.2 the first two parts, 11.2.x the first three, 18.1 and later again two.
 */
#pragma once

#include <glib.h>

typedef struct {
    guint part[5]; /* absent parts are 0 */
    guint parts;   /* how many were written, 2 to 5 */
} Release;

/* How a utility finds its instance. */
typedef enum {
    ERA_PATH,        /* up to 11.2: the path of the utility selects the instance */
    ERA_ENVIRONMENT, /* 18.1 and later: TIMESTEN_HOME does, set by bin/ttenv */
} EraKind;

/* One row per family of releases that differ in what this project touches. */
typedef struct {
    guint from[3];              /* first release of the row; the next row's is its end */
    const char *name;           /* "6.0", "7.0", "11.2.1", … */
    EraKind kind;
    guint major_parts;          /* how many parts make the major release */
    guint daemon_port;          /* 64-bit default, 0 unknown */
    guint server_port;          /* 64-bit default, 0 unknown */
    const char *options_file;   /* below the daemon home (path era) or TIMESTEN_HOME */
    const char *odbc_ini;       /* below the instance's home */
    gboolean can_close;         /* ttAdmin -close/-open exist */
    gboolean can_modify;        /* an instance can be given another installation: ttInstanceModify */
    guint unreplicated;         /* BeliefId: ttMigrate's option for databases without replication */
} Era;

#define RELEASE_EXAMPLE "7.0.6.0.0" /* for messages */
/* "6.0.8", "7.0.6.0.0", "11.2.2.8.27"; 2 to 5 parts. Error: INVALID_CONFIGURATION. */
gboolean release_parse(const char *text, Release *ret, GError **error);
char *release_format(const Release *release); /* as written; g_free() */
int release_compare(const Release *a, const Release *b);
gboolean release_same_major(const Release *a, const Release *b);
char *release_major(const Release *release); /* "7.0", "11.2.2", "22.1"; g_free() */

/* The release of an installation that is named as its archive unpacks, such as
 * /opt/TimesTen/tt22.1.1.27.0 (D); NULL where the name tells none. g_free(). */
char *release_of_installation(const char *path);

/* One that stands for all that find their instance in this way. */
void release_of_kind(EraKind kind, Release *ret);

/* The row of a release. Releases older than the first row get the first, newer than the last the last. */
const Era *release_era(const Release *release);
