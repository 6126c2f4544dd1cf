#include "state/retention.h"
#include "state/backing.h"
#include "state/record.h"
#include "state/request.h"
#include "common/error.h"
#include "common/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is on its way out: a name that is no job's any more. Without it a removal that a crash cut
 * short would leave a request without a record, and the next boot would begin that job anew. */
#define LEAVING ".leaving-"

/* Directories of jobs hold files and nothing else. */
static void remove_directory(const char *path)
{
    g_autoptr(GDir) entries = g_dir_open(path, 0, NULL);

    for (const char *name; entries && (name = g_dir_read_name(entries));) {
        g_autofree char *file = g_build_filename(path, name, NULL);

        unlink(file);
    }
    rmdir(path);
}

static void remove_leaving(void)
{
    g_autofree char *jobs = path_jobs_directory();
    g_autoptr(GDir) entries = g_dir_open(jobs, 0, NULL);

    for (const char *name; entries && (name = g_dir_read_name(entries));) {
        g_autofree char *path = g_build_filename(jobs, name, NULL);

        if (g_str_has_prefix(name, LEAVING))
            remove_directory(path);
    }
}

static gboolean remove_job(guint64 id, GError **error)
{
    g_autofree char *jobs = path_jobs_directory();
    g_autofree char *directory = path_job(id, NULL);
    g_autofree char *progress = path_progress(id, NULL);
    g_autofree char *leaving = g_strdup_printf("%s/" LEAVING "%" G_GUINT64_FORMAT, jobs, id);

    if (rename(directory, leaving) < 0 && errno != ENOENT)
        return tu_error_errno(error, errno, "Cannot remove the old job %s", directory);
    remove_directory(leaving);
    remove_directory(progress);
    return TRUE;
}

static gboolean has_exports(guint64 id)
{
    g_autofree char *path = path_exports(id, NULL);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* Whether it counts among the ended jobs of the server; *ret_removable: nobody needs it. */
static gboolean has_ended(guint64 id, const char *server, gboolean *ret_removable)
{
    g_autoptr(JobRequest) request = request_load(id, NULL);
    g_autoptr(RecordSummary) summary = NULL;

    if (!request || !g_str_equal(request->server, server))
        return FALSE;
    summary = record_load(id, NULL);
    if (!summary || summary->damaged || !summary->finished)
        return FALSE;
    *ret_removable = g_strcmp0(summary->result, "needs-attention") != 0 && !has_exports(id);
    return TRUE;
}

gboolean retention_tidy(const char *server, guint keep, GError **error)
{
    g_autoptr(Backing) backing = backing_load(server, error);
    g_autoptr(GArray) ids = backing ? request_list(error) : NULL;
    guint ended = 0;

    if (!ids)
        return FALSE;
    remove_leaving();
    for (guint i = ids->len; i-- > 0;) {
        guint64 id = g_array_index(ids, guint64, i);
        gboolean removable = FALSE;

        if (has_ended(id, server, &removable) && ++ended > keep && removable &&
            id != backing->job && !remove_job(id, error))
            return FALSE;
    }
    return TRUE;
}
