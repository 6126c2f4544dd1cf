#include "state/boot.h"

#include <errno.h>
#include <unistd.h>

#include "common/error.h"
#include "common/file.h"
#include "common/names.h"

char *boot_identity(GError **error)
{
    g_autofree char *path = path_runtime("boot");
    g_autofree char *word = g_uuid_string_random();
    g_autofree char *draft = g_strdup_printf("%s.%s", path, word);
    gboolean missing = FALSE;
    char *found = file_read(path, 64, &missing, error);

    if (found || !missing)
        return found;
    if (!file_replace(draft, word, -1, 0600, error))
        return NULL;
    /* A name that is there already stays: of two workers that begin at once both keep the first
     * word. */
    if (link(draft, path) < 0 && errno != EEXIST) {
        tu_error_errno(error, errno, "Cannot make %s", path);
        unlink(draft);
        return NULL;
    }
    unlink(draft);
    return file_read(path, 64, NULL, error);
}

char *boot_recall(void)
{
    g_autofree char *path = path_runtime("boot");

    return file_read(path, 64, NULL, NULL);
}
