/* The databases of the other host (option peer), as far as replication and its TimesTen Server show
 * them: no channel of our own leads there, and nothing is ever changed there. */
#pragma once

#include "job/job.h"
#include "timesten/peer.h"

/* The one link of a side's database, to the peer's host. NULL with NOT_POSSIBLE where there is another
 * one, or none. */
PeerLink *peer_link(Job *job, const Side *side, const char *dsn, GError **error);

/* The link of the peer's database to this host's, asked over its TimesTen Server as a client of the
 * old release: a newer client never connects to an older server (facts 4.1). */
PeerLink *peer_link_back(Job *job, const char *dsn, GError **error);

/* A peer keeps its log for us in these; in others rows are gone. */
gboolean peer_keeps_log(const PeerLink *link);
/* NOT_POSSIBLE with what the state of the peer's link means, and the remedy; always FALSE. */
gboolean peer_fail_state(const Job *job, const char *dsn, const PeerLink *link, GError **error);

/* Waits until what is committed on a side now is durable at the peer; the agents must run. The limit
 * counts from now, in µs; DEADLINE_PASSED after it. */
gboolean peer_await_sent(Job *job, const Side *side, const char *dsn, guint64 limit_usec,
                         GError **error);
/* The same the other way round, asked of the peer. */
gboolean peer_await_received(Job *job, const char *dsn, guint64 limit_usec, GError **error);
