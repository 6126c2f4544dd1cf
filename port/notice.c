#include "port/notice.h"
#include "common/text.h"

static char *clock_text(guint64 realtime)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(realtime / USEC_PER_SEC);

    return g_date_time_format(time, "%H:%M:%S");
}

char *notice_text(const Notice *notice)
{
    const KeeperStatus *status = notice->status;
    g_autofree char *since = clock_text(status->hold_since);
    g_autofree char *until = clock_text(status->hold_deadline);

    switch (status->state) {
    case KEEPER_OPEN:
        if (status->guest)
            return g_strdup_printf("open, the adopted server (process %u) accepts by itself",
                                   status->guest);
        if (notice->inherited)
            return g_strdup_printf("open, %s accepts by itself, %u sessions", status->backend,
                                   status->sessions);
        if (notice->problem)
            return g_strdup_printf(
                "open, but %s does not answer (%s): %u sessions, %u connects wait", status->backend,
                notice->problem, status->sessions, status->held);
        return g_strdup_printf("open to %s, %u sessions", status->backend, status->sessions);
    case KEEPER_HOLD:
        return g_strdup_printf("on hold since %s, %u connects wait, until %s", since, status->held,
                               until);
    case KEEPER_DRAIN:
        return g_strdup_printf(
            "on hold since %s, %u connects wait, until %s; %u sessions may still end", since,
            status->held, until, status->sessions);
    case KEEPER_REFUSE:
        if (notice->inherited && notice->shut)
            return g_strdup("closed until an order to open: new connects get no answer");
        break;
    }
    return g_strdup_printf(
        "refusing %s until an order to open; %" G_GUINT64_FORMAT " connects refused",
        notice->overdue ? "after the hold's deadline" : "every connect", status->refused);
}
