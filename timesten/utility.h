/* The utilities of TimesTen as rows: what to run, for how long, and how to judge what came back.
 *
 * Nothing here runs anything. Up to 11.2 the path of a utility selects its instance, from 18.1 on
 * `HOME/bin/ttenv UTILITY` does; utility_argv() hides the difference. Sources: facts, section 3.
 */
#pragma once

#include "timesten/belief.h"

typedef enum {
    UTILITY_DAEMON_START,
    UTILITY_DAEMON_STOP,
    UTILITY_SERVER_START,
    UTILITY_SERVER_STOP,       /* clients end their request first */
    UTILITY_SERVER_STOP_FORCE, /* the same as SERVER_STOP where the era has no force */
    UTILITY_STATUS,
    UTILITY_VERSION,           /* -m where the era has it, the banner otherwise */
    UTILITY_EXPORT,            /* ttMigrate -c; needs dsn, file */
    UTILITY_IMPORT,            /* ttMigrate -r; needs dsn, file; creates the database */
    UTILITY_DESTROY,           /* ttDestroy; needs dsn */
    UTILITY_DESTROY_FORCE,     /* the same of files that no release knows as its own */
    UTILITY_QUERY,             /* ttAdmin -query; needs dsn */
    UTILITY_RAM_LOAD,          /* ttAdmin -ramLoad */
    UTILITY_RAM_UNLOAD,        /* ttAdmin -ramUnload */
    UTILITY_RAM_POLICY,        /* ttAdmin -ramPolicy; needs dsn, word */
    UTILITY_RAM_GRACE,         /* ttAdmin -ramPolicy inUse -ramGrace; needs dsn, seconds */
    UTILITY_SHM_DETACH,        /* ttAdmin -shmDetach: RAM policy enduring, eras with can_modify only */
    UTILITY_SHM_ATTACH,
    UTILITY_SHM_FREE,
    UTILITY_MODIFY,            /* ttInstanceModify -install; needs file, the installation */
    UTILITY_CLOSE,             /* ttAdmin -close, eras with can_close only */
    UTILITY_OPEN,
    UTILITY_CACHE_STOP,        /* ttAdmin -cacheStop */
    UTILITY_CACHE_START,
    UTILITY_REPLICATION_LIST,  /* ttRepAdmin -receiver -list: empty table where there is no replication */
    UTILITY_REPLICATION_START, /* ttAdmin -repStart: the agent */
    UTILITY_REPLICATION_STOP,  /* ttAdmin -repStop */
    UTILITY_REPLICATION_POLICY, /* ttAdmin -repPolicy; needs dsn, word */
    UTILITY_REPLICATION_STATE, /* ttRepAdmin -receiver -state: acts later; needs dsn, peer, word */
    UTILITY_REPLICATION_RESET, /* ttRepAdmin -receiver -reset; needs dsn, peer */
    UTILITY_REPLICATION_WAIT,  /* ttRepAdmin -wait; needs dsn, peer, seconds */
    UTILITY_DUPLICATE,         /* ttRepAdmin -duplicate of peer, on this host, to a new database; needs dsn, peer */
    UTILITY_SQL,               /* ttIsql -v1 -e SQL; needs dsn, sql; AutoCreate=0 is added */
    UTILITY_CLIENT_SQL,        /* ttIsqlCS, the same through a TimesTen Server; needs dsn, sql, port */
    N_UTILITIES,
} UtilityId;

typedef struct {
    const char *dsn;
    const char *file;
    const char *sql;       /* statements, each ended by ';' */
    gboolean replicated;   /* keeps what replication needs in EXPORT and IMPORT */
    guint16 port;          /* where the server listens */
    const char *peer;      /* the other database, as replication names it */
    const char *word;      /* a state or a policy */
    guint seconds;
    const char *host;      /* where the server is; NULL: this host */
} UtilityArguments;

/* What a utility's end means. */
typedef enum {
    VERDICT_DONE,    /* it did it */
    VERDICT_ALREADY, /* it was so already, which is as good (ttAdmin 6 and 8) */
    VERDICT_PARTIAL, /* ttMigrate 1: some objects failed; never good enough */
    VERDICT_FAILED,
} Verdict;

/* The words of a command line for the instance whose home is HOME. NULL with NOT_POSSIBLE where the
 * release has no such thing. Free with g_strfreev(). No word ever holds a password. */
char **utility_argv(UtilityId id, const char *home, const Release *release,
                    const UtilityArguments *arguments, GError **error);

/* The words that stand for a program of the instance: its path, or ttenv and its name. */
void utility_add_program(GStrvBuilder *words, const char *home, const Release *release,
                         const char *name);

/* Environment for it as NAME=VALUE: clears TTISQL, sets TIMESTEN_HOME where the era wants it. g_strfreev(). */
char **utility_environment(UtilityId id, const char *home, const Release *release);

const char *utility_name(UtilityId id);          /* "ttMigrate -c", for messages */
BeliefId utility_limit(UtilityId id);            /* how long it may take */
guint64 utility_limit_usec(UtilityId id);        /* how long it may take; USEC_NEVER for export and import */

/* Whether ttDaemonAdmin refused because the vendor's unit is in control of the instance: it tells to
 * use systemctl (D; for the server's verbs, and the words: I). */
gboolean utility_left_to_systemd(UtilityId id, const char *output);

/* Judges exit status (0…255; 128+N for death by signal N) and output together. Where the verdict is not DONE
 * or ALREADY, *ret_reason (g_free()) has the utility's own error line, or says that it printed none. */
Verdict utility_judge(UtilityId id, const Release *release, int exit_status, const char *output,
                      char **ret_reason);
