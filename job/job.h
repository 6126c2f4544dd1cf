/* One job at work: what was asked, what it is about, and the loop that every wait of it runs.
 *
 * The worker does one thing only, so its steps are written as plain sequences: a step that must
 * wait calls job_wait(), which runs the event loop (bus, cancel, limits, watchdog) until the
 * awaited thing is there. No handler of the loop does work of its own: it sets a flag that
 * job_wait() reads.
 */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "state/inventory.h"
#include "state/record.h"
#include "state/request.h"
#include "timesten/facts.h"

/* One of the two instances of a job. */
typedef struct {
    const InstanceConfig *config;
    char *unit;           /* in control of its main daemon */
    char *admin;          /* instance administrator */
    InstanceFacts *facts; /* as probed last */
    guint16 backend_port; /* where its server listens; for the new one in inherit mode that is a
                             private port until job_serve_publicly() */
    gboolean serves_publicly;
    guint64 lasting_server; /* pid of its server once that was seen to stay; 0: not yet */
} Side;

void side_clear(Side *side);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Side, side_clear)

typedef struct {
    guint64 hold_limit_usec;
    guint64 outage_limit_usec;
    guint64 drain_usec;
    guint64 confirm_within_usec; /* after which it goes back by itself; 0 never */
    guint parallel;              /* utilities at a time */
    char *peer_host;             /* of a method "peer"; NULL otherwise */
    guint16 peer_port;           /* of the TimesTen Server there */
} JobOptions;

typedef struct {
    sd_event *event;
    sd_bus *bus; /* to PID 1 */
    char *tag;   /* the job's id, or "check-PID": in names of units and of files in /run */
    JobRequest *request;
    Inventory *inventory;
    char *declaration; /* of an adopt: the server's configuration file; NULL otherwise */
    const ServerConfig *server;
    Side from, to;
    JobOptions options;

    RecordWriter *writer;   /* NULL for a check or a plan: nothing is recorded then */
    RecordSummary *summary; /* folded anew after each line */
    gboolean ready;         /* systemd was told that the job was accepted */
    const char *at;         /* id of the step at work */
    gboolean committed;
    gboolean interruptible; /* before commit, and not while undoing */
    gboolean stopping;      /* SIGTERM, or starved: leave everything as it is */
    gboolean starved;       /* no descriptor was left, so another worker must go on */
    gboolean commit_told;   /* that it cannot be made sure of */
    guint64 outage_since;   /* monotonic µs, when the server was taken away; 0 it is not */
    char *trouble;          /* what the step at work waits for or saw go wrong last; NULL nothing */

    struct Inhibitor *inhibitor; /* of a shutdown; NULL: none was wanted yet */
    struct Hand *hands[2];       /* of both sides (hand.h); NULL: none yet */
    struct Meter *meter; /* progress; NULL for a check or a plan */
    sd_event_source *cancel_watch;
    sd_event_source *term_watch;
} Job;

/* READY=1: from here on whoever asked has a job, not a refusal. */
void job_accept(Job *job);

/* A job for REQUEST (taken over): inventory, both sides, options. Facts are probed by job_survey().
 * SUMMARY (taken over, may be NULL): what the record tells. */
Job *job_new(JobRequest *request, RecordSummary *summary, GError **error);

/* Whether SIGTERM came, to whichever Job of this process. */
gboolean job_told_to_stop(void);
void job_free(Job *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Job, job_free)

/* What an earlier worker knew of a side; NULL: nothing. WHICH: FACTS_FROM or FACTS_TO. */
#define FACTS_FROM "facts-from" /* keys of notes of the whole job */
#define FACTS_TO   "facts-to"
InstanceFacts *job_recall_facts(const Job *job, const char *which);

/* What a declared instance is, without asking it: no facts. */
gboolean job_init_side(const Job *job, Side *side, const char *name, GError **error);

/* Asks both installations about themselves, each as its administrator. */
gboolean job_survey(Job *job, GError **error);
gboolean job_probe_side(Job *job, Side *side, GError **error);
/* Of a side that was asked before, its databases only: which are there, and where. */
gboolean job_probe_databases(Job *job, Side *side, GError **error);

/* Runs the loop until *DONE. FALSE early with CANCELLED or DEADLINE_PASSED where the job may be
 * interrupted, and with FAILED when the worker was told to stop. */
gboolean job_wait(Job *job, const gboolean *done, GError **error);
gboolean job_sleep(Job *job, guint64 usec, GError **error);
/* Until *WOKEN, USEC at most; WOKEN is TRUE after it. */
gboolean job_doze(Job *job, gboolean *woken, guint64 usec, GError **error);
/* Between two looks at something that is on its way: 5 ms at first, in *PAUSE from 0, then longer
 * each time, up to 200 ms. */
gboolean job_pause(Job *job, guint64 *pause, GError **error);

/* µs for which connects may still be made to wait, 0 where they are refused already. Counts from the
 * first begin of the outage, so a worker that begins again does not lengthen it. */
guint64 job_hold_left(const Job *job);

/* What an outage limit that passes from now on is to name: on its own it says nothing of its cause.
 * TROUBLE is taken over, a sentence; the engine forgets it with the step. */
void job_set_trouble(Job *job, char *trouble);

/* Makes and removes /run/timesten-upgrade/job/TAG, where utilities' output and progress lie. */
gboolean job_make_runtime(Job *job, GError **error);
void job_remove_runtime(Job *job);

/* Opens the bus again after PID 1 dropped it. */
gboolean job_reconnect(Job *job, GError **error);

/* After a failed question: whether it is to be asked again, because the reason was a lost connection
 * and there is a new one now. *TRIES counts for one question, from 0. */
gboolean job_regain_bus(Job *job, guint *tries, GError **error);

/* Appends to the record and folds it anew. VALUES as record_append(). Without a writer it does
 * nothing. */
gboolean job_record(Job *job, RecordEvent event, const char *step, GError **error,
                    ...) G_GNUC_NULL_TERMINATED;

/* A fact that the undo of the step at work, or another worker, needs; kept with that step. */
gboolean job_note(Job *job, const char *key, const char *value, GError **error);
/* The same, but what an earlier attempt noted stays: how the world was before the first touch. */
gboolean job_note_once(Job *job, const char *key, const char *value, GError **error);
const char *job_noted(const Job *job, const char *key); /* NULL none */

/* Whether it makes another instance back the server. */
gboolean job_moves_server(const Job *job);
/* Whether it does so by replication: method online, there or back. */
gboolean job_replicates(const Job *job);
/* Whether the one release opens the files of the other. */
gboolean job_in_place(const Job *job);
/* Whether both are one instance, that changes its installation. */
gboolean job_same_instance(const Job *job);
/* Instead of "auto", as check_choose_method() decides. */
void job_set_method(Job *job, const char *method);

/* Whether the commit of this very job stands on disk; where it does, it is made sure of before TRUE.
 * DOUBTFUL: the commit failed somewhere. */
gboolean job_read_commit(Job *job, gboolean doubtful, gboolean *ret_committed, GError **error);

/* The export of one DSN, and the StateDirectory= that makes its directory (NULL where the
 * administrator gave a WorkDirectory=). g_free() both. */
char *job_export_path(const Job *job, const char *dsn);
char *job_export_state_directory(const Job *job);

/* The address that the keeper relays to for a side; g_free(). */
char *job_backend(const Job *job, const Side *side);
/* In inherit mode: from now on the side's server belongs at the public port. */
void job_serve_publicly(const Job *job, Side *side);
/* After the facts of a side are known. */
void job_set_port(const Job *job, Side *side);
