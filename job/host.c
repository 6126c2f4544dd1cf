#include "job/host.h"
#include "common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LIMIT 65536

const char *host_root = "";

char *host_text(const char *path)
{
    g_autofree char *full = g_strconcat(host_root, path, NULL);
    g_autofree char *text = g_malloc(FILE_LIMIT + 1);
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat info;
    gsize length = 0;
    gssize n = -1;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        while (length <= FILE_LIMIT && (n = read(fd, text + length, FILE_LIMIT + 1 - length)) > 0)
            length += (gsize)n;
    close(fd);
    if (n != 0)
        return NULL;
    text[length] = '\0';
    return g_steal_pointer(&text);
}

gboolean host_number(const char *path, guint64 *ret)
{
    g_autofree char *text = host_text(path);

    return text && text_parse_uint64(g_strstrip(text), 0, G_MAXUINT64, ret);
}

gboolean host_memory(const char *key, guint64 *ret)
{
    g_autofree char *text = host_text("/proc/meminfo");
    g_auto(GStrv) lines = text ? g_strsplit(text, "\n", -1) : NULL;
    const gsize length = strlen(key);

    for (guint i = 0; lines && lines[i]; i++)
        if (g_str_has_prefix(lines[i], key) && lines[i][length] == ':') {
            char *end;

            *ret = g_ascii_strtoull(lines[i] + length + 1, &end, 10);
            *ret *= g_str_has_suffix(end, "kB") ? 1024 : 1;
            return TRUE;
        }
    return FALSE;
}

/* --- files in systemd's way --------------------------------------------------------------------
 */

static void read_setting(const char *path, const char *section, const char *key, char **ret)
{
    g_autofree char *text = host_text(path);
    g_auto(GStrv) lines = text ? g_strsplit(text, "\n", -1) : NULL;
    g_autofree char *head = g_strdup_printf("[%s]", section);
    gboolean inside = FALSE;

    for (guint i = 0; lines && lines[i]; i++) {
        char *line = g_strstrip(lines[i]), *value = strchr(line, '=');

        if (line[0] == '[')
            inside = g_str_equal(line, head);
        if (!inside || line[0] == '#' || line[0] == ';' || !value)
            continue;
        *value = '\0';
        if (!g_str_equal(g_strchomp(line), key))
            continue;
        g_free(*ret);
        *ret = g_strdup(g_strstrip(value + 1));
    }
}

char *host_setting(const char *name, const char *section, const char *key)
{
    const char *const folders[] = { "/usr/lib/systemd", "/run/systemd", "/etc/systemd" };
    g_autoptr(GHashTable) paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GList) names = NULL;
    char *value = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(folders); i++) {
        g_autofree char *file = g_strdup_printf("%s/%s", folders[i], name);
        g_autofree char *folder = g_strdup_printf("%s/%s.d", folders[i], name);
        g_autofree char *full = g_strconcat(host_root, folder, NULL);
        g_autoptr(GDir) directory = g_dir_open(full, 0, NULL);
        const char *one;

        read_setting(file, section, key, &value);
        while (directory && (one = g_dir_read_name(directory)))
            if (g_str_has_suffix(one, ".conf")) /* of one name the later folder's counts */
                g_hash_table_replace(paths, g_strdup(one), g_strdup_printf("%s/%s", folder, one));
    }
    names = g_list_sort(g_hash_table_get_keys(paths), (GCompareFunc)strcmp);
    for (GList *at = names; at; at = at->next)
        read_setting(g_hash_table_lookup(paths, at->data), section, key, &value);
    return value;
}
