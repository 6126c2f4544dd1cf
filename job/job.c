#include "job/job.h"
#include "job/hand.h"
#include "job/inhibitor.h"
#include "job/runner.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"
#include "common/text.h"
#include "state/adoption.h"
#include "state/backing.h"
#include "timesten/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define SETTLE_USEC        (2 * USEC_PER_SEC)
#define ONLINE_OUTAGE_USEC (60 * USEC_PER_SEC)
#define FIRST_PAUSE_USEC   (5 * USEC_PER_MSEC)
#define LAST_PAUSE_USEC    (200 * USEC_PER_MSEC)
/* PID 1 re-executed, or the bus restarted: it is back within a second, on a busy host within some.
 */
#define RECONNECTS     100
#define RECONNECT_USEC (100 * USEC_PER_MSEC)

/* PID 1's own socket: it is there for root whatever happens to the message bus. */
#define PID1_SOCKET "unix:path=/run/systemd/private"

void side_clear(Side *side)
{
    g_free(side->unit);
    g_free(side->admin);
    g_clear_pointer(&side->facts, facts_free);
}

void job_free(Job *job)
{
    if (!job)
        return;
    sd_event_source_disable_unref(job->cancel_watch);
    sd_event_source_disable_unref(job->term_watch);
    g_clear_pointer(&job->writer, record_close);
    g_clear_pointer(&job->summary, record_summary_free);
    side_clear(&job->from);
    side_clear(&job->to);
    g_clear_pointer(&job->inventory, inventory_free);
    g_clear_pointer(&job->request, request_free);
    inhibitor_free(job->inhibitor);
    if (job->bus) {
        hand_close(job, &job->from);
        hand_close(job, &job->to);
    }
    sd_bus_flush_close_unref(job->bus);
    sd_event_unref(job->event);
    g_free(job->options.peer_host);
    g_free(job->trouble);
    g_free(job->declaration);
    g_free(job->tag);
    g_free(job);
}

static gboolean open_bus(Job *job, const char *address)
{
    int r = sd_bus_new(&job->bus);

    if (r >= 0)
        r = sd_bus_set_address(job->bus, address);
    if (r >= 0)
        r = sd_bus_start(job->bus);
    if (r < 0)
        job->bus = sd_bus_unref(job->bus);
    return r >= 0;
}

gboolean job_reconnect(Job *job, GError **error)
{
    int r = 0;

    job->bus = sd_bus_close_unref(job->bus);
    if (!open_bus(job, PID1_SOCKET))
        r = sd_bus_open_system(&job->bus);
    if (r >= 0)
        r = sd_bus_attach_event(job->bus, job->event, SD_EVENT_PRIORITY_NORMAL);
    if (r < 0)
        return tu_error_errno(error, -r, "Cannot reach systemd over %s nor over the system bus",
                              PID1_SOCKET);
    return unit_subscribe(job->bus) >= 0 || tu_error_errno(error, EIO, "Cannot talk to systemd");
}

gboolean job_regain_bus(Job *job, guint *tries, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (sd_bus_is_open(job->bus) > 0)
        return FALSE;
    g_message("The connection to systemd was lost; trying again");
    while (++*tries <= RECONNECTS) {
        g_usleep(RECONNECT_USEC);
        g_clear_error(&problem);
        if (job_reconnect(job, &problem))
            return TRUE;
    }
    if (error && !*error && problem)
        g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

InstanceFacts *job_recall_facts(const Job *job, const char *which)
{
    const char *text = job->summary ? g_hash_table_lookup(job->summary->values, which) : NULL;

    return text ? facts_parse(text, NULL) : NULL;
}

static gboolean init_side(const Job *job, Side *side, const char *name, const char *which,
                          GError **error)
{
    g_autoptr(InstanceFacts) facts = job_recall_facts(job, which);
    g_autoptr(GError) problem = NULL;

    side->config = inventory_instance(job->inventory, name, error);
    if (!side->config)
        return FALSE;
    side->unit = inventory_instance_unit(side->config);
    side->admin = side->config->admin ? g_strdup(side->config->admin)
                                      : facts_guess_admin(side->config->home, &problem);
    if (!side->admin && facts) /* gone in the middle of a job: what fails will tell */
        side->admin = g_strdup(facts->admin);
    if (!side->admin)
        g_propagate_error(error, g_steal_pointer(&problem));
    return side->admin != NULL;
}

gboolean job_init_side(const Job *job, Side *side, const char *name, GError **error)
{
    return init_side(job, side, name, "", error);
}

static gboolean options_init(Job *job, GError **error)
{
    GVariant *options = job->request->options;
    const char *peer = NULL;

    job->options = (JobOptions){
        .hold_limit_usec = job->server->hold_limit_usec,
        .outage_limit_usec = job->server->outage_limit_usec,
        .drain_usec = job->server->drain_usec,
        .parallel = g_get_num_processors(),
    };
    /* What it takes away is meant to be away for a moment only. */
    if (job_replicates(job) && !job->server->outage_limit_given)
        job->options.outage_limit_usec = ONLINE_OUTAGE_USEC;
    if (!options)
        return TRUE;
    g_variant_lookup(options, "hold-limit-usec", "t", &job->options.hold_limit_usec);
    g_variant_lookup(options, "outage-limit-usec", "t", &job->options.outage_limit_usec);
    g_variant_lookup(options, "drain-usec", "t", &job->options.drain_usec);
    g_variant_lookup(options, "confirm-within", "t", &job->options.confirm_within_usec);
    g_variant_lookup(options, "parallel", "u", &job->options.parallel);
    job->options.parallel = MAX(job->options.parallel, 1);
    if (!g_variant_lookup(options, "peer", "&s", &peer))
        return TRUE;
    if (!peer_address_parse(peer, &job->options.peer_host, &job->options.peer_port, error))
        return FALSE;
    if (job->options.peer_port == 0)
        job->options.peer_port = job->server->port;
    return TRUE;
}

static gboolean told_to_stop;

static int on_term(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
    told_to_stop = TRUE;
    ((Job *)data)->stopping = TRUE;
    return 0;
}

gboolean job_told_to_stop(void)
{
    sigset_t pending;

    return told_to_stop || (sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1);
}

/* A server that is to be adopted is declared only on the way. */
static Inventory *load_inventory(Job *job, GError **error)
{
    g_autofree char *below = g_strconcat("job/", job->tag, "/server.conf", NULL);
    g_autofree char *path = path_runtime(below);

    if (!request_adopts(job->request))
        return inventory_load();
    job->declaration = adoption_configuration(job->request, error);
    if (!job->declaration || !job_make_runtime(job, error) ||
        !file_replace(path, job->declaration, -1, 0600, error))
        return NULL;
    return inventory_load_with(job->request->server, path);
}

Job *job_new(JobRequest *request, RecordSummary *summary, GError **error)
{
    g_autoptr(Job) job = g_new0(Job, 1);
    sigset_t term;
    int r;

    job->request = request;
    job->summary = summary;
    job->tag = request->id ? g_strdup_printf("%" G_GUINT64_FORMAT, request->id)
                           : g_strdup_printf("check-%d", getpid());
    job->inventory = load_inventory(job, error);
    if (!job->inventory)
        return NULL;
    job->server = inventory_server(job->inventory, request->server, error);
    if (!job->server || !init_side(job, &job->from, request->from, FACTS_FROM, error) ||
        !init_side(job, &job->to, request->to, FACTS_TO, error) || !options_init(job, error))
        return NULL;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    r = sd_event_default(&job->event);
    if (r >= 0)
        r = sd_event_add_signal(job->event, &job->term_watch, SIGTERM, on_term, job);
    if (r >= 0)
        r = sd_event_set_watchdog(job->event, TRUE);
    if (r < 0) {
        tu_error_errno(error, -r, "Cannot set up the event loop");
        return NULL;
    }
    return job_reconnect(job, error) ? g_steal_pointer(&job) : NULL;
}

void job_accept(Job *job)
{
    job->ready = TRUE;
    sd_notify(0, "READY=1");
}

/* --- facts --------------------------------------------------------------------------------------
 */

static gboolean admin_exists(const Side *side, GError **error)
{
    return getpwnam(side->admin) ||
           tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                        "Instance %s cannot be read: its administrator's user does not exist on "
                        "this host: %s. Create the user, or set Admin= in its file, then start "
                        "again",
                        side->config->name, side->admin);
}

gboolean job_probe_side(Job *job, Side *side, GError **error)
{
    g_autofree char *release =
        side->config->release ? g_strconcat("--release=", side->config->release, NULL) : NULL;
    char *argv[] = { LIBEXECDIR "/instance-helper", "probe", side->config->home, release, NULL };
    g_autofree char *what = g_strdup_printf("looking at instance %s", side->config->name);
    g_autofree char *text = NULL;
    InstanceFacts *facts;

    if (!admin_exists(side, error))
        return FALSE;
    text = run_program(job, side, what, argv, error);
    facts = text ? facts_parse(text, error) : NULL;
    if (!facts) /* what was known before is still the best that there is for the way back */
        return FALSE;
    facts_free(side->facts);
    side->facts = facts;
    job_set_port(job, side);
    return TRUE;
}

gboolean job_probe_databases(Job *job, Side *side, GError **error)
{
    g_autofree char *odbc = g_strconcat("--odbc=", side->facts->odbc_path, NULL);
    char *argv[] = { LIBEXECDIR "/instance-helper", "databases", side->config->home, odbc, NULL };
    g_autofree char *what =
        g_strdup_printf("looking at the databases of instance %s", side->config->name);
    g_autofree char *text =
        admin_exists(side, error) ? run_program(job, side, what, argv, error) : NULL;
    InstanceFacts *facts = text ? facts_with_databases(side->facts, text, error) : NULL;

    if (!facts)
        return FALSE;
    facts_free(side->facts);
    side->facts = facts;
    return TRUE;
}

gboolean job_survey(Job *job, GError **error)
{
    return job_probe_side(job, &job->from, error) && job_probe_side(job, &job->to, error);
}

void job_serve_publicly(const Job *job, Side *side)
{
    side->serves_publicly = job->server->mode == MODE_INHERIT;
    if (side->serves_publicly)
        side->backend_port = job->server->port;
}

void job_set_port(const Job *job, Side *side)
{
    side->backend_port =
        inventory_private_port(job->inventory, job->server, side->config, side->facts->server_port);
    if (side == &job->from || side->serves_publicly)
        job_serve_publicly(job, side);
}

char *job_backend(const Job *job, const Side *side)
{
    return job->server->mode == MODE_INHERIT
               ? g_strdup_printf("%s@%s", side->config->name, side->admin)
               : g_strdup_printf("127.0.0.1:%u", side->backend_port);
}

char *job_export_state_directory(const Job *job)
{
    return job->server->work_directory ? NULL : state_directory_exports(job->request->id);
}

char *job_export_path(const Job *job, const char *dsn)
{
    g_autofree char *file = g_strconcat(dsn, ".migrate", NULL);

    if (!job->server->work_directory)
        return path_exports(job->request->id, file);
    return g_strdup_printf("%s/timesten-job-%" G_GUINT64_FORMAT "-%s", job->server->work_directory,
                           job->request->id, file);
}

gboolean job_make_runtime(Job *job, GError **error)
{
    g_autofree char *below = g_strconcat("job/", job->tag, NULL);
    g_autofree char *directory = path_runtime(below);

    return g_mkdir_with_parents(directory, 0755) == 0 ||
           tu_error_errno(error, errno, "Cannot make %s", directory);
}

void job_remove_runtime(Job *job)
{
    g_autofree char *below = g_strconcat("job/", job->tag, NULL);
    g_autofree char *directory = path_runtime(below);
    g_autoptr(GDir) entries = g_dir_open(directory, 0, NULL);

    for (const char *name; entries && (name = g_dir_read_name(entries));) {
        g_autofree char *path = g_build_filename(directory, name, NULL);

        unlink(path);
    }
    rmdir(directory);
}

/* --- waiting ------------------------------------------------------------------------------------
 */

/* Without descriptors nothing can be asked, not even systemd to wait for us, and what looks empty
 * may only be unreadable. A job that has begun is left to the next worker, which has its own. */
static gboolean is_starved(Job *job, GError **error)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), problem = errno;

    if (fd >= 0) {
        close(fd);
        return FALSE;
    }
    if (problem != EMFILE && problem != ENFILE)
        return FALSE;
    job->starved = job->ready;
    job->stopping |= job->ready;
    tu_error_errno(error, problem, "The worker cannot open any file");
    return TRUE;
}

static gboolean interrupted(Job *job, GError **error)
{
    if (!job->stopping && is_starved(job, error))
        return TRUE;
    if (job->stopping) {
        g_set_error_literal(error, TU_ERROR, TU_ERROR_FAILED, "The worker was told to stop");
        return TRUE;
    }
    if (!job->interruptible)
        return FALSE;
    if (request_is_cancelled(job->request->id)) {
        g_set_error_literal(error, TU_ERROR, TU_ERROR_CANCELLED, "The job was cancelled");
        return TRUE;
    }
    if (job->outage_since && job->options.outage_limit_usec != USEC_NEVER &&
        (guint64)g_get_monotonic_time() > job->outage_since + job->options.outage_limit_usec) {
        g_autofree char *limit = text_timespan(job->options.outage_limit_usec);

        g_set_error(error, TU_ERROR, TU_ERROR_DEADLINE_PASSED,
                    "Server %s was away for longer than its outage limit of %s%s%s",
                    job->server->name, limit, job->trouble ? ". " : "",
                    job->trouble ? job->trouble : "");
        return TRUE;
    }
    return FALSE;
}

guint64 job_hold_left(const Job *job)
{
    guint64 end = job->outage_since + job->options.hold_limit_usec;
    guint64 now = g_get_monotonic_time();

    return end > now ? end - now : 0;
}

void job_set_trouble(Job *job, char *trouble)
{
    g_free(job->trouble);
    job->trouble = trouble;
}

gboolean job_wait(Job *job, const gboolean *done, GError **error)
{
    while (!*done) {
        int r;

        if (interrupted(job, error))
            return FALSE;
        /* The cap lets a passed limit or a cancel be seen even where nothing else moves. */
        r = sd_event_run(job->event, 500 * USEC_PER_MSEC);
        if (r < 0)
            return tu_error_errno(error, -r, "The event loop failed");
    }
    return TRUE;
}

static int on_slept(sd_event_source *source, guint64 usec, void *data)
{
    *(gboolean *)data = TRUE;
    return 0;
}

gboolean job_doze(Job *job, gboolean *woken, guint64 usec, GError **error)
{
    sd_event_source *timer = NULL;
    gboolean ok;

    /* 1: µs of accuracy; the default may be late by a quarter of a second. */
    sd_event_add_time_relative(job->event, &timer, CLOCK_MONOTONIC, usec, 1, on_slept, woken);
    ok = job_wait(job, woken, error);
    sd_event_source_disable_unref(timer);
    return ok;
}

gboolean job_sleep(Job *job, guint64 usec, GError **error)
{
    gboolean over = FALSE;

    return job_doze(job, &over, usec, error);
}

gboolean job_pause(Job *job, guint64 *pause, GError **error)
{
    *pause = CLAMP(2 * *pause, FIRST_PAUSE_USEC, LAST_PAUSE_USEC);
    return job_sleep(job, *pause, error);
}

/* --- the record ---------------------------------------------------------------------------------
 */

/* Going back, and going on behind the commit, must not end with a full disk: what cannot be written
 * then is kept until it can. Before that, a line that is not on the disk is a step that failed. */
static gboolean may_wait(const Job *job, RecordEvent event)
{
    return event == RECORD_FAIL || job->committed || job->summary->undoing;
}

static void tell_deferred(Job *job, const GError *problem)
{
    if (!record_has_deferred(job->writer))
        g_warning("%s. The job goes %s meanwhile and writes it later", problem->message,
                  job->committed ? "on" : "back");
}

gboolean job_record(Job *job, RecordEvent event, const char *step, GError **error, ...)
{
    g_autoptr(GHashTable) values = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GError) problem = NULL;
    va_list args;

    if (!job->writer)
        return TRUE;
    va_start(args, error);
    for (char *key; (key = va_arg(args, char *));) {
        char *value = va_arg(args, char *);

        if (value)
            g_hash_table_insert(values, key, value);
    }
    va_end(args);
    if (!record_append_table(job->writer, event, step, values, &problem)) {
        if (!may_wait(job, event)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        tell_deferred(job, problem);
        record_defer(job->writer, event, step, values);
    }
    g_clear_pointer(&job->summary, record_summary_free);
    job->summary = record_fold(record_lines(job->writer));
    return TRUE;
}

gboolean job_note(Job *job, const char *key, const char *value, GError **error)
{
    return job_record(job, RECORD_NOTE, job->at, error, key, value, NULL);
}

const char *job_noted(const Job *job, const char *key)
{
    RecordStep *found = job->summary ? record_find_step(job->summary, job->at) : NULL;

    return found ? g_hash_table_lookup(found->values, key) : NULL;
}

gboolean job_note_once(Job *job, const char *key, const char *value, GError **error)
{
    return job_noted(job, key) || job_note(job, key, value, error);
}

void job_set_method(Job *job, const char *method)
{
    g_free(job->request->method);
    job->request->method = g_strdup(method);
    options_init(job, NULL); /* read once already, so nothing is wrong with them */
}

gboolean job_replicates(const Job *job)
{
    return job_moves_server(job) && g_str_equal(job->request->method, "online");
}

gboolean job_in_place(const Job *job)
{
    return job_moves_server(job) && g_str_equal(job->request->method, "in-place");
}

gboolean job_same_instance(const Job *job)
{
    return inventory_is_same_instance(job->from.config, job->to.config);
}

gboolean job_moves_server(const Job *job)
{
    return request_moves_server(job->request);
}

/* Nobody knows what is on the disk when a sync failed, and a second one may say yes without having
 * written: the whole commit is done again, for as long as it takes. Whoever went back now could
 * find the new release serving after a power cut, and whoever went on the old one. */
static gboolean settle_commit(Job *job, const Backing *backing, gboolean doubtful, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (!doubtful && backing_sync(job->server->name, &problem))
        return TRUE;
    while (!backing_commit(job->server->name, backing, problem ? NULL : &problem)) {
        sd_notifyf(0, "STATUS=cannot make sure of the commit: %s", problem->message);
        if (!job->commit_told)
            g_warning(
                "Whether the commit would survive a power cut is not known: %s. The job waits "
                "until it can be written; mend the file system",
                problem->message);
        job->commit_told = TRUE;
        if (!job_sleep(job, SETTLE_USEC, error))
            return FALSE;
    }
    return TRUE;
}

gboolean job_read_commit(Job *job, gboolean doubtful, gboolean *ret_committed, GError **error)
{
    g_autoptr(Backing) backing = NULL;
    const gboolean confirms = request_confirms(job->request);

    if (!job_moves_server(job) && !confirms) { /* what it decided stands in its record and nowhere else */
        const RecordStep *commit = record_find_step(job->summary, "commit");

        *ret_committed = commit && commit->state == STEP_DONE;
        return TRUE;
    }
    backing = backing_load(job->server->name, error);
    if (!backing)
        return FALSE;
    *ret_committed = confirms ? backing->confirmed_by == job->request->id
                              : backing->job == job->request->id &&
                                    g_strcmp0(backing->instance, job->request->to) == 0;
    if (!*ret_committed)
        return TRUE;
    job->interruptible = FALSE;
    return settle_commit(job, backing, doubtful, error);
}
