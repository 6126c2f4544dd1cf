/* What a server's port is like, in one line for people: systemctl shows it as the unit's status.
 *
 * Only words; called by the gate.
 */
#pragma once

#include "port/keeper.h"

typedef struct {
    const KeeperStatus *status;
    gboolean inherited;  /* the server accepts by itself */
    gboolean shut;       /* and the door before it is closed */
    gboolean overdue;    /* refused because a deadline passed, not by order */
    const char *problem; /* why the backend does not answer; NULL: it does */
} Notice;

char *notice_text(const Notice *notice); /* g_free() */
