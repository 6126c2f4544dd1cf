/* What this project takes TimesTen to do without having it on paper: each such fact is a row with a
 * name, and a site with the real product corrects it in /etc/timesten-upgrade/facts.d. `ttctl
 * facts` lists them, timesten-upgrade-facts(5) is made from them, `ttctl probe` tries them.
 *
 * The code of this folder asks here instead of naming the value, so no other table has it.
 * Process-wide: belief_load() is called by each program's main() before anything else of this
 * folder.
 */
#pragma once

#include "timesten/release.h"

typedef enum {
    /* releases and files */
    BELIEF_RELEASE_TWO_DIGITS,
    BELIEF_VERSION_M_SINCE,
    BELIEF_VERSION_BANNER_INSTANCE,
    BELIEF_VERSION_KEY_ADMIN,
    BELIEF_VERSION_KEY_DAEMON_HOME,
    BELIEF_DAEMON_PORT_OPTION,
    BELIEF_COMPAT_ATTRIBUTE,
    BELIEF_SHARED_ODBC_INI,
    BELIEF_USER_ODBC_INI,
    BELIEF_LIBRARY_DIRECTORY,
    /* starting and stopping */
    BELIEF_START_FORCE_SINCE,
    BELIEF_SERVER_STOP_FORCE_SINCE,
    BELIEF_SERVER_COMES_BACK,
    BELIEF_SAYS_SYSTEMCTL,
    BELIEF_SAYS_START_FAILED,
    BELIEF_SAYS_SERVER_START_FAILED,
    BELIEF_SAYS_DAEMON_RUNS,
    BELIEF_SAYS_SERVER_RUNS,
    BELIEF_SAYS_NOT_RUNNING,
    /* ttStatus */
    BELIEF_STATUS_REPORT,
    BELIEF_STATUS_DAEMON,
    BELIEF_STATUS_SERVER,
    BELIEF_STATUS_STORE,
    BELIEF_STATUS_CONNECTIONS,
    BELIEF_STATUS_CLOSED,
    BELIEF_STATUS_UNLOADED,
    BELIEF_STATUS_REPLICATION,
    BELIEF_STATUS_CACHE,
    BELIEF_STATUS_RAM_POLICY,
    BELIEF_STATUS_OWN_TYPES,
    /* ttAdmin */
    BELIEF_QUERY_RAM_POLICY,
    BELIEF_QUERY_RAM_GRACE,
    BELIEF_QUERY_LOADED,
    BELIEF_QUERY_REPLICATION_POLICY,
    BELIEF_QUERY_REPLICATION,
    BELIEF_QUERY_CACHE,
    BELIEF_QUERY_STATE,
    BELIEF_ADMIN_AGENT_RUNS,
    BELIEF_ADMIN_AGENT_STOPPED,
    BELIEF_ADMIN_LOADED,
    BELIEF_ADMIN_UNLOADED,
    BELIEF_ADMIN_IN_USE,
    BELIEF_SAYS_CLOSED,
    BELIEF_SAYS_OPEN,
    /* ttMigrate and ttDestroy */
    BELIEF_MIGRATE_OPTION_OLD,
    BELIEF_MIGRATE_OPTION_NEW,
    BELIEF_MIGRATE_EXPORT_OPTION_SINCE,
    BELIEF_MIGRATE_PARTIAL,
    BELIEF_MIGRATE_FATAL,
    BELIEF_MIGRATE_INTERRUPTED,
    BELIEF_MIGRATE_SAVING,
    BELIEF_MIGRATE_RESTORING,
    BELIEF_MIGRATE_CACHED_TABLE,
    BELIEF_MIGRATE_FINISHED,
    BELIEF_SAYS_NO_DATABASE,
    /* SQL */
    BELIEF_CLIENT_SQL_PROGRAM,
    BELIEF_SQL_DEFAULTS_VARIABLE,
    BELIEF_SQL_ERROR_WIDTH,
    BELIEF_SAYS_ASKS_USER,
    BELIEF_TABLES_VIEW,
    BELIEF_TABLES_OWNER,
    BELIEF_TABLES_NAME,
    BELIEF_TABLES_KEY,
    BELIEF_TABLES_OWN_OWNERS,
    /* replication */
    BELIEF_SAYS_NO_REPLICATION,
    BELIEF_DUPLICATE_USER_SINCE,
    /* how long things may rightly take, and words of complaint */
    BELIEF_LIMIT_DAEMON,
    BELIEF_LIMIT_SERVER_START,
    BELIEF_LIMIT_SERVER_STOP,
    BELIEF_LIMIT_LOOK,
    BELIEF_LIMIT_ORDER,
    BELIEF_LIMIT_AGENT,
    BELIEF_LIMIT_CACHE_STOP,
    BELIEF_LIMIT_DESTROY,
    BELIEF_LIMIT_LOAD,
    BELIEF_LIMIT_WAIT,
    BELIEF_LIMIT_SQL,
    BELIEF_LIMIT_CLIENT_SQL,
    BELIEF_LIMIT_COPY,
    BELIEF_COMPLAINTS,
    N_BELIEFS,
} BeliefId;

typedef enum {
    BELIEF_WORD,    /* one word without blanks and quotes, or "none" */
    BELIEF_PHRASES, /* what a utility prints, in any case: "a | b", quotes keep blanks; or "none" */
    BELIEF_STATUSES, /* exit statuses, blanks between; or "none" */
    BELIEF_NUMBER,   /* 1 to 65535 */
    BELIEF_TIME,     /* a time span */
    BELIEF_SINCE,    /* a release, "always" or "never" */
    BELIEF_SWITCH,   /* "yes" or "no" */
    N_BELIEF_TYPES,
} BeliefType;
extern const char *const belief_type_nicks[];    /* "word", "phrases", … NULL */
extern const char *const belief_type_meanings[]; /* by type: what its values are written like */

typedef struct {
    const char *name; /* in facts.d */
    /* S: seen in real output; R: recalled; I: inferred; G: guessed. What is documented is no row.
     */
    char tag;
    BeliefType type;
    const char *value;
    const char *meaning;
    const char *source; /* why it is believed */
    gboolean needed;    /* "none" would make no sense */
} Belief;

/* All rows, N_BELIEFS of them. */
extern const Belief beliefs[];

/* The value in force, as facts.d has it. */
const char *belief_value(BeliefId id);
/* "FILE:LINE" where a file of the site says so, else NULL. */
const char *belief_override(BeliefId id);

/* By type; each is for its own type only. */
const char *belief_word(BeliefId id);                   /* NULL: there is none */
gboolean belief_is_said(BeliefId id, const char *text); /* one of the phrases stands in it */
const char *belief_behind(BeliefId id,
                          const char *line); /* behind the phrase that it begins with, or NULL */
char **belief_phrases(BeliefId id);          /* as written; ours */
gboolean belief_has_status(BeliefId id, int status);
guint64 belief_number(BeliefId id);                               /* also a time, in µs */
gboolean belief_holds_since(BeliefId id, const Release *release); /* RELEASE is that or later */
gboolean belief_is_so(BeliefId id);

/* Takes what facts.d says, anew. A file with a mistake counts for nothing, and its message has
 * file, line and remedy. One message each; g_strfreev(). */
char **belief_load(void);
