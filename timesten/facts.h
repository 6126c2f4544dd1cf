/* What an installation on this host says about itself, read as its administrator by instance-helper and
 * handed on as text, because neither daemon nor worker may read another user's files.
 */
#pragma once

#include "timesten/release.h"

typedef struct {
    char *dsn;
    char *data_store;        /* path without extension */
    char *log_directory;     /* where its logs go; the data store's directory by default */
    gboolean exists;         /* a checkpoint file (.ds0 or .ds1) is there */
    guint64 size;            /* bytes of its files */
    guint64 free_bytes;      /* free for the administrator in the data store's directory */
    guint64 free_inodes;
    gboolean writable;       /* the administrator may create files there */
    gboolean network;        /* on NFS or another network file system */
    char *character_set;     /* DatabaseCharacterSet=, NULL where absent */
} DatabaseFacts;

typedef struct {
    char *home;              /* as configured */
    Release release;
    char *release_source;    /* "ttVersion -m", "ttVersion" or "configuration" */
    char *instance_name;     /* TimesTen's own name of it */
    char *daemon_home;
    char *admin;             /* the instance administrator (user name) */
    char *options_path;
    char *odbc_path;
    char *pid_file;
    guint16 daemon_port;
    guint16 server_port;     /* as the options file has it; 0 none */
    gboolean backwards_compat;
    gboolean options_writable;
    gboolean client_sql;     /* ttIsqlCS is installed; a server-only installation lacks it */
    char *preload_problem;   /* why a library cannot be preloaded into its programs; NULL it can */
    gboolean preload_missing; /* its main daemon runs without ours */
    guint bits;              /* 32, 64, 0 unknown */
    GPtrArray *databases;    /* DatabaseFacts */
} InstanceFacts;

/* Looks at an installation: runs ttVersion, reads the option file and sys.odbc.ini. Must run as the instance's
 * administrator. RELEASE_OVERRIDE may be NULL. Errors name the file or the utility and the remedy. */
InstanceFacts *facts_probe(const char *home, const char *release_override, GError **error);

/* The databases of FACTS as they are now, by its odbc_path, and nothing else; runs no utility. */
gboolean facts_probe_databases(InstanceFacts *facts, GError **error);

/* Empty facts, to be filled. */
InstanceFacts *facts_new(void);

char *facts_format(const InstanceFacts *facts);                  /* key-file text; g_free() */
char *facts_format_databases(const InstanceFacts *facts);        /* the part that tells of databases */
InstanceFacts *facts_parse(const char *text, GError **error);    /* and back */
/* FACTS with the databases of TEXT, which is of facts_format_databases(), in place of its own. */
InstanceFacts *facts_with_databases(const InstanceFacts *facts, const char *text, GError **error);
void facts_free(InstanceFacts *facts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(InstanceFacts, facts_free)

/* By its DSN, in whatever case; the facts' own, NULL where the installation has none of that name. DSN may be NULL. */
const DatabaseFacts *facts_find_database(const InstanceFacts *facts, const char *dsn);

/* The administrator of an installation, told by who owns HOME/info (path era) or conf/timesten.conf (environment
 * era; where root owns that, by its admin_user=). Links are not followed, and where HOME/bin belongs to yet another
 * user than root it is an error, because whoever owns the programs must never get another user's rights by them.
 * User name, g_free(). Reads only owners and root's files, so anybody may call. */
char *facts_guess_admin(const char *home, GError **error);
