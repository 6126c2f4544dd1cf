/* What ttAdmin -query, ttRepAdmin -receiver -list and ttIsql printed (facts 3.6 to 3.8). */
#pragma once

#include <glib.h>

typedef struct {
    char *ram_policy;           /* inUse, manual, always, enduring */
    guint ram_grace;            /* seconds, of inUse */
    gboolean manually_loaded;
    char *replication_policy;
    gboolean replication_started;
    gboolean cache_started;
    gboolean closed;            /* Database State : Closed */
} AdminState;

/* Never NULL: what no line tells is NULL or FALSE. */
AdminState *admin_parse(const char *output);
void admin_free(AdminState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AdminState, admin_free)

/* Number of replication peers in the table of ttRepAdmin -receiver -list. */
guint replication_peers(const char *output);

/* ttIsql: the first error line ("  NNN: text") or NULL; its exit status tells nothing. g_free(). */
char *isql_first_error(const char *output);

/* ttIsql: the rows "< a, b >", each as one string "a, b" without the brackets. g_strfreev(). */
char **isql_rows(const char *output);
