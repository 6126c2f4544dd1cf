/* How many sessions a server has that accepts at the public sockets by itself: the kernel's count
 * of the established connections there that somebody has accepted.
 */
#pragma once

#include "common/diag.h"

typedef struct Census Census;

Census *census_new(void);
void census_free(Census *census);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Census, census_free)

/* At the listening SOCKETS (array of int). Asked often it answers what it knows: counting must
 * never take more than a hundredth of the time, however many there are. */
guint census_count(Census *census, const GArray *sockets);

/* Each connection at the listening SOCKET, accepted or not. */
gboolean census_ask(int socket, DiagFound found, gpointer data, GError **error);
