/* The requests of jobs and their numbers. The daemon creates and cancels; the worker, the daemon
 * and the generator read. A number must never be given twice, because it names units, directories
 * and records. */
#include "state/request.h"
#include "state/boot.h"
#include "state/seal.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"
#include "common/text.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP         "Request"
#define REQUEST_LIMIT (1024 * 1024)                       /* bytes; a real one has 500 */
#define OPTIONS_LIMIT (64 * 1024)                         /* bytes of printed options */
#define LAST_ID       G_GUINT64_CONSTANT(999999999999999) /* what exceeds it is not ours */
#define REMEDY                                                                                     \
    "The job cannot be carried on. See with \"ttctl status\" which instance serves, and move "     \
    "the job's directory away"

/* Only the spelling that path_job() gives: "7", neither "07" nor "7.old". */
static gboolean parse_id(const char *name, guint64 *ret)
{
    return name[0] != '0' && strspn(name, G_CSET_DIGITS) == strlen(name) &&
           text_parse_uint64(name, 1, LAST_ID, ret);
}

/* Numbers of all job directories, complete or not. A missing directory has none. */
static GArray *list_directories(GError **error)
{
    g_autofree char *path = path_jobs_directory();
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint64));
    g_autoptr(GError) local = NULL;
    g_autoptr(GDir) directory = g_dir_open(path, 0, &local);
    const char *name;
    guint64 id;

    if (!directory) {
        if (g_error_matches(local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            return g_steal_pointer(&ids);
        g_set_error(error, TU_ERROR, TU_ERROR_FAILED, "Cannot list the jobs: %s", local->message);
        return NULL;
    }
    while ((name = g_dir_read_name(directory)))
        if (parse_id(name, &id))
            g_array_append_val(ids, id);
    return g_steal_pointer(&ids);
}

static int compare_ids(const void *a, const void *b)
{
    const guint64 first = *(const guint64 *)a, second = *(const guint64 *)b;

    return (first > second) - (first < second);
}

GArray *request_list(GError **error)
{
    g_autoptr(GArray) all = list_directories(error);
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint64));

    if (!all)
        return NULL;
    for (guint i = 0; i < all->len; i++) {
        guint64 id = g_array_index(all, guint64, i);
        g_autofree char *file = path_job(id, "request");

        /* A directory without a request is a job that was never accepted. */
        if (g_file_test(file, G_FILE_TEST_IS_REGULAR))
            g_array_append_val(ids, id);
    }
    g_array_sort(ids, compare_ids);
    return g_steal_pointer(&ids);
}

/* One more than any number known: from the counter, which outlives deleted jobs, and from the
 * directories, which outlive a damaged counter. */
static gboolean first_free_id(const char *counter, guint64 *ret, GError **error)
{
    g_autoptr(GArray) ids = list_directories(error);
    g_autofree char *text = NULL;
    gboolean missing;
    guint64 next = 1;

    if (!ids)
        return FALSE;
    text = file_read(counter, 64, &missing, NULL);
    if (!text || !parse_id(g_strstrip(text), &next))
        next = 1;
    for (guint i = 0; i < ids->len; i++)
        next = MAX(next, g_array_index(ids, guint64, i) + 1);
    *ret = next;
    return TRUE;
}

/* Makes the directory of a new job. The counter is written and synced first: a power cut may waste
 * a number but never gives one twice. */
static gboolean allocate(guint64 *ret, GError **error)
{
    g_autofree char *jobs = path_jobs_directory();
    g_autofree char *counter = g_build_filename(jobs, "next-id", NULL);
    guint64 id;

    if (!directory_make_synced(jobs, 0700, error) || !first_free_id(counter, &id, error))
        return FALSE;
    for (;; id++) {
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", id + 1);
        g_autofree char *directory = path_job(id, NULL);

        if (id >= LAST_ID) {
            g_set_error(error, TU_ERROR, TU_ERROR_FAILED,
                        "No job number is left: %s is full. Move its largest number away", jobs);
            return FALSE;
        }
        if (!file_replace_synced(counter, text, -1, 0600, error))
            return FALSE;
        if (mkdir(directory, 0700) == 0) {
            *ret = id;
            if (directory_sync(jobs, error))
                return TRUE;
            rmdir(directory);
            return FALSE;
        }
        if (errno != EEXIST)
            return tu_error_errno(error, errno, "Cannot create directory %s", directory);
    }
}

static GKeyFile *request_keys(const JobRequest *request, const char *options, const char *boot)
{
    GKeyFile *keys = g_key_file_new();

    g_key_file_set_uint64(keys, GROUP, "Id", request->id);
    sealed_set(keys, GROUP, "Kind", request->kind);
    sealed_set(keys, GROUP, "Server", request->server);
    sealed_set(keys, GROUP, "From", request->from);
    sealed_set(keys, GROUP, "To", request->to);
    sealed_set(keys, GROUP, "Method", request->method);
    sealed_set(keys, GROUP, "Options", options);
    g_key_file_set_uint64(keys, GROUP, "Uid", request->uid);
    g_key_file_set_uint64(keys, GROUP, "Pid", request->pid);
    sealed_set(keys, GROUP, "Unit", request->unit);
    g_key_file_set_uint64(keys, GROUP, "Created", request->created);
    sealed_set(keys, GROUP, "Boot", boot);
    return keys;
}

/* What request_load() would not take back is not written in the first place. */
static gboolean check_names(const JobRequest *request, GError **error)
{
    if (!name_is_valid(request->server))
        g_set_error(error, TU_ERROR, TU_ERROR_NO_SUCH_SERVER,
                    "\"%s\" cannot be the name of a server",
                    request->server ? request->server : "");
    else if (!name_is_valid(request->from) || !name_is_valid(request->to))
        g_set_error(error, TU_ERROR, TU_ERROR_NO_SUCH_INSTANCE,
                    "A job from \"%s\" to \"%s\": not both can be names of instances",
                    request->from ? request->from : "", request->to ? request->to : "");
    else if (!request->kind || !request->kind[0] || !request->method || !request->method[0])
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION, "A job needs a kind and a method");
    else
        return TRUE;
    return FALSE;
}

gboolean request_create(JobRequest *request, GError **error)
{
    g_autofree char *options = NULL, *text = NULL, *path = NULL, *directory = NULL, *boot = NULL;
    g_autoptr(GKeyFile) keys = NULL;

    if (!check_names(request, error))
        return FALSE;
    if (request->options && !g_variant_is_of_type(request->options, G_VARIANT_TYPE_VARDICT)) {
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                    "The options are of type %s, not a{sv}",
                    g_variant_get_type_string(request->options));
        return FALSE;
    }
    /* With type annotations, so that a uint64 comes back as a uint64. */
    options = request->options ? g_variant_print(request->options, TRUE) : g_strdup("@a{sv} {}");
    if (strlen(options) > OPTIONS_LIMIT) {
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                    "The options have %zu bytes as text; no more than %d are accepted",
                    strlen(options), OPTIONS_LIMIT);
        return FALSE;
    }
    if (!allocate(&request->id, error))
        return FALSE;
    if (request->created == 0)
        request->created = g_get_real_time();
    boot = boot_identity(NULL);
    keys = request_keys(request, options, boot);
    text = sealed_text(keys);
    path = path_job(request->id, "request");
    if (file_replace_synced(path, text, -1, 0600, error))
        return TRUE;
    /* A request that was refused must not come to life at the next boot. The empty directory would
     * do no harm. */
    directory = path_job(request->id, NULL);
    unlink(path);
    rmdir(directory);
    return FALSE;
}

static gboolean no_such_job(GError **error, guint64 id)
{
    g_set_error(error, TU_ERROR, TU_ERROR_NO_SUCH_JOB,
                "There is no job %" G_GUINT64_FORMAT ". \"ttctl jobs\" lists those that are", id);
    return FALSE;
}

JobRequest *request_load(guint64 id, GError **error)
{
    g_autofree char *path = path_job(id, "request");
    g_autoptr(JobRequest) request = g_new0(JobRequest, 1);
    g_autoptr(GKeyFile) keys = NULL;
    g_autofree char *options = NULL;
    gboolean missing;

    keys = sealed_read(path, REQUEST_LIMIT, REMEDY, &missing, error);
    if (!keys) {
        if (missing)
            no_such_job(error, id);
        return NULL;
    }
    request->id = g_key_file_get_uint64(keys, GROUP, "Id", NULL);
    request->kind = sealed_get(keys, GROUP, "Kind");
    request->server = sealed_get(keys, GROUP, "Server");
    request->from = sealed_get(keys, GROUP, "From");
    request->to = sealed_get(keys, GROUP, "To");
    request->method = sealed_get(keys, GROUP, "Method");
    request->uid = g_key_file_get_uint64(keys, GROUP, "Uid", NULL);
    request->pid = g_key_file_get_uint64(keys, GROUP, "Pid", NULL);
    request->unit = g_key_file_get_string(keys, GROUP, "Unit", NULL);
    request->created = g_key_file_get_uint64(keys, GROUP, "Created", NULL);
    request->boot = sealed_get(keys, GROUP, "Boot");
    options = sealed_get(keys, GROUP, "Options");
    if (options)
        request->options = g_variant_parse(G_VARIANT_TYPE_VARDICT, options, NULL, NULL, NULL);
    if (request->id != id || !request->kind || !name_is_valid(request->server) ||
        !name_is_valid(request->from) || !name_is_valid(request->to) || !request->method ||
        !request->unit || !request->options) {
        sealed_damaged(error, path, "it is not the request of this job", REMEDY);
        return NULL;
    }
    return g_steal_pointer(&request);
}

gboolean request_moves_server(const JobRequest *request)
{
    return !g_str_equal(request->kind, "clean") && !request_adopts(request) &&
           !request_confirms(request);
}

gboolean request_confirms(const JobRequest *request)
{
    return g_str_equal(request->kind, "confirm");
}

gboolean request_adopts(const JobRequest *request)
{
    return g_str_equal(request->kind, "adopt");
}

static gboolean names_databases(const JobRequest *request)
{
    g_autoptr(GVariant) names =
        g_variant_lookup_value(request->options, "databases", G_VARIANT_TYPE_STRING_ARRAY);

    return names && g_variant_n_children(names) > 0;
}

gboolean request_uses(const JobRequest *request, const char *instance)
{
    gboolean target = g_str_equal(request->to, instance);

    if (g_str_equal(request->kind, "clean")) /* exports need no instance */
        return target && names_databases(request);
    return target || g_str_equal(request->from, instance);
}

void request_free(JobRequest *request)
{
    if (!request)
        return;
    g_free(request->kind);
    g_free(request->server);
    g_free(request->from);
    g_free(request->to);
    g_free(request->method);
    g_clear_pointer(&request->options, g_variant_unref);
    g_free(request->unit);
    g_free(request->boot);
    g_free(request);
}

/* A wish is a file beside the request. Who wished it first is who is remembered. */
static gboolean wish(guint64 id, const char *name, guint32 uid, GError **error)
{
    g_autofree char *request = path_job(id, "request");
    g_autofree char *path = path_job(id, name);
    g_autofree char *text = g_strdup_printf("Uid=%" G_GUINT32_FORMAT "\n", uid);

    if (!g_file_test(request, G_FILE_TEST_IS_REGULAR))
        return no_such_job(error, id);
    return g_file_test(path, G_FILE_TEST_EXISTS) ||
           file_replace_synced(path, text, -1, 0600, error);
}

static gboolean is_wished(guint64 id, const char *name)
{
    g_autofree char *path = path_job(id, name);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* Where only the sync of the directory failed, the worker has seen the file and cancels; and a power
 * cut that lost it would undo the job all the same. */
gboolean request_cancel(guint64 id, guint32 uid, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (wish(id, "cancel", uid, &problem) || request_is_cancelled(id))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

gboolean request_is_cancelled(guint64 id)
{
    return is_wished(id, "cancel");
}

/* What was refused must not begin at the next boot. */
gboolean request_retry(guint64 id, guint32 uid, GError **error)
{
    g_autofree char *path = path_job(id, "retry");

    if (wish(id, "retry", uid, error))
        return TRUE;
    unlink(path);
    return FALSE;
}

gboolean request_wants_retry(guint64 id)
{
    return is_wished(id, "retry");
}

gboolean request_take_retry(guint64 id, GError **error)
{
    g_autofree char *directory = path_job(id, NULL);
    g_autofree char *path = path_job(id, "retry");

    if (unlink(path) < 0 && errno != ENOENT)
        return tu_error_errno(error, errno, "Cannot remove %s", path);
    return directory_sync(directory, error);
}
