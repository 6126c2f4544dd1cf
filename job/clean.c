#include "job/clean.h"
#include "common/error.h"
#include "state/record.h"

CleanWish *clean_wish(const Job *job)
{
    CleanWish *wish = g_new0(CleanWish, 1);
    GVariant *options = job->request->options;

    if (options) {
        g_variant_lookup(options, "databases", "^as", &wish->databases);
        g_variant_lookup(options, "exports", "b", &wish->exports);
        g_variant_lookup(options, "job", "t", &wish->only);
    }
    if (!wish->databases)
        wish->databases = g_new0(char *, 1);
    return wish;
}

void clean_wish_free(CleanWish *wish)
{
    if (!wish)
        return;
    g_strfreev(wish->databases);
    g_free(wish);
}

/* Two names of one database: another DSN, or the same path written in another way. */
static gboolean same_files(const DatabaseFacts *a, const DatabaseFacts *b)
{
    g_autofree char *left = g_canonicalize_filename(a->data_store, "/");
    g_autofree char *right = g_canonicalize_filename(b->data_store, "/");

    return g_str_equal(left, right);
}

/* The server that is backed by the instance and has the database, by this name or another one; NULL
 * none. */
static const ServerConfig *find_user(const Job *job, const char *dsn, const DatabaseFacts *facts)
{
    for (guint i = 0; i < job->inventory->servers->len; i++) {
        const ServerConfig *server = job->inventory->servers->pdata[i];

        if (!g_str_equal(server->instance, job->to.config->name))
            continue;
        for (char **name = server->databases; *name; name++) {
            const DatabaseFacts *other = facts_find_database(job->to.facts, *name);

            if (g_str_equal(*name, dsn) || (facts && other && same_files(facts, other)))
                return server;
        }
    }
    return NULL;
}

/* ttDestroy would refuse these, too, but only behind the commit. */
static gboolean is_free(const Job *job, const char *dsn, const StatusStore *store, GError **error)
{
    const char *policy = store->ram_policy ? store->ram_policy : "inUse";
    const char *instance = job->to.config->name;

    if (status_user_connections(store) > 0) {
        g_autofree char *names = status_name_connections(store);

        return tu_error_set(
            error, TU_ERROR_NOT_POSSIBLE,
            "Database %s of instance %s has connections: %s. End them, then try again", dsn,
            instance, names);
    }
    if (store->replication_running || store->cache_running)
        return tu_error_set(
            error, TU_ERROR_NOT_POSSIBLE,
            "The %s agent of database %s of instance %s runs. Stop it with ttAdmin -%sStop "
            "%s, then try again",
            store->replication_running ? "replication" : "cache", dsn, instance,
            store->replication_running ? "rep" : "cache", dsn);
    if (g_ascii_strncasecmp(policy, "inUse", strlen("inUse")) != 0 && !store->unloaded)
        return tu_error_set(
            error, TU_ERROR_NOT_POSSIBLE,
            "Database %s of instance %s is kept in memory by its RAM policy \"%s\". Set "
            "another one with ttAdmin -ramPolicy inUse %s, then try again",
            dsn, instance, policy, dsn);
    return TRUE;
}

gboolean clean_may_destroy(const Job *job, const char *dsn, const TimesTenStatus *status,
                           GError **error)
{
    const DatabaseFacts *facts = facts_find_database(job->to.facts, dsn);
    const ServerConfig *user = find_user(job, dsn, facts);
    const StatusStore *store =
        facts && status ? status_find_store(status, facts->data_store) : NULL;

    if (user)
        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "Instance %s backs server %s now, so its database %s is in use",
                            job->to.config->name, user->name, dsn);
    for (guint i = 0; facts && i < job->from.facts->databases->len; i++) {
        const DatabaseFacts *current = job->from.facts->databases->pdata[i];

        if (same_files(current, facts))
            return tu_error_set(
                error, TU_ERROR_NOT_POSSIBLE,
                "Database %s of instance %s has the files of database %s of instance %s, "
                "which is in use: %s",
                dsn, job->to.config->name, current->dsn, job->from.config->name, facts->data_store);
    }
    return !store || is_free(job, dsn, store, error);
}

static gboolean has_ended(guint64 id)
{
    g_autoptr(RecordSummary) record = record_load(id, NULL);

    return record && !record->damaged && record->finished &&
           g_strcmp0(record->result, "needs-attention") != 0;
}

GPtrArray *clean_jobs(const Job *job, const CleanWish *wish, GError **error)
{
    g_autoptr(GArray) ids = request_list(error);
    g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func((GDestroyNotify)request_free);

    if (!ids)
        return NULL;
    for (guint i = 0; wish->exports && i < ids->len; i++) {
        guint64 id = g_array_index(ids, guint64, i);
        g_autoptr(JobRequest) request = request_load(id, NULL);

        if (request && g_str_equal(request->server, job->server->name) &&
            g_str_equal(request->kind, "upgrade") && (!wish->only || wish->only == id) &&
            has_ended(id))
            g_ptr_array_add(jobs, g_steal_pointer(&request));
    }
    return g_steal_pointer(&jobs);
}
