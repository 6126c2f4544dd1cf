/* Checks before a confirm: what is given up by it, and what it cannot end by itself. */
#include "job/check.h"
#include "job/confirm.h"
#include "job/replication.h"
#include "state/backing.h"
#include "timesten/rules.h"

static gboolean look_unconfirmed(Check *check, GError **error)
{
    g_autoptr(Backing) backing = backing_load(check->job->server->name, error);

    if (!backing)
        return FALSE;
    if (!backing->unconfirmed)
        check_found(check, SEVERITY_ERROR, check->job->server->name, "Leave it as it is",
                    "It has nothing to confirm any more");
    return TRUE;
}

static gboolean look_serving(Check *check, GError **error)
{
    const Job *job = check->job;
    g_autofree char *remedy = g_strdup_printf("Start it: systemctl start %s", job->from.unit);

    if (!check->from_status || !check->from_status->daemon_running)
        check_found(check, SEVERITY_ERROR, job->from.config->name, remedy,
                    "The main daemon of the current release does not answer ttStatus, so its "
                    "replication cannot be ended");
    return TRUE;
}

/* Nothing is lost by it, and nobody has to wait for a side that is given up. */
static gboolean look_followed(Check *check, GError **error)
{
    const Job *job = check->job;
    const char *previous = job->to.config->name;

    if (!check->to_status || !check->to_status->daemon_running)
        check_found(check, SEVERITY_WARNING, previous,
                    "To end its replication, too, start its main daemon, then confirm",
                    "The main daemon of the previous release does not answer ttStatus");
    for (char **dsn = job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(job->to.facts, *dsn);
        g_autofree char *name = facts ? replication_store_name(facts->data_store) : NULL;
        g_autoptr(GPtrArray) peers = replica_peers(check->job, &job->from, *dsn, error);
        const ReplicationPeer *peer = peers && name ? replication_find_peer(peers, name) : NULL;

        if (!peers)
            return FALSE;
        if (!peer || peer->state != PEER_START)
            check_found(check, SEVERITY_WARNING, *dsn,
                        "Confirm if the previous release is not needed any more",
                        "Instance %s does not follow already (the peer is %s), so it lacks what "
                        "was written since",
                        previous, peer ? peer_state_words[peer->state] : "gone");
    }
    return TRUE;
}

static gboolean look_way_back(Check *check, GError **error)
{
    const Job *job = check->job;

    check_found(check, SEVERITY_WARNING, job->server->name,
                "Confirm when the new release has proved itself",
                "Instance %s does not follow %s from then on: a rollback will lose what is written",
                job->to.config->name, job->from.config->name);
    return TRUE;
}

static gboolean look_compat(Check *check, GError **error)
{
    const Job *job = check->job;
    const ServerConfig *other = confirm_other_user(job, job->from.config->name);

    if (!job->from.facts->backwards_compat)
        return TRUE;
    if (!confirm_drops_compat(job))
        check_found(check, SEVERITY_WARNING, job->from.config->name,
                    "When no client before " RULES_COMPAT_RELEASE " is left, give the option backwards-compat-off "
                    "(ttctl confirm --backwards-compat-off)",
                    "It runs with -insecure-backwards-compat, and stays so");
    else if (other)
        check_found(check, SEVERITY_ERROR, job->from.config->name,
                    "Leave backwards-compat-off out, and restart the main daemon by hand at a good "
                    "moment",
                    "Its main daemon would be started anew, but server %s needs it, too",
                    other->name);
    else
        check_found(check, SEVERITY_WARNING, job->from.config->name,
                    "Confirm at a moment at which that is all right",
                    "Its main daemon is started anew without -insecure-backwards-compat: connects "
                    "wait, sessions end, and clients before " RULES_COMPAT_RELEASE " cannot come back");
    return TRUE;
}

const CheckType checks_of_confirm[] = {
    { "unconfirmed", "The server waits to be confirmed", NEEDS_NOTHING, look_unconfirmed,
      .worst = SEVERITY_ERROR, .about = "server", .source = "the file of the switch",
      .remedy = "Leave it as it is" },
    { "current-daemon-running", "The main daemon of the current release runs", NEEDS_FROM,
      look_serving, .worst = SEVERITY_ERROR, .about = "instance",
      .source = "ttStatus of the current release", .remedy = "Start its unit" },
    { "previous-follows", "The previous release follows the current one",
      NEEDS_BOTH | NEEDS_FROM_DAEMON, look_followed, .worst = SEVERITY_WARNING, .about = "database",
      .source = "ttRepAdmin -receiver -list; ttStatus of the previous release",
      .remedy = "Confirm if the previous release is not needed any more" },
    { "way-back", "There is a way back", NEEDS_NOTHING, look_way_back, .worst = SEVERITY_WARNING,
      .about = "server", .source = "what a confirm is",
      .remedy = "Confirm when the new release has proved itself" },
    { "backwards-compat-left", "No instance runs with -insecure-backwards-compat", NEEDS_BOTH,
      look_compat, .worst = SEVERITY_ERROR, .about = "instance",
      .source = "the option file; which servers need the instance",
      .remedy = "Leave backwards-compat-off out, or give it at a good moment" },
    { NULL },
};
