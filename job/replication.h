/* The replication between the two databases of one DSN, asked of and told to either side: agents,
 * states of peers, marks. One question or order each; what they are good for is the steps' business.
 */
#pragma once

#include "job/job.h"
#include "timesten/replication.h"

/* The name of a side's database in replication; g_free(). NULL with NOT_POSSIBLE where the side has no
 * such DSN. */
char *replica_name(const Side *side, const char *dsn, GError **error);

/* Statements for a side's database; what ttIsql printed, g_free(). An error line is an error. */
char *replica_sql(Job *job, const Side *side, const char *dsn, const char *sql, GError **error);
/* The same for one question whose answer is a number. */
gboolean replica_count(Job *job, const Side *side, const char *dsn, const char *sql,
                       guint64 *ret_count, GError **error);

/* Peers of a side's database, ReplicationPeer. */
GPtrArray *replica_peers(Job *job, const Side *side, const char *dsn, GError **error);
gboolean replica_has_marks(Job *job, const Side *side, const char *dsn, gboolean *ret_has,
                           GError **error);

/* What the peer OTHER of a side's database is from now on; acts up to ReplicationDelaySec= later. */
gboolean replica_set_state(Job *job, const Side *side, const Side *other, const char *dsn,
                           PeerState state, GError **error);

/* The agent runs, and will again after a reboot; its main daemon must run. */
gboolean replica_start_agent(Job *job, const Side *side, const char *dsn, GError **error);
/* It does not, and will not. */
gboolean replica_stop_agent(Job *job, const Side *side, const char *dsn, GError **error);

/* Agent, scheme and marks of ours are gone from a side's database, whatever there was. */
gboolean replica_end(Job *job, const Side *side, const char *dsn, GError **error);

/* From which port on the agents of a job's server get theirs. */
guint replica_first_port(const Job *job);
