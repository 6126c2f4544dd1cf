/* What the directory of an instance tells without running anything of it.
 *
 * For the generator, which is full root and runs before file systems are mounted and before any
 * directory service can be asked: it reads files of a bounded size, believes none of them in what
 * user to be, and looks up no name anywhere but in /etc/passwd. Everybody else asks instance-helper
 * (timesten/facts.h), which knows more.
 */
#pragma once

#include "state/inventory.h"
#include "timesten/release.h"

typedef struct {
    Release release;     /* Release=; otherwise one that stands for the layout */
    char *daemon_home;   /* where timestend.pid lies */
    char *user;          /* name or number of the instance administrator */
    guint16 server_port; /* as the option file has it; 0 none */
} Layout;

/* ROOT is put in front of every path that is looked at, "" for none; it is not in what comes back.
 * Errors: INVALID_CONFIGURATION with the remedy; *ret_absent tells a home that is not there (yet).
 */
Layout *layout_read(const InstanceConfig *instance, const char *root, gboolean *ret_absent,
                    GError **error);
void layout_free(Layout *layout);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Layout, layout_free)
