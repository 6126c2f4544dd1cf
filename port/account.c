#include "port/account.h"
#include "common/file.h"
#include "common/names.h"
#include "common/text.h"

/* A published time moves only when the clock was really set. */
#define CLOCK_JUMP_USEC (200 * USEC_PER_MSEC)

#define STATUS_LIMIT 4096

void account_recover(Account *account, const char *server, gboolean inherited)
{
    g_autofree char *path = path_keeper(server, "status");
    g_autofree char *line = file_read(path, STATUS_LIMIT, NULL, NULL);
    g_autoptr(KeeperStatus) last = line ? keeper_status_parse(line, NULL) : NULL;

    if (!last)
        return;
    account->accepted = last->accepted;
    account->refused = last->refused;
    account->cut = last->cut + (inherited ? 0 : last->sessions);
    account->gave_up = last->gave_up;
}

void account_add(Account *account, const TurnCounts *counts)
{
    account->accepted += counts->accepted;
    account->refused += counts->refused;
    account->gave_up += counts->gave_up;
}

static guint64 published_time(Account *account, guint64 boottime)
{
    guint64 offset = (guint64)g_get_real_time() - boottime_now();

    if ((guint64)ABS((gint64)(offset - account->clock_offset)) > CLOCK_JUMP_USEC)
        account->clock_offset = offset;
    return boottime > 0 ? boottime + account->clock_offset : 0;
}

KeeperStatus *account_status(Account *account, const Saved *now, const Listeners *listeners,
                             guint sessions, guint guest)
{
    KeeperStatus *status = g_new0(KeeperStatus, 1);

    *status = (KeeperStatus){
        .state = now->state,
        .backend = g_strdup(now->backend),
        .sessions = sessions,
        .held = listeners_held(listeners),
        .queue_limit = listeners_limit(listeners),
        .hold_since = published_time(account, now->since),
        .hold_deadline = published_time(account, now->deadline),
        .accepted = account->accepted,
        .refused = account->refused,
        .cut = account->cut,
        .gave_up = account->gave_up,
        .guest = guest,
    };
    return status;
}
