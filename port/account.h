/* What a keeper tells of its port: the counters, which go on where those of a killed one stopped,
 * and the times of a hold as the world's clock has them.
 *
 * Only words and numbers; called by the gate.
 */
#pragma once

#include "port/keeper.h"
#include "port/listener.h"
#include "port/saved.h"
#include "port/turn.h"

typedef struct {
    guint64 accepted, refused, cut, gave_up; /* since the keeper's first start */
    guint64 clock_offset;                    /* CLOCK_REALTIME - CLOCK_BOOTTIME, as published */
} Account;

/* Takes the counters of the last line that a killed keeper of SERVER published; its sessions were
 * cut by its death, unless INHERITED: then they are the server's, and noticed nothing. */
void account_recover(Account *account, const char *server, gboolean inherited);

void account_add(Account *account, const TurnCounts *counts);

KeeperStatus *account_status(Account *account, const Saved *now, const Listeners *listeners,
                             guint sessions, guint guest);
