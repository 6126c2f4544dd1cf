/* Steps of a change within one major release: both releases have the same database, so the one lets
 * go of it before the other opens it. Nothing is copied and nothing destroyed, and before the
 * commit no instance but the one that served is left with a RAM policy by which it would load a
 * database of itself: whoever comes after a crash starts either main daemon without a quarrel. */
#include "job/steps.h"
#include "job/meter.h"
#include "job/runner.h"
#include "common/error.h"
#include "common/text.h"
#include "timesten/admin.h"
#include "timesten/version.h"

/* For how long the new release keeps what it has loaded although nobody is connected: from the
 * first query of this job to the first client. Ends with the job. */
#define GRACE_SEC 600
/* Guess for an unknown disk, in bytes per second. */
#define LOAD_RATE (50 * 1024 * 1024)

/* The RAM policy of a database, as it is noted: "manual loaded", "inUse 20". */
typedef struct {
    char *name;
    gboolean loaded;
    guint grace; /* seconds */
} RamPolicy;

static void ram_policy_clear(RamPolicy *policy)
{
    g_free(policy->name);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RamPolicy, ram_policy_clear)

static const char *noted_in(const Job *job, const char *step, const char *what, const char *dsn)
{
    g_autofree char *key = g_strdup_printf("%s.%s", what, dsn);
    const RecordStep *found = job->summary ? record_find_step(job->summary, step) : NULL;

    return found ? g_hash_table_lookup(found->values, key) : NULL;
}

/* What the serving release had; an empty name where nobody could tell. */
static void read_policy(const Job *job, const char *dsn, RamPolicy *ret)
{
    const char *text = noted_in(job, "let-go", "ram", dsn);
    g_auto(GStrv) words = g_strsplit(text ? text : "", " ", 2);
    guint64 grace = 0;

    ret->name = g_strdup(words[0] ? words[0] : "");
    ret->loaded = words[0] && g_strcmp0(words[1], "loaded") == 0;
    text_parse_uint64(words[0] ? words[1] : NULL, 0, G_MAXUINT, &grace);
    ret->grace = grace;
}

static gboolean is_policy(const RamPolicy *policy, const char *name)
{
    return g_ascii_strcasecmp(policy->name, name) == 0;
}

static gboolean administer(Job *job, const Side *side, UtilityId id, const char *dsn,
                           const char *word, guint seconds, GError **error)
{
    UtilityArguments arguments = { .dsn = dsn, .word = word, .seconds = seconds };
    g_autoptr(UtilityResult) result = run_utility_checked(job, side, id, &arguments, error);

    return result != NULL;
}

/* A segment that cannot be had again (gone, or of another size) costs a load and no row: it was
 * detached behind a checkpoint. */
static gboolean attach(Job *job, const Side *side, const char *dsn, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (administer(job, side, UTILITY_SHM_ATTACH, dsn, NULL, 0, &problem))
        return TRUE;
    g_message("%s; the database is loaded from its files", problem->message);
    administer(job, side, UTILITY_SHM_FREE, dsn, NULL, 0, NULL);
    return administer(job, side, UTILITY_RAM_LOAD, dsn, NULL, 0, error);
}

static gboolean set_policy(Job *job, const Side *side, const char *dsn, const RamPolicy *policy,
                           GError **error)
{
    if (!policy->name[0])
        return TRUE;
    if (is_policy(policy, "inUse"))
        return administer(job, side, UTILITY_RAM_GRACE, dsn, NULL, policy->grace, error);
    return administer(job, side, UTILITY_RAM_POLICY, dsn, policy->name, 0, error) &&
           (!policy->loaded || administer(job, side, UTILITY_RAM_LOAD, dsn, NULL, 0, error));
}

/* --- one instance, two installations ------------------------------------------------------------
 */

/* The policy is the instance's own and stays. What is not closed here the end of its main daemon
 * closes. */
static gboolean unload(Job *job, const char *dsn, const RamPolicy *policy, GError **error)
{
    if (is_policy(policy, "enduring") && policy->loaded) {
        g_autoptr(GError) problem = NULL;

        if (administer(job, &job->from, UTILITY_SHM_DETACH, dsn, NULL, 0, &problem))
            return TRUE;
        g_message("%s; the database is unloaded instead", problem->message);
    }
    return !policy->loaded || administer(job, &job->from, UTILITY_RAM_UNLOAD, dsn, NULL, 0, error);
}

static gboolean load(Job *job, const Side *side, const char *dsn, const RamPolicy *policy,
                     GError **error)
{
    if (!policy->loaded)
        return TRUE;
    return is_policy(policy, "enduring")
               ? attach(job, side, dsn, error)
               : administer(job, side, UTILITY_RAM_LOAD, dsn, NULL, 0, error);
}

/* Whether the instance's home is of a side's release by now; what it says itself, because the
 * side's facts come from the configuration. */
static gboolean has_release(Job *job, const Side *side, gboolean *ret, GError **error)
{
    g_autoptr(UtilityResult) result = run_utility_checked(job, side, UTILITY_VERSION, NULL, error);
    g_autoptr(Version) version = result ? version_parse(result->output) : NULL;

    *ret = version && release_compare(&version->release, &side->facts->release) == 0;
    return result != NULL;
}

static gboolean install(Job *job, const Side *side, GError **error)
{
    UtilityArguments arguments = { .file = side->config->installation };
    g_autoptr(UtilityResult) result = NULL;
    gboolean reached = FALSE;

    if (!has_release(job, side, &reached, error) || reached)
        return reached;
    result = run_utility_checked(job, side, UTILITY_MODIFY, &arguments, error);
    if (!result || !has_release(job, side, &reached, error))
        return FALSE;
    return reached ||
           tu_error_set(error, TU_ERROR_UTILITY_FAILED,
                        "%s to %s succeeded, but ttVersion of %s tells another release. See what "
                        "its link install leads to, mend that, then start again",
                        utility_name(UTILITY_MODIFY), side->config->installation,
                        side->config->home);
}

/* --- prepare-new --------------------------------------------------------------------------------
 */

gboolean step_prepare_new(Job *job, GError **error)
{
    /* One instance has one main daemon. */
    return job_same_instance(job) || step_start_new_daemon(job, error);
}

/* take-over stops it in its undo, also where it ran before. */
static gboolean bring_back(Job *job, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (!run_unit(job, UNIT_START, job->to.unit, error))
        return FALSE;
    for (char **dsn = job->server->databases; *dsn; dsn++)
        if (!administer(job, &job->to, UTILITY_RAM_GRACE, *dsn, NULL, 0, &problem)) {
            g_message("%s, ignoring", problem->message);
            g_clear_error(&problem);
        }
    return TRUE;
}

gboolean step_prepare_new_undo(Job *job, GError **error)
{
    const RecordStep *taken = record_find_step(job->summary, "take-over");

    if (job_same_instance(job))
        return TRUE;
    if (taken && taken->begun && g_strcmp0(job_noted(job, "was-active"), "yes") == 0 &&
        !bring_back(job, error))
        return FALSE;
    return step_start_new_daemon_undo(job, error);
}

/* --- let-go -------------------------------------------------------------------------------------
 */

static gboolean note_policy(Job *job, const char *dsn, GError **error)
{
    UtilityArguments arguments = { .dsn = dsn };
    g_autofree char *key = g_strdup_printf("ram.%s", dsn);
    g_autoptr(UtilityResult) result = NULL;
    g_autoptr(AdminState) state = NULL;
    g_autofree char *text = NULL;
    const char *policy;

    if (job_noted(job, key))
        return TRUE;
    result = run_utility_checked(job, &job->from, UTILITY_QUERY, &arguments, error);
    if (!result)
        return FALSE;
    state = admin_parse(result->output);
    policy = state->ram_policy ? state->ram_policy : "inUse";
    text = g_ascii_strcasecmp(policy, "inUse") == 0
               ? g_strdup_printf("%s %u", policy, state->ram_grace)
               : g_strdup_printf("%s%s", policy, state->manually_loaded ? " loaded" : "");
    return job_note(job, key, text, error);
}

/* So that it never loads them of itself again, at whichever start. */
static gboolean give_up_databases(Job *job, GError **error)
{
    if (job_noted(job, "given-up"))
        return TRUE;
    if (!step_bring_daemon_up(job, &job->from, error))
        return FALSE;
    for (char **dsn = job->server->databases; *dsn; dsn++)
        if (!note_policy(job, *dsn, error))
            return FALSE;
    for (char **dsn = job->server->databases; *dsn; dsn++) {
        g_auto(RamPolicy) policy = { 0 };

        read_policy(job, *dsn, &policy);
        if (job_same_instance(job)
                ? !unload(job, *dsn, &policy, error)
                : !is_policy(&policy, "inUse") &&
                      !administer(job, &job->from, UTILITY_RAM_POLICY, *dsn, "inUse", 0, error))
            return FALSE;
    }
    return job_note(job, "given-up", "yes", error);
}

static gboolean is_running(Job *job, const Side *side, gboolean *ret, GError **error)
{
    g_autoptr(TimesTenStatus) status = run_status(job, side, error);

    *ret = status && status->daemon_running;
    return status != NULL;
}

/* Whoever goes back from a release that died has nobody to ask; its files are on the disk. */
static gboolean nobody_to_ask(Job *job, gboolean *ret, GError **error)
{
    gboolean running = TRUE;

    if (g_str_equal(job->request->kind, "rollback") && !job_noted(job, "given-up") &&
        !is_running(job, &job->from, &running, error))
        return FALSE;
    *ret = !running;
    if (*ret)
        g_message("The main daemon of instance %s does not run, so nobody knows the RAM policies "
                  "of its databases: they are left as instance %s has them",
                  job->from.config->name, job->to.config->name);
    return TRUE;
}

gboolean step_let_go(Job *job, GError **error)
{
    gboolean nobody;

    return nobody_to_ask(job, &nobody, error) && (nobody || give_up_databases(job, error)) &&
           step_stop_daemon(job, &job->from, error);
}

gboolean step_let_go_undo(Job *job, GError **error)
{
    gboolean up = FALSE;

    for (char **dsn = job->server->databases; *dsn; dsn++) {
        g_auto(RamPolicy) policy = { 0 };

        read_policy(job, *dsn, &policy);
        if (!policy.name[0]) /* from there on nothing was touched */
            return TRUE;
        if (!up && !step_bring_daemon_up(job, &job->from, error))
            return FALSE;
        up = TRUE;
        if (job_same_instance(job) && !load(job, &job->from, *dsn, &policy, error))
            return FALSE;
        if ((job_same_instance(job) == is_policy(&policy, "inUse")) &&
            !set_policy(job, &job->from, *dsn, &policy, error))
            return FALSE;
    }
    return TRUE;
}

/* --- take-over ----------------------------------------------------------------------------------
 */

guint64 step_take_over_estimate(const Job *job)
{
    guint64 total = 0;

    for (char **dsn = job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(job->from.facts, *dsn);

        total += facts ? facts->size : 0;
    }
    return USEC_PER_SEC + total / LOAD_RATE * USEC_PER_SEC;
}

/* Loaded once: by the first query, and kept until clients come. */
static gboolean open_database(Job *job, const char *dsn, GError **error)
{
    UtilityArguments arguments = { .dsn = dsn, .sql = "select count(*) from sys.tables;" };
    g_autoptr(UtilityResult) result = NULL;
    g_auto(RamPolicy) policy = { 0 };

    read_policy(job, dsn, &policy);
    if (job_same_instance(job) && (!load(job, &job->to, dsn, &policy, error) ||
                                   (noted_in(job, "quiesce", "closed", dsn) &&
                                    !administer(job, &job->to, UTILITY_OPEN, dsn, NULL, 0, error))))
        return FALSE;
    if ((!job_same_instance(job) || is_policy(&policy, "inUse")) &&
        !administer(job, &job->to, UTILITY_RAM_GRACE, dsn, NULL, GRACE_SEC, error))
        return FALSE;
    result = run_utility_checked(job, &job->to, UTILITY_SQL, &arguments, error);
    return result != NULL;
}

gboolean step_take_over(Job *job, GError **error)
{
    guint count = g_strv_length(job->server->databases);

    /* Whatever starts the port keeper again starts the release that backs the server, too. */
    if (!step_stop_daemon(job, &job->from, error))
        return FALSE;
    /* The vendor's unit starts the server with the main daemon only. */
    if (job_same_instance(job) &&
        (!install(job, &job->to, error) ||
         !step_set_server_port(job, &job->to, job->to.backend_port, error)))
        return FALSE;
    if (!step_bring_daemon_up(job, &job->to, error))
        return FALSE;
    for (guint i = 0; i < count; i++) {
        meter_advance(job->meter, (double)i / count, "loading %s", job->server->databases[i]);
        if (!open_database(job, job->server->databases[i], error))
            return FALSE;
    }
    return TRUE;
}

/* Its end is the one sure way to have it let go of the files, whatever state it is in. */
gboolean step_take_over_undo(Job *job, GError **error)
{
    return run_unit(job, UNIT_STOP, job->to.unit, error) &&
           (!job_same_instance(job) || install(job, &job->from, error));
}

/* --- behind the commit --------------------------------------------------------------------------
 */

/* While nobody is served yet: a database whose policy is being changed to manual lets nobody in. */
gboolean step_settle(Job *job, GError **error)
{
    if (!step_bring_daemon_up(job, &job->to, error))
        return FALSE;
    for (char **dsn = job->server->databases; *dsn; dsn++) {
        g_auto(RamPolicy) policy = { 0 };

        read_policy(job, *dsn, &policy);
        if (!job_same_instance(job) && !is_policy(&policy, "inUse") &&
            !set_policy(job, &job->to, *dsn, &policy, error))
            return FALSE;
        if (noted_in(job, "quiesce", "cache", *dsn) &&
            !administer(job, &job->to, UTILITY_CACHE_START, *dsn, NULL, 0, error))
            return FALSE;
    }
    return TRUE;
}

gboolean step_retire_in_place(Job *job, GError **error)
{
    if (!step_retire_old(job, error))
        return FALSE;
    for (char **dsn = job->server->databases; *dsn; dsn++) {
        g_auto(RamPolicy) policy = { 0 };

        read_policy(job, *dsn, &policy);
        if ((is_policy(&policy, "inUse") || !policy.name[0]) &&
            !administer(job, &job->to, UTILITY_RAM_GRACE, *dsn, NULL, policy.grace, error))
            return FALSE;
    }
    return TRUE;
}
