#include "job/plan.h"
#include "job/steps.h"
#include "common/text.h"

/* Guesses for steps that do not depend on size; a database's size decides the others. */
static guint64 a_moment(const Job *job)
{
    return 200 * USEC_PER_MSEC;
}

static guint64 some_seconds(const Job *job)
{
    return 3 * USEC_PER_SEC;
}

static guint64 drain_time(const Job *job)
{
    return job->options.drain_usec;
}

/* Two changed states of a peer, one after the other. */
static guint64 state_changes(const Job *job)
{
    return 2 * job->server->replication_delay_usec + 2 * USEC_PER_SEC;
}

/* Design: the life of an offline upgrade. Everything up to "commit" is undone backwards by any
 * failure; everything after goes only forward. */
static const StepType offline[] = {
    { "check", "Check everything again, inside the job", step_check, NULL, some_seconds },
    { "announce", "Tell applications that the change is coming", step_announce, step_announce_undo,
      a_moment, .undone_last = TRUE },
    { "start-new-daemon", "Start the main daemon of the new release, its server off",
      step_start_new_daemon, step_start_new_daemon_undo, some_seconds, .undone_last = TRUE },
    { "hold", "Hold the port: from here on new connects wait", step_hold, step_hold_undo, a_moment,
      .takes_away = TRUE, .done_by_boot = TRUE },
    { "drain", "Let running sessions end", step_drain, NULL, drain_time, .takes_away = TRUE },
    { "stop-old-server", "Stop the TimesTen Server of the old release", step_stop_old_server,
      step_stop_old_server_undo, some_seconds, .takes_away = TRUE },
    { "quiesce", "Make sure that nobody is connected to the databases", step_quiesce,
      step_quiesce_undo, a_moment, .takes_away = TRUE },
    { "export", "Save each database with ttMigrate of the old release", step_export,
      step_export_undo, step_export_estimate, .takes_away = TRUE, .undone_last = TRUE },
    { "import", "Restore each database with ttMigrate of the new release", step_import,
      step_import_undo, step_import_estimate, .takes_away = TRUE, .undone_last = TRUE },
    { "verify", "Compare saved and restored rows, query the new databases", step_verify, NULL,
      step_verify_estimate, .takes_away = TRUE },
    { "start-new-server", "Start the TimesTen Server of the new release on its private port",
      step_start_new_server, step_start_new_server_undo, some_seconds, .takes_away = TRUE },
    { "commit", "Make the new release the one that backs the server", step_commit, NULL, a_moment,
      .takes_away = TRUE, .commits = TRUE },
    { "resume", "Open the port: waiting clients are served by the new release", step_resume, NULL,
      a_moment, .takes_away = TRUE, .undone_by_boot = TRUE },
    { "retire-old", "Keep the old server from ever coming back to a port", step_retire_old, NULL,
      a_moment },
    { NULL },
};

/* The databases replicate with those of another host, which serves the clients meanwhile
 * (facts 4.4). Up to the commit the peer keeps its log for the old databases, so that they can go
 * on; the join ends that, so it comes after. Nobody waits for the outage but who connects to this
 * host all the same. */
static const StepType peer_upgrade[] = {
    { "check", "Check everything again, inside the job", step_check, NULL, some_seconds },
    { "announce", "Tell applications that the change is coming", step_announce, step_announce_undo,
      a_moment, .undone_last = TRUE },
    { "start-new-daemon", "Start the main daemon of the new release, its server off",
      step_start_new_daemon, step_start_new_daemon_undo, some_seconds, .undone_last = TRUE },
    { "hold", "Hold the port of this host: its clients are on the other one", step_hold,
      step_hold_undo, a_moment, .takes_away = TRUE, .done_by_boot = TRUE },
    { "drain", "Let running sessions end", step_drain, NULL, drain_time, .takes_away = TRUE },
    { "stop-old-server", "Stop the TimesTen Server of the old release", step_stop_old_server,
      step_stop_old_server_undo, some_seconds, .takes_away = TRUE },
    { "quiesce", "Make sure that nobody is connected to the databases", step_quiesce,
      step_quiesce_undo, a_moment, .takes_away = TRUE },
    { "send-rest", "Wait until what was written here has arrived at the peer", step_send_rest, NULL,
      some_seconds, .takes_away = TRUE },
    { "stop-replication", "Stop the old replication agents: the peer keeps its log from here on",
      step_stop_replication, step_stop_replication_undo, some_seconds, .takes_away = TRUE },
    { "export", "Save each database with ttMigrate of the old release, with its replication",
      step_export, step_export_undo, step_export_estimate, .takes_away = TRUE,
      .undone_last = TRUE },
    { "import", "Restore each database with ttMigrate of the new release", step_import,
      step_import_undo, step_import_estimate, .takes_away = TRUE, .undone_last = TRUE },
    { "verify", "Compare saved and restored rows, query the new databases", step_verify, NULL,
      step_verify_estimate, .takes_away = TRUE },
    { "start-new-server", "Start the TimesTen Server of the new release on its private port",
      step_start_new_server, step_start_new_server_undo, some_seconds, .takes_away = TRUE },
    { "ask-peer", "Make sure that the peer has kept its log for this host", step_ask_peer, NULL,
      some_seconds, .takes_away = TRUE },
    { "commit", "Make the new release the one that backs the server", step_commit, NULL, a_moment,
      .takes_away = TRUE, .commits = TRUE },
    { "join", "Let the new databases take part in the replication", step_join_peer, NULL,
      state_changes, .takes_away = TRUE },
    { "catch-up", "Wait until all that the peer has kept has arrived, and the way back works",
      step_catch_up_peer, NULL, some_seconds, .takes_away = TRUE },
    { "resume", "Open the port: this host can serve clients with the new release", step_resume,
      NULL, a_moment, .takes_away = TRUE, .undone_by_boot = TRUE },
    { "retire-old", "Keep the old server from ever coming back to a port", step_retire_old, NULL,
      a_moment },
    { "backwards-compat", "Tell how to take -insecure-backwards-compat away", step_tell_compat, NULL,
      a_moment },
    { NULL },
};

/* Back to the instance before. Its databases are as they were at the switch, so nothing is moved:
 * what was written since is lost, and the checks insist that this is wanted. */
static const StepType offline_rollback[] = {
    { "check", "Check everything again, inside the job", step_check, NULL, some_seconds },
    { "announce", "Tell applications that the change is coming", step_announce, step_announce_undo,
      a_moment, .undone_last = TRUE },
    { "start-previous-daemon", "Start the main daemon of the previous release, its server off",
      step_start_new_daemon, step_start_new_daemon_undo, some_seconds, .undone_last = TRUE },
    { "hold", "Hold the port: from here on new connects wait", step_hold, step_hold_undo, a_moment,
      .takes_away = TRUE, .done_by_boot = TRUE },
    { "drain", "Let running sessions end", step_drain, NULL, drain_time, .takes_away = TRUE },
    { "stop-current-server", "Stop the TimesTen Server of the current release",
      step_stop_old_server, step_stop_old_server_undo, some_seconds, .takes_away = TRUE },
    { "quiesce", "Make sure that nobody is connected to the databases", step_quiesce,
      step_quiesce_undo, a_moment, .takes_away = TRUE },
    { "open-previous", "Open the databases of the previous release and query each",
      step_open_previous, step_open_previous_undo, some_seconds, .takes_away = TRUE,
      .undone_last = TRUE },
    { "start-previous-server",
      "Start the TimesTen Server of the previous release on its private port",
      step_start_new_server, step_start_new_server_undo, some_seconds, .takes_away = TRUE },
    { "commit", "Make the previous release the one that backs the server", step_commit, NULL,
      a_moment, .takes_away = TRUE, .commits = TRUE },
    { "resume", "Open the port: waiting clients are served by the previous release", step_resume,
      NULL, a_moment, .takes_away = TRUE, .undone_by_boot = TRUE },
    { "retire-current", "Keep the newer server from ever coming back to a port", step_retire_old,
      NULL, a_moment },
    { NULL },
};

/* The guide's second way (facts 4.4, 4.6): a copy is migrated while clients write, replication
 * brings what they wrote meanwhile, and only the last rows are waited for. The old server is
 * stopped first, replication is drained second, and the keeper opens to the new server third. */
static const StepType online[] = {
    { "check", "Check everything again, inside the job", step_check, NULL, some_seconds },
    { "announce", "Tell applications that the change is coming", step_announce, step_announce_undo,
      a_moment, .undone_last = TRUE },
    { "start-new-daemon", "Start the main daemon of the new release, its server off",
      step_start_new_daemon, step_start_new_daemon_undo, some_seconds, .undone_last = TRUE },
    { "replicate", "Let the old databases keep what is written for the new ones", step_replicate,
      step_replicate_undo, some_seconds, .undone_last = TRUE },
    { "copy", "Copy each database beside the old one", step_copy, step_copy_undo,
      step_copy_estimate, .undone_last = TRUE },
    { "export", "Save each copy with ttMigrate of the old release", step_export, step_export_undo,
      step_export_estimate, .undone_last = TRUE },
    { "import", "Restore each copy with ttMigrate of the new release", step_import,
      step_import_undo, step_import_estimate, .undone_last = TRUE },
    { "verify", "Compare saved and restored rows, query the new databases", step_verify, NULL,
      step_verify_estimate },
    { "destroy-copy", "Destroy the copies", step_destroy_copy, NULL, some_seconds },
    { "join", "Let the new databases take what was written since the copy", step_join,
      step_join_undo, state_changes, .undone_last = TRUE },
    { "catch-up", "Wait until what is written arrives soon, both ways", step_catch_up, NULL,
      state_changes },
    { "start-new-server", "Start the TimesTen Server of the new release on its private port",
      step_start_new_server, step_start_new_server_undo, some_seconds, .undone_last = TRUE },
    { "hold", "Hold the port: from here on new connects wait", step_hold, step_hold_undo, a_moment,
      .takes_away = TRUE, .done_by_boot = TRUE },
    { "drain", "Let running sessions end", step_drain, NULL, drain_time, .takes_away = TRUE },
    { "stop-old-server", "Stop the TimesTen Server of the old release", step_stop_old_server,
      step_stop_old_server_undo, a_moment, .takes_away = TRUE },
    { "quiesce", "Make sure that nobody is connected to the databases", step_quiesce,
      step_quiesce_undo, a_moment, .takes_away = TRUE },
    { "drain-replication", "Wait until the last rows are in the new databases, and marks are back",
      step_drain_replication, NULL, a_moment, .takes_away = TRUE },
    { "commit", "Make the new release the one that backs the server", step_commit, NULL, a_moment,
      .takes_away = TRUE, .commits = TRUE },
    { "resume", "Open the port: waiting clients are served by the new release", step_resume, NULL,
      a_moment, .takes_away = TRUE, .undone_by_boot = TRUE },
    { "retire-old", "Keep the old server from ever coming back to a port", step_retire_old, NULL,
      a_moment },
    { NULL },
};

/* Back while the new release still replicates to the old: nothing is lost. */
static const StepType online_rollback[] = {
    { "check", "Check everything again, inside the job", step_check, NULL, some_seconds },
    { "announce", "Tell applications that the change is coming", step_announce, step_announce_undo,
      a_moment, .undone_last = TRUE },
    { "start-previous-daemon", "Start the main daemon of the previous release, its server off",
      step_start_new_daemon, step_start_new_daemon_undo, some_seconds, .undone_last = TRUE },
    { "start-agents", "Make sure that replication is at work", step_start_agents, NULL, a_moment },
    { "catch-up", "Wait until what is written arrives soon, both ways", step_catch_up, NULL,
      some_seconds },
    { "start-previous-server",
      "Start the TimesTen Server of the previous release on its private port",
      step_start_new_server, step_start_new_server_undo, some_seconds, .undone_last = TRUE },
    { "hold", "Hold the port: from here on new connects wait", step_hold, step_hold_undo, a_moment,
      .takes_away = TRUE, .done_by_boot = TRUE },
    { "drain", "Let running sessions end", step_drain, NULL, drain_time, .takes_away = TRUE },
    { "stop-current-server", "Stop the TimesTen Server of the current release",
      step_stop_old_server, step_stop_old_server_undo, a_moment, .takes_away = TRUE },
    { "quiesce", "Make sure that nobody is connected to the databases", step_quiesce,
      step_quiesce_undo, a_moment, .takes_away = TRUE },
    { "drain-replication", "Wait until the last rows are in the previous databases",
      step_drain_replication, NULL, a_moment, .takes_away = TRUE },
    { "commit", "Make the previous release the one that backs the server", step_commit, NULL,
      a_moment, .takes_away = TRUE, .commits = TRUE },
    { "resume", "Open the port: waiting clients are served by the previous release", step_resume,
      NULL, a_moment, .takes_away = TRUE, .undone_by_boot = TRUE },
    { "retire-current", "Keep the newer server from ever coming back to a port", step_retire_old,
      NULL, a_moment },
    { "end-replication", "End the replication between the two releases", step_end_replication, NULL,
      some_seconds },
    { NULL },
};

/* Within one major release: both have the same database, so the one closes it before the other opens
 * it (facts 4.2). There and back alike. */
static const StepType in_place[] = {
    { "check", "Check everything again, inside the job", step_check, NULL, some_seconds },
    { "announce", "Tell applications that the change is coming", step_announce, step_announce_undo,
      a_moment, .undone_last = TRUE },
    { "prepare-new", "Make the other release ready beside the one that serves", step_prepare_new,
      step_prepare_new_undo, some_seconds, .undone_last = TRUE },
    { "hold", "Hold the port: from here on new connects wait", step_hold, step_hold_undo, a_moment,
      .takes_away = TRUE, .done_by_boot = TRUE },
    { "drain", "Let running sessions end", step_drain, NULL, drain_time, .takes_away = TRUE },
    { "stop-old-server", "Stop the TimesTen Server that serves", step_stop_old_server,
      step_stop_old_server_undo, some_seconds, .takes_away = TRUE },
    { "quiesce", "Make sure that nobody is connected to the databases", step_quiesce,
      step_quiesce_undo, a_moment, .takes_away = TRUE },
    { "let-go", "Have the databases closed, and the main daemon that has them stopped", step_let_go,
      step_let_go_undo, some_seconds, .takes_away = TRUE },
    { "take-over", "Let the other release open the same databases, and query each", step_take_over,
      step_take_over_undo, step_take_over_estimate, .takes_away = TRUE },
    { "start-new-server", "Start its TimesTen Server on its private port", step_start_new_server,
      step_start_new_server_undo, some_seconds, .takes_away = TRUE },
    { "commit", "Make it the one that backs the server", step_commit, NULL, a_moment,
      .takes_away = TRUE, .commits = TRUE },
    { "settle", "Give the databases the RAM policies and agents that they had", step_settle, NULL,
      a_moment, .takes_away = TRUE },
    { "resume", "Open the port: waiting clients are served by it", step_resume, NULL, a_moment,
      .takes_away = TRUE, .undone_by_boot = TRUE },
    { "retire-old", "Keep the other server from ever coming back to a port", step_retire_in_place,
      NULL, a_moment },
    { NULL },
};

/* Removes what was named. The databases are destroyed, so there is no way back from its commit, and
 * the server serves all the time. */
static const StepType offline_clean[] = {
    { "check", "Check everything again, inside the job", step_check, NULL, some_seconds },
    { "start-previous-daemon", "Start the main daemon of the previous release for ttDestroy",
      step_clean_start, step_clean_stop, some_seconds },
    { "commit", "Make sure once more that nobody uses what was named; then there is no way back",
      step_clean_commit, NULL, a_moment, .commits = TRUE },
    { "destroy-databases", "Destroy the named databases with ttDestroy of their release",
      step_clean_databases, NULL, some_seconds },
    { "remove-exports", "Remove the export files of ended jobs", step_clean_exports, NULL,
      a_moment },
    { "stop-previous-daemon", "Stop that main daemon again where it did not run before",
      step_clean_stop, NULL, a_moment },
    { NULL },
};

/* Ends the way back. The server serves all the time, but for the last step where that was asked for. */
static const StepType online_confirm[] = {
    { "check", "Check everything again, inside the job", step_check, NULL, some_seconds },
    { "commit", "Keep the new release; then going back loses what is written", step_confirm_commit,
      NULL, a_moment, .commits = TRUE },
    { "forget-deadline", "Let the server go back by itself no more", step_confirm_forget, NULL,
      a_moment },
    { "end-replication", "End the replication between the two releases", step_end_replication, NULL,
      some_seconds },
    { "stop-previous-daemon", "Stop the previous main daemon where nobody else wants it",
      step_confirm_stop, NULL, a_moment },
    { "backwards-compat", "Take -insecure-backwards-compat away, or tell that it is left",
      step_confirm_compat, NULL, a_moment },
    { NULL },
};

/* Nothing is taken away, so there is no step after which there is no way back. */
static const StepType adopt[] = {
    { "check", "Look who has the port, and whether it can be shared", step_check, NULL,
      some_seconds },
    { "declare", "Write the server's configuration", step_declare, step_declare_undo, a_moment },
    { "share-port", "Let the keeper have the socket of the running server, too", step_share_port,
      step_share_port_undo, a_moment },
    { "move-server", "Let the next start of the TimesTen Server use its private port",
      step_move_server, step_move_server_undo, a_moment },
    { "enable", "Let systemd have the port from the next boot on", step_enable, step_enable_undo,
      a_moment },
    { NULL },
};

static const struct {
    const char *kind;
    const char *method;
    const StepType *plan;
} plans[] = {
    { "upgrade", "offline", offline },
    { "upgrade", "online", online },
    { "upgrade", "in-place", in_place },
    { "upgrade", "peer", peer_upgrade },
    { "rollback", "offline", offline_rollback },
    { "rollback", "online", online_rollback },
    { "rollback", "in-place", in_place },
    { "confirm", "online", online_confirm },
    { "clean", "offline", offline_clean },
    { "adopt", "offline", adopt },
};

const StepType *plan_of(const char *kind, const char *method)
{
    for (guint i = 0; i < G_N_ELEMENTS(plans); i++)
        if (g_str_equal(plans[i].kind, kind) && g_str_equal(plans[i].method, method))
            return plans[i].plan;
    return NULL;
}

const StepType *plan_find(const StepType *plan, const char *id)
{
    for (; plan->id; plan++)
        if (g_str_equal(plan->id, id))
            return plan;
    return NULL;
}

guint64 plan_outage_usec(const StepType *plan, const Job *job)
{
    guint64 total = 0;

    for (; plan->id; plan++)
        if (plan->takes_away)
            total += plan->estimate(job);
    return total;
}
