#include "systemd/generator.h"
#include "common/error.h"
#include "common/names.h"

#include <unistd.h>

gboolean generator_ran(void)
{
    g_autofree char *mark = path_generated(GENERATOR_RAN);

    return access(mark, F_OK) == 0;
}

gboolean generator_fail(const char *remedy, GError **error)
{
    g_autofree char *mark = path_generated(GENERATOR_RAN);

    return tu_error_set(
        error, TU_ERROR_FAILED,
        "systemctl daemon-reload was done %u times, and timesten-generator never came to its end "
        "(there is no %s), so ports and units are as they were. See journalctl -b -t systemd and "
        "dmesg, then %s",
        GENERATOR_TRIES, mark, remedy);
}
