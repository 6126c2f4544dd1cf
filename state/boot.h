/* Which boot of the machine this is. */
#pragma once

#include <glib.h>

/* A word that is the same for every worker of one boot and another one after the next; g_free().
 *
 * Kept in /run, which a boot empties: the kernel's boot_id would not do, because in a container the
 * /proc of a confined service shows that of the host, which does not change when the container
 * boots. */
char *boot_identity(GError **error);

/* The same where somebody has asked for it in this boot already, else NULL; writes nothing. */
char *boot_recall(void);
