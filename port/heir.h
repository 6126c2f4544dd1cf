/* Who may have the public sockets in inherit mode: a backend that is written as INSTANCE@USER.
 *
 * The instance's server takes the socket by way of the preload library and accepts by itself. The
 * user decides; the name only keeps an older instance of the same user from coming back.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Whether a backend is of this form, and not an address. */
gboolean heir_is(const char *backend);
/* Error: INVALID_OPTION. The user, a name or a number, need not exist yet. */
gboolean heir_check(const char *backend, GError **error);
/* Whether USER, calling itself NAME ("" or NULL: nothing), is BACKEND. Error: NOT_AUTHORIZED,
 * NOT_POSSIBLE. */
gboolean heir_may_take(const char *backend, uid_t user, const char *name, GError **error);
/* Whether a user may ask at all. */
gboolean heir_is_user(const char *backend, uid_t user);
