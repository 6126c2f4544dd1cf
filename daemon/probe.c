#include "daemon/probe.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"
#include "common/text.h"
#include "systemd/transient.h"

#include <sys/stat.h>
#include <unistd.h>

#define HELPER       LIBEXECDIR "/instance-helper"
#define LIMIT_USEC   (60 * USEC_PER_SEC)
#define PROBES_LIMIT 8            /* at a time: each is a process of TimesTen's */
#define CACHE_LIMIT  (256 * 1024) /* bytes */
#define CACHE_AGE    (5 * 60)     /* seconds, after which it is looked at again at a start */

typedef struct {
    ProbeDone done;
    gpointer data;
} Waiter;

struct Probe {
    gboolean waits; /* for its turn */
    UnitCall *call;
    char *output;
    char *unit;
    GArray *waiters;
};

static char *cache_path(const Instance *instance, const char *suffix)
{
    g_autofree char *below = g_strconcat("instance/", instance->config->name, suffix, NULL);

    return path_runtime(below);
}

static void probe_free(struct Probe *probe)
{
    unit_call_free(probe->call);
    g_array_unref(probe->waiters);
    g_free(probe->output);
    g_free(probe->unit);
    g_free(probe);
}

/* Ends the look; waiters are told behind that, because they may begin another. */
static void finish(Instance *instance, const GError *error)
{
    struct Probe *probe = g_steal_pointer(&instance->probe);

    for (guint i = 0; i < probe->waiters->len; i++) {
        const Waiter *waiter = &g_array_index(probe->waiters, Waiter, i);

        waiter->done(error ? NULL : instance->facts, error, waiter->data);
    }
    probe_free(probe);
}

static void store(Instance *instance, const char *text)
{
    g_autofree char *path = cache_path(instance, "");
    g_autoptr(GError) error = NULL;

    if (!file_replace(path, text, -1, 0644, &error))
        log_line(LOG_WARNING, &(LogFields){ .instance = instance->config->name }, "%s, ignoring",
                 error->message);
}

/* The outcome as facts. */
static InstanceFacts *judge(const Instance *instance, const TransientOutcome *outcome,
                            const GError *asked, GError **error)
{
    g_autofree char *line = outcome ? text_one_line(outcome->output, 400) : NULL;
    const char *name = instance->config->name;

    if (asked)
        g_propagate_error(error, g_error_copy(asked));
    else if (outcome->timed_out)
        g_set_error(error, TU_ERROR, TU_ERROR_DEADLINE_PASSED,
                    "Reading instance %s took longer than 60 s. Look whether ttVersion in %s hangs",
                    name, instance->config->home);
    else if (outcome->exit_status < 0)
        g_set_error(error, TU_ERROR, TU_ERROR_FAILED, "Cannot read instance %s: %s", name,
                    outcome->result);
    else if (outcome->exit_status != 0)
        g_set_error(error, TU_ERROR, TU_ERROR_UTILITY_FAILED, "Cannot read instance %s: %s", name,
                    *line ? line : outcome->result);
    else
        return facts_parse(outcome->output, error);
    return NULL;
}

static void on_done(const TransientOutcome *outcome, const GError *asked, gpointer data)
{
    Instance *instance = data;
    Daemon *daemon = instance->object.daemon;
    struct Probe *probe = instance->probe;
    g_autoptr(GError) error = NULL;
    InstanceFacts *facts = judge(instance, outcome, asked, &error);

    /* Also where the answer was lost: PID 1 that re-executed itself may have started it all the
     * same. */
    transient_forget(instance->object.daemon->bus, probe->unit);
    unlink(probe->output);
    if (facts) {
        facts_free(instance->facts);
        instance->facts = facts;
        store(instance, outcome->output);
        instance_changed(instance);
    } else {
        log_line(LOG_WARNING,
                 &(LogFields){ .instance = instance->config->name, .code = log_code(error) }, "%s",
                 error->message);
    }
    finish(instance, error);
    probe_go_on(daemon);
}

static void fail(Instance *instance, GError *error)
{
    log_line(LOG_WARNING,
             &(LogFields){ .instance = instance->config->name, .code = log_code(error) }, "%s",
             error->message);
    finish(instance, error);
}

static void look(Instance *instance)
{
    const InstanceConfig *config = instance->config;
    g_autoptr(GError) error = NULL;
    g_autofree char *guessed = NULL;
    g_autofree char *release =
        config->release ? g_strconcat("--release=", config->release, NULL) : NULL;
    char *argv[] = { (char *)HELPER, (char *)"probe", config->home, release, NULL };
    struct Probe *probe = instance->probe;

    probe->waits = FALSE;
    if (!config->admin && !(guessed = facts_guess_admin(config->home, &error))) {
        fail(instance, error);
        return;
    }
    probe->call = transient_run(instance->object.daemon->bus,
                                &(TransientSpec){ .unit = probe->unit,
                                                  .description = "Look at a TimesTen instance",
                                                  .argv = argv,
                                                  .user = config->admin ? config->admin : guessed,
                                                  .output = probe->output,
                                                  .limit_usec = LIMIT_USEC,
                                                  .fresh = TRUE },
                                on_done, instance);
    if (!probe->call) {
        error = g_error_new(TU_ERROR, TU_ERROR_FAILED,
                            "Cannot read instance %s: systemd cannot be asked", config->name);
        fail(instance, error);
    }
}

static guint count_at_work(const Daemon *daemon)
{
    GHashTableIter iter;
    Instance *instance;
    guint n = 0;

    g_hash_table_iter_init(&iter, daemon->instances);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&instance))
        n += instance->probe && instance->probe->call;
    return n;
}

void probe_go_on(Daemon *daemon)
{
    GHashTableIter iter;
    Instance *instance;
    guint room = PROBES_LIMIT - MIN(PROBES_LIMIT, count_at_work(daemon));

    g_hash_table_iter_init(&iter, daemon->instances);
    while (room > 0 && g_hash_table_iter_next(&iter, NULL, (gpointer *)&instance))
        if (instance->probe && instance->probe->waits) {
            look(instance);
            room -= instance->probe && instance->probe->call;
        }
}

void probe_start(Instance *instance)
{
    const InstanceConfig *config = instance->config;
    struct Probe *probe;

    if (instance->probe)
        return;
    probe = g_new0(struct Probe, 1);
    probe->output = cache_path(instance, ".out");
    probe->unit = transient_name("probe", config->name, NULL);
    probe->waiters = g_array_new(FALSE, FALSE, sizeof(Waiter));
    instance->probe = probe;
    if (count_at_work(instance->object.daemon) < PROBES_LIMIT)
        look(instance);
    else
        probe->waits = TRUE;
}

void probe_need(Instance *instance, ProbeDone done, gpointer data)
{
    Waiter waiter = { done, data };

    if (instance->facts) {
        done(instance->facts, NULL, data);
        return;
    }
    if (!instance->probe)
        probe_start(instance);
    if (instance->probe) {
        g_array_append_val(instance->probe->waiters, waiter);
    } else {
        g_autoptr(GError) error =
            g_error_new(TU_ERROR, TU_ERROR_FAILED,
                        "Instance %s cannot be read; the journal says why", instance->config->name);

        done(NULL, error, data);
    }
}

void probe_stop(Instance *instance)
{
    g_autoptr(GError) error = NULL;

    if (!instance->probe)
        return;
    error = g_error_new(TU_ERROR, TU_ERROR_NO_SUCH_INSTANCE,
                        "The instance went away while it was looked at");
    finish(instance, error);
}

void probe_again(Instance *instance)
{
    g_autofree char *path = cache_path(instance, "");

    unlink(path);
    probe_start(instance);
}

void probe_take_cached(Instance *instance)
{
    g_autofree char *path = cache_path(instance, "");
    g_autofree char *text = NULL;
    gboolean missing;
    struct stat st;

    text = file_read(path, CACHE_LIMIT, &missing, NULL);
    if (text)
        instance->facts = facts_parse(text, NULL);
    /* Written for another home before the configuration changed? Then it says nothing. */
    if (instance->facts && g_strcmp0(instance->facts->home, instance->config->home) != 0)
        g_clear_pointer(&instance->facts, facts_free);
    if (!instance->facts || stat(path, &st) < 0 || time(NULL) - st.st_mtime > CACHE_AGE)
        probe_start(instance);
}
