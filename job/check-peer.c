/* Checks before an upgrade beside a peer on another host: that there is one, that it keeps what is
 * written for this host, and that this is the host without clients. */
#include "job/check.h"
#include "job/peer.h"
#include "job/replication.h"
#include "job/runner.h"
#include "common/error.h"
#include "port/keeper.h"

static gboolean look_store_name(Check *check, GError **error)
{
    const Job *job = check->job;

    for (char **dsn = job->server->databases; *dsn; dsn++) {
        g_autofree char *old = replica_name(&job->from, *dsn, NULL);
        g_autofree char *new = replica_name(&job->to, *dsn, NULL);

        if (old && new && !g_str_equal(old, new))
            check_found(check, SEVERITY_ERROR, *dsn,
                        "Give its DataStore= in the new release the same last part, in another "
                        "directory",
                        "Replication knows the database as %s, and in the new release it would be "
                        "%s",
                        old, new);
    }
    return TRUE;
}

static void check_link(Check *check, const char *dsn, const PeerLink *link, const char *where)
{
    if (link->port == 0)
        check_found(check, SEVERITY_ERROR, dsn,
                    "Give both stores a PORT with ALTER REPLICATION, on both hosts",
                    "The store %s on %s has no static port in the replication scheme %s",
                    link->store, link->host, where);
}

static gboolean look_link(Check *check, GError **error)
{
    for (char **dsn = check->job->server->databases; *dsn; dsn++) {
        g_autoptr(GError) problem = NULL;
        g_autoptr(PeerLink) link = peer_link(check->job, &check->job->from, *dsn, &problem);

        if (!link) {
            check_found(check, SEVERITY_ERROR, *dsn,
                        "Let it replicate with that host as the manual's page of two hosts shows",
                        "%s", problem->message);
            continue;
        }
        check_link(check, *dsn, link, "of this host");
        if (link->state != PEER_START)
            check_found(check, SEVERITY_ERROR, *dsn,
                        "Set it to start with ttRepAdmin -receiver -state start",
                        "Its peer on %s is not in state start, so what is written here does not "
                        "get there",
                        link->host);
    }
    return TRUE;
}

static gboolean look_agent(Check *check, GError **error)
{
    for (char **dsn = check->job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(check->job->from.facts, *dsn);
        const StatusStore *store =
            facts ? status_find_store(check->from_status, facts->data_store) : NULL;
        g_autofree char *remedy = g_strdup_printf("ttAdmin -repStart %s", *dsn);

        if (!store || !store->replication_running)
            check_found(check, SEVERITY_ERROR, *dsn, remedy, "Its replication agent does not run");
    }
    return TRUE;
}

static gboolean look_back(Check *check, GError **error)
{
    for (char **dsn = check->job->server->databases; *dsn; dsn++) {
        g_autoptr(GError) problem = NULL;
        g_autoptr(PeerLink) link = peer_link_back(check->job, *dsn, &problem);

        if (link) {
            check_link(check, *dsn, link, "of the peer");
            if (peer_keeps_log(link))
                continue;
            peer_fail_state(check->job, *dsn, link, &problem);
        }
        check_found(check, SEVERITY_ERROR, *dsn, "Mend that, then check again", "%s",
                    problem->message);
    }
    return TRUE;
}

static gboolean look_role(Check *check, GError **error)
{
    const Job *job = check->job;
    g_autoptr(KeeperStatus) status = keeper_status_read(job->server->name);

    if (status && status->sessions > 0)
        check_found(check, SEVERITY_ERROR, job->server->name,
                    "Upgrade the other host first, then let the clients connect to that one",
                    "%u sessions are served here, so this is the active host", status->sessions);
    return TRUE;
}

const CheckType checks_of_peer[] = {
    { "peer-link", "Each database replicates to the peer's host and to no other",
      NEEDS_FROM | NEEDS_FROM_DAEMON, look_link, "upgrade", .worst = SEVERITY_ERROR,
      .about = "database", .source = "timesten-two-hosts(7); ttReplicationStatus of this host",
      .remedy = "Let it replicate with that host alone, over static ports",
      .kept = "what other peers write meanwhile would be lost" },
    { "peer-agent", "Each database's replication agent runs", NEEDS_FROM | NEEDS_FROM_DAEMON,
      look_agent, "upgrade", .worst = SEVERITY_ERROR, .about = "database", .source = "ttStatus",
      .remedy = "Start it with ttAdmin -repStart",
      .kept = "rows of this host might not have reached the peer" },
    { "peer-store-name", "Each database has one name in replication in both releases", NEEDS_BOTH,
      look_store_name, "upgrade", .worst = SEVERITY_ERROR, .about = "database",
      .source = "Replication Guide, names of stores",
      .remedy = "Give its DataStore= in the new release the same last part",
      .kept = "the peer would not know the new database" },
    { "peer-answers", "The peer's server answers, and its databases keep their log for this host",
      NEEDS_FROM | NEEDS_FROM_DAEMON, look_back, "upgrade", .worst = SEVERITY_ERROR,
      .about = "peer", .source = "ttReplicationStatus, asked of the peer's TimesTen Server",
      .remedy = "Mend what the message says",
      .kept = "what is written there meanwhile would not come here" },
    { "peer-role", "No client is served on this host", NEEDS_NOTHING, look_role, "upgrade",
      .worst = SEVERITY_ERROR, .about = "server", .source = "the port keeper's sessions",
      .remedy = "Upgrade the other host first",
      .kept = "clients would write to a database that is being moved" },
    { NULL },
};
