/* The steps that plans are made of, by what they touch. */
#pragma once

#include "job/plan.h"

/* check.c */
gboolean step_check(Job *job, GError **error);
/* step-daemon.c: main daemons and servers of the two instances */
gboolean step_announce(Job *job, GError **error);
gboolean step_announce_undo(Job *job, GError **error);
gboolean step_start_new_daemon(Job *job, GError **error);
gboolean step_start_new_daemon_undo(Job *job, GError **error);
gboolean step_stop_old_server(Job *job, GError **error);
gboolean step_stop_old_server_undo(Job *job, GError **error);
gboolean step_start_new_server(Job *job, GError **error);
gboolean step_start_new_server_undo(Job *job, GError **error);
gboolean step_retire_old(Job *job, GError **error);
/* Starts a side's main daemon and waits until it answers. */
gboolean step_bring_daemon_up(Job *job, const Side *side, GError **error);
/* Starts a side's server on its port, whatever it does now; its main daemon must run. */
gboolean step_start_server(Job *job, Side *side, GError **error);
/* The port that its option file names for its server, from the next start on; 0 none. */
gboolean step_set_server_port(Job *job, const Side *side, guint16 port, GError **error);
/* Stops it, and makes sure that it is gone. */
gboolean step_stop_daemon(Job *job, const Side *side, GError **error);
/* The server of a side on its port, whatever state it and its main daemon are in. */
gboolean step_bring_server_up(Job *job, Side *side, GError **error);
/* step-port.c: the public port, and the commit */
gboolean step_hold(Job *job, GError **error);
gboolean step_hold_undo(Job *job, GError **error);
gboolean step_drain(Job *job, GError **error);
gboolean step_commit(Job *job, GError **error);
gboolean step_resume(Job *job, GError **error);
/* step-data.c: the databases */
/* Destroys a database of a side that is this job's own. What was killed in the middle takes a while
 * to be let go, so it is tried for some seconds. */
gboolean step_destroy_database(Job *job, const Side *side, const char *dsn, GError **error);
gboolean step_quiesce(Job *job, GError **error);
gboolean step_quiesce_undo(Job *job, GError **error);
gboolean step_export(Job *job, GError **error);
gboolean step_export_undo(Job *job, GError **error);
gboolean step_import(Job *job, GError **error);
gboolean step_import_undo(Job *job, GError **error);
gboolean step_verify(Job *job, GError **error);
guint64 step_export_estimate(const Job *job);
guint64 step_import_estimate(const Job *job);
guint64 step_verify_estimate(const Job *job);
/* step-replication.c: the replication between old and new databases */
gboolean step_replicate(Job *job, GError **error);
gboolean step_replicate_undo(Job *job, GError **error);
gboolean step_join(Job *job, GError **error);
gboolean step_join_undo(Job *job, GError **error);
gboolean step_start_agents(Job *job, GError **error);
gboolean step_catch_up(Job *job, GError **error);
gboolean step_drain_replication(Job *job, GError **error);
/* Agents stopped, schemes and marks dropped on both sides, whatever there is of them; forward only. */
gboolean step_end_replication(Job *job, GError **error);
/* step-copy.c: the copy out of which an online upgrade makes the new databases */
gboolean step_copy(Job *job, GError **error);
gboolean step_copy_undo(Job *job, GError **error);
gboolean step_destroy_copy(Job *job, GError **error);
guint64 step_copy_estimate(const Job *job);
char *step_copy_dsn(const Job *job, const char *dsn); /* its DSN in the old release; g_free() */
/* step-confirm.c: the end of an upgrade that waited to be confirmed */
gboolean step_confirm_commit(Job *job, GError **error);
gboolean step_confirm_forget(Job *job, GError **error);
gboolean step_confirm_stop(Job *job, GError **error);
gboolean step_confirm_compat(Job *job, GError **error);
/* step-peer.c: beside a database on another host */
/* What was written here has arrived there. */
gboolean step_send_rest(Job *job, GError **error);
/* The agents of the old databases. */
gboolean step_stop_replication(Job *job, GError **error);
gboolean step_stop_replication_undo(Job *job, GError **error);
/* The peer has kept what it is to send. */
gboolean step_ask_peer(Job *job, GError **error);
/* The new databases take the old ones' place; after the commit, because the peer then forgets what
 * the old ones would need. */
gboolean step_join_peer(Job *job, GError **error);
gboolean step_catch_up_peer(Job *job, GError **error);
/* How to take the compatibility option away when both hosts are upgraded. */
gboolean step_tell_compat(Job *job, GError **error);
/* step-clean.c: what upgrades left behind */
gboolean step_clean_start(Job *job, GError **error);
gboolean step_clean_stop(Job *job, GError **error);
gboolean step_clean_commit(Job *job, GError **error);
gboolean step_clean_databases(Job *job, GError **error);
gboolean step_clean_exports(Job *job, GError **error);
/* step-adopt.c: taking a server under management */
gboolean step_declare(Job *job, GError **error);
gboolean step_declare_undo(Job *job, GError **error);
gboolean step_share_port(Job *job, GError **error);
gboolean step_share_port_undo(Job *job, GError **error);
gboolean step_move_server(Job *job, GError **error);
gboolean step_move_server_undo(Job *job, GError **error);
gboolean step_enable(Job *job, GError **error);
gboolean step_enable_undo(Job *job, GError **error);
/* step-inplace.c: two releases of one major, and one database */
gboolean step_prepare_new(Job *job, GError **error);
gboolean step_prepare_new_undo(Job *job, GError **error);
/* The release that serves closes the databases and its main daemon ends. */
gboolean step_let_go(Job *job, GError **error);
gboolean step_let_go_undo(Job *job, GError **error);
/* The other one opens them. */
gboolean step_take_over(Job *job, GError **error);
gboolean step_take_over_undo(Job *job, GError **error);
guint64 step_take_over_estimate(const Job *job);
/* They get the RAM policies and agents that they had. */
gboolean step_settle(Job *job, GError **error);
gboolean step_retire_in_place(Job *job, GError **error);
/* step-rollback.c: the databases of the previous instance */
gboolean step_open_previous(Job *job, GError **error);
gboolean step_open_previous_undo(Job *job, GError **error);

/* An error naming the connections that applications have on the old databases, or TRUE where there
 * are none. */
gboolean step_no_connections(Job *job, GError **error);
/* The same, with some patience. */
gboolean step_await_no_connections(Job *job, GError **error);
