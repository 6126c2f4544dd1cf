#include "job/repair.h"
#include "job/host.h"
#include "job/runner.h"
#include "common/error.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void repaired_free(gpointer data)
{
    Repaired *repaired = data;

    g_free(repaired->subject);
    g_free(repaired->before);
    g_free(repaired->after);
    g_free(repaired->undo);
    g_free(repaired);
}

GPtrArray *repaired_new(void)
{
    return g_ptr_array_new_with_free_func(repaired_free);
}

void repair_tell(Repair *repair, const char *subject, char *before, char *after, char *undo,
                 const GError *problem)
{
    Repaired *repaired = g_new0(Repaired, 1);

    *repaired = (Repaired){ repair->id, g_strdup(subject), before, after, undo };
    if (problem) {
        g_free(repaired->after);
        g_free(repaired->undo);
        repaired->after = g_strdup_printf("not repaired: %s", problem->message);
        repaired->undo = g_strdup("");
    }
    g_ptr_array_add(repair->done, repaired);
}

/* --- files --------------------------------------------------------------------------------------
 */

static gboolean write_drop_in(const char *path, const char *content, GError **error)
{
    g_autofree char *full = g_strconcat(host_root, path, NULL);
    g_autofree char *directory = g_path_get_dirname(full);

    return directory_make_synced(directory, 0755, error) &&
           file_replace_synced(full, content, -1, 0644, error);
}

gboolean repair_drop_in(Repair *repair, const char *subject, const char *path, const char *content,
                        const char *before, const char *after, const char *undo)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *told = g_strdup_printf("%s (%s)", after, path);

    if (!repair->dry)
        write_drop_in(path, content, &problem);
    repair_tell(repair, subject, g_strdup(before), g_steal_pointer(&told), g_strdup(undo), problem);
    return !problem;
}

/* --- settings of the kernel --------------------------------------------------------------------
 */

static char *sysctl_path(const char *key)
{
    g_autofree char *below = g_strdelimit(g_strdup(key), ".", '/');

    return g_strconcat("/proc/sys/", below, NULL);
}

static gboolean set_now(const char *path, const char *value, GError **error)
{
    g_autofree char *full = g_strconcat(host_root, path, NULL);
    int fd = open(full, O_WRONLY | O_CLOEXEC | O_TRUNC);
    gboolean ok = fd >= 0 && write(fd, value, strlen(value)) == (gssize)strlen(value);
    int saved = errno;

    if (fd >= 0)
        close(fd);
    return ok || tu_error_set(error, TU_ERROR_NOT_POSSIBLE, "%s cannot be written: %s", path,
                              g_strerror(saved));
}

/* The setting first: what the kernel refuses is not to be tried again at each boot. */
void repair_sysctl(Repair *repair, const char *key, const char *value)
{
    g_autofree char *live = sysctl_path(key);
    g_autofree char *file = g_strdup_printf("/etc/sysctl.d/99-timesten-upgrade.%s.conf", key);
    g_autofree char *content = g_strdup_printf(
        "# By timesten-upgrade, for its check of this setting.\n%s = %s\n", key, value);
    g_autofree char *before = host_text(live);
    g_autoptr(GError) problem = NULL;

    if (before)
        g_strstrip(before);
    if (!repair->dry && set_now(live, value, &problem))
        write_drop_in(file, content, &problem);
    repair_tell(
        repair, key, g_strdup(before && *before ? before : "nothing"), g_strdup_printf("%s (%s)", value, file),
        g_strdup_printf("rm %s; sysctl -w '%s=%s'", file, key, before ? before : ""), problem);
}

/* --- all of them --------------------------------------------------------------------------------
 */

static gboolean is_for(const Job *job, const CheckTable *table, const CheckType *row, char **only)
{
    g_auto(GStrv) kinds = g_strsplit(row->only ? row->only : table->kinds, ",", -1);

    return row->mend && g_strv_contains((const char *const *)kinds, job->request->kind) &&
           (!row->method || g_str_equal(row->method, job->request->method)) &&
           (!only || g_strv_contains((const char *const *)only, row->id));
}

gboolean repair_is_dry(const Job *job)
{
    gboolean dry = FALSE;

    g_variant_lookup(job->request->options, "dry-run", "b", &dry);
    return dry;
}

GPtrArray *repair_run(Job *job, GError **error)
{
    g_autoptr(GPtrArray) done = repaired_new();
    g_autoptr(TimesTenStatus) from = NULL, to = NULL;
    g_auto(GStrv) only = NULL;
    Repair repair;

    g_variant_lookup(job->request->options, "only", "^as", &only);
    if (!job_survey(job, error))
        return NULL;
    from = run_status(job, &job->from, NULL);
    to = run_status(job, &job->to, NULL);
    repair = (Repair){ job, from, to, repair_is_dry(job), NULL, done };
    for (const CheckTable *table = check_tables; table->title; table++)
        for (const CheckType *row = table->rows; row->id; row++)
            if (is_for(job, table, row, only)) {
                repair.id = row->id;
                row->mend(&repair);
            }
    return g_steal_pointer(&done);
}
