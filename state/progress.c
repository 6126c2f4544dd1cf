/* Progress of a running job as a key file in /run. The worker writes, the daemon reads; a file that
 * makes no sense is as good as none. */
#include "state/progress.h"
#include "state/seal.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"

#include <errno.h>
#include <string.h>

#define GROUP          "Progress"
#define PROGRESS_LIMIT (64 * 1024) /* bytes; a real one has 200 */

gboolean progress_write(guint64 id, const JobProgress *progress, GError **error)
{
    g_autofree char *path = path_progress(id, "progress");
    g_autofree char *directory = g_path_get_dirname(path);
    g_autoptr(GKeyFile) keys = g_key_file_new();
    g_autofree char *text = NULL;

    /* tmpfiles makes what lies above, but losing /run must lose nothing. */
    if (g_mkdir_with_parents(directory, 0700) < 0)
        return tu_error_errno(error, errno, "Cannot create directory %s", directory);
    sealed_set(keys, GROUP, "State", progress->state);
    sealed_set(keys, GROUP, "Step", progress->step);
    g_key_file_set_double(keys, GROUP, "Fraction", progress->fraction);
    g_key_file_set_uint64(keys, GROUP, "RemainingUSec", progress->remaining_usec);
    g_key_file_set_uint64(keys, GROUP, "HeldUSec", progress->held_usec);
    g_key_file_set_uint64(keys, GROUP, "Held", progress->held);
    sealed_set(keys, GROUP, "Detail", progress->detail);
    g_key_file_set_boolean(keys, GROUP, "CanCancel", progress->can_cancel);
    text = g_key_file_to_data(keys, NULL, NULL);
    return file_replace(path, text, -1, 0600, error);
}

JobProgress *progress_read(guint64 id)
{
    g_autofree char *path = path_progress(id, "progress");
    g_autofree char *text = file_read(path, PROGRESS_LIMIT, NULL, NULL);
    g_autoptr(GKeyFile) keys = g_key_file_new();
    g_autoptr(JobProgress) progress = g_new0(JobProgress, 1);

    if (!text || !g_key_file_load_from_data(keys, text, strlen(text), G_KEY_FILE_NONE, NULL))
        return NULL;
    progress->state = g_key_file_get_string(keys, GROUP, "State", NULL);
    progress->step = g_key_file_get_string(keys, GROUP, "Step", NULL);
    progress->fraction = g_key_file_get_double(keys, GROUP, "Fraction", NULL);
    progress->remaining_usec = g_key_file_get_uint64(keys, GROUP, "RemainingUSec", NULL);
    progress->held_usec = g_key_file_get_uint64(keys, GROUP, "HeldUSec", NULL);
    progress->held = g_key_file_get_uint64(keys, GROUP, "Held", NULL);
    progress->detail = g_key_file_get_string(keys, GROUP, "Detail", NULL);
    progress->can_cancel = g_key_file_get_boolean(keys, GROUP, "CanCancel", NULL);
    if (!progress->state || !progress->step || !progress->detail)
        return NULL;
    /* Also a NaN becomes 0: a reader must be able to draw it. */
    progress->fraction = progress->fraction > 0 ? MIN(progress->fraction, 1.0) : 0.0;
    return g_steal_pointer(&progress);
}

void progress_free(JobProgress *progress)
{
    if (!progress)
        return;
    g_free(progress->state);
    g_free(progress->step);
    g_free(progress->detail);
    g_free(progress);
}
