/* A side's TimesTen Server as its clients will find it: listening on its private port, and serving.
 * Asks and judges only; starting and stopping belongs to the steps that call it. */
#pragma once

#include "job/job.h"
#include "timesten/status.h"

/* How long a server may take to come up, and again how long a database of no size may take until
 * the first query on it is answered. */
#define SERVER_UP_USEC (60 * USEC_PER_SEC)

/* Whether anybody accepts connections on a port of this host. */
gboolean server_port_answers(guint16 port);

/* Connections of clients to PORT, of whatever server. */
guint server_sessions(guint16 port);

/* Up by two signals: ttStatus shows it on the side's private port, and the port answers. */
gboolean server_is_up(const Side *side, const TimesTenStatus *status);

/* Whether the server of STATUS is still the same one a moment after its start; noted in the side, so
 * it is asked once for each server. UTILITY_FAILED where it is not. Where the installation has no
 * ttIsqlCS it says in the log that nothing more than this will be asked. */
gboolean server_lasts(Job *job, Side *side, const TimesTenStatus *status, GError **error);

/* A real connect and a query on each database of the job's server, as a client would, and the
 * server lasts. STATUS: what ttStatus shows now; NULL: it is asked. UTILITY_FAILED names utility,
 * database, what it printed and the remedy. Without ttIsqlCS it rests on the two signals. */
gboolean server_prove(Job *job, Side *side, const TimesTenStatus *status, GError **error);

/* The same question asked once, of a server that is needed whatever the answer is: warns only. */
void server_glance(Job *job, const Side *side);
