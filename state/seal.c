#include "state/seal.h"
#include "common/error.h"
#include "common/file.h"

#include <string.h>

#define SEAL_PREFIX "#sum="

char *seal_sum(const char *text, gsize length)
{
    g_autofree char *whole =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text, length);

    return g_strndup(whole, SEAL_LENGTH);
}

char *sealed_text(GKeyFile *keys)
{
    gsize length;
    g_autofree char *body = g_key_file_to_data(keys, &length, NULL);
    g_autofree char *sum = seal_sum(body, length);

    return g_strconcat(SEAL_PREFIX, sum, "\n", body, NULL);
}

gboolean sealed_damaged(GError **error, const char *path, const char *what, const char *remedy)
{
    g_set_error(error, TU_ERROR, TU_ERROR_RECORD_DAMAGED, "%s is damaged: %s. %s", path, what,
                remedy);
    return FALSE;
}

GKeyFile *sealed_read(const char *path, gsize limit, const char *remedy, gboolean *ret_missing,
                      GError **error)
{
    g_autofree char *text = file_read(path, limit, ret_missing, error);
    g_autoptr(GKeyFile) keys = g_key_file_new();
    g_autofree char *sum = NULL;
    const gsize prefix = strlen(SEAL_PREFIX);
    const char *body;

    if (!text)
        return NULL;
    body = strchr(text, '\n');
    if (!g_str_has_prefix(text, SEAL_PREFIX) || !body ||
        (gsize)(body - text) != prefix + SEAL_LENGTH) {
        sealed_damaged(error, path, "its first line is no checksum", remedy);
        return NULL;
    }
    body++;
    sum = seal_sum(body, strlen(body));
    if (strncmp(text + prefix, sum, SEAL_LENGTH) != 0) {
        sealed_damaged(error, path, "its checksum does not fit", remedy);
        return NULL;
    }
    if (!g_key_file_load_from_data(keys, body, strlen(body), G_KEY_FILE_NONE, NULL)) {
        sealed_damaged(error, path, "it is no key file", remedy);
        return NULL;
    }
    return g_steal_pointer(&keys);
}

void sealed_set(GKeyFile *keys, const char *group, const char *key, const char *value)
{
    g_autofree char *valid = g_utf8_make_valid(value ? value : "", -1);

    g_key_file_set_string(keys, group, key, valid);
}

char *sealed_get(GKeyFile *keys, const char *group, const char *key)
{
    g_autofree char *value = g_key_file_get_string(keys, group, key, NULL);

    return value && value[0] ? g_steal_pointer(&value) : NULL;
}
