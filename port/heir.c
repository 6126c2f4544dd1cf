#include "port/heir.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"

#include <pwd.h>
#include <string.h>

gboolean heir_is(const char *backend)
{
    return backend && strchr(backend, '@');
}

gboolean heir_check(const char *backend, GError **error)
{
    const char *at = strchr(backend, '@');
    g_autofree char *name = g_strndup(backend, at - backend);
    g_autofree char *shown = NULL;

    if (name_is_valid(name) && at[1] && strlen(at + 1) <= 32 &&
        strspn(at + 1, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_.-") == strlen(at + 1))
        return TRUE;
    shown = text_one_line(backend, 80);
    g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                "\"%s\" is not who may take the socket. Write INSTANCE@USER", shown);
    return FALSE;
}

gboolean heir_is_user(const char *backend, uid_t user)
{
    const char *wanted = heir_is(backend) ? strchr(backend, '@') + 1 : NULL;
    const struct passwd *entry;
    guint64 number;

    if (!wanted)
        return FALSE;
    if (text_parse_uint64(wanted, 0, G_MAXUINT32 - 1, &number))
        return number == user;
    entry = getpwnam(wanted);
    return entry && entry->pw_uid == user;
}

gboolean heir_may_take(const char *backend, uid_t user, const char *name, GError **error)
{
    const gsize length = heir_is(backend) ? (gsize)(strchr(backend, '@') - backend) : 0;
    g_autofree char *shown = text_one_line(name ? name : "", 64);

    if (length == 0)
        g_set_error_literal(error, TU_ERROR, TU_ERROR_NOT_POSSIBLE,
                            "This keeper relays and does not hand its socket over. Use "
                            "Mode=inherit");
    else if (user != 0 && !heir_is_user(backend, user))
        g_set_error(error, TU_ERROR, TU_ERROR_NOT_AUTHORIZED,
                    "The socket is for %s, not for user %u", backend, (guint)user);
    else if (*shown && (strlen(shown) != length || strncmp(backend, shown, length) != 0))
        g_set_error(error, TU_ERROR, TU_ERROR_NOT_POSSIBLE,
                    "The socket is for %s, not for instance %s. Whoever backs the server has it",
                    backend, shown);
    else
        return TRUE;
    return FALSE;
}
