/* Replication between an old and a new database of one host: the statements that make and end it,
 * and what the utilities print of it (facts 3.7, 4.4). The commands are rows of timesten/utility.h. */
#pragma once

#include "timesten/release.h"

/* All that is ours in a database has this owner, so that nothing of anybody else is ever touched. */
#define REPLICATION_OWNER  "TTUPGRADE"
#define REPLICATION_SCHEME REPLICATION_OWNER ".ONLINE"
#define REPLICATION_MARKS  REPLICATION_OWNER ".MARKS"
/* Both databases are on this host. */
#define REPLICATION_HOST "localhost"

/* The name by which replication knows a database: the last part of its DataStore=, in upper case (D);
 * g_free(). */
char *replication_store_name(const char *data_store);
/* Whether it can stand in a statement as it is: a letter, then letters, digits and underscores. */
gboolean replication_name_is_plain(const char *name);

typedef struct {
    const char *old_store, *new_store; /* names as above */
    guint16 old_port, new_port;        /* static ports: a peer before 7.0 needs them (D) */
    guint log_files;                   /* a peer for which more are held becomes "failed" */
} ReplicationPair;

/* Each a statement ended by ';', for ttIsql; g_free(). */
char *replication_create_sql(const ReplicationPair *pair);
char *replication_drop_sql(void);
/* The reserved table for rows by which both sides are seen to take what the other sends (D: 4.4). */
char *replication_create_marks_sql(const Release *release);
char *replication_drop_marks_sql(void);
char *replication_has_marks_sql(void); /* one row: 1 or 0 */
char *replication_mark_sql(const char *mark);
char *replication_seen_sql(const char *mark); /* one row: 1 or 0 */
/* Waits until STORE has all that was committed before; see replication_wait(). */
char *replication_wait_sql(const char *store, guint seconds);
/* Rows "OWNER, NAME" of all tables but TimesTen's and ours; of those without a primary key only. */
char *replication_tables_sql(void);
char *replication_keyless_sql(void);

typedef enum {
    WAIT_ARRIVED,   /* 00 */
    WAIT_TIMED_OUT, /* 01: call it again */
    WAIT_UNKNOWN,   /* anything else, which is no proof of anything */
} WaitAnswer;
/* What ttRepSubscriberWait answered; rows of statements before it do not matter. */
WaitAnswer replication_wait(const char *output);

/* "OWNER.NAME" of each row of the two questions for tables, sorted, without the blanks of CHAR columns;
 * g_strfreev(). */
char **replication_tables(const char *output);
/* Of A those that are not in B, with commas between, at most 8 named; NULL where there are none. g_free(). */
char *replication_missing(char **a, char **b);

typedef enum { PEER_START, PEER_PAUSE, PEER_STOP, PEER_FAILED, PEER_UNKNOWN } PeerState;
extern const char *const peer_state_words[]; /* as -state takes them; ended by NULL */
PeerState replication_state_parse(const char *word);

typedef struct {
    char *name; /* upper case */
    char *host;
    guint16 port; /* 0: automatic */
    PeerState state;
    int logs; /* log files held for it; -1 not told */
} ReplicationPeer;

/* The two tables of ttRepAdmin -receiver -list: their rows belong together by their order. Never NULL. */
GPtrArray *replication_peers_parse(const char *output);
const ReplicationPeer *replication_find_peer(const GPtrArray *peers, const char *name);
