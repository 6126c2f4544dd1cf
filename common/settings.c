#include "common/settings.h"
#include "common/error.h"
#include "common/file.h"

#define SETTINGS_LIMIT (1024 * 1024) /* bytes; a hand-written file is a thousand times smaller */

typedef struct {
    char *value;
    guint line;
} Entry;

struct Settings {
    char *path;
    GHashTable *entries; /* "Section\nKey" → Entry */
};

static void entry_free(Entry *entry)
{
    g_free(entry->value);
    g_free(entry);
}

static char *entry_name(const char *section, const char *key)
{
    return g_strconcat(section, "\n", key, NULL);
}

static gboolean G_GNUC_PRINTF(4, 5)
    wrong_line(GError **error, const char *path, guint line, const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION, "%s:%u: %s", path, line, message);
    return FALSE;
}

static gboolean is_known(const SettingsKey *known, const char *section, const char *key)
{
    for (; known->section; known++)
        if (g_str_equal(known->section, section) && (!key || g_str_equal(known->key, key)))
            return TRUE;
    return FALSE;
}

static char *known_keys(const SettingsKey *known, const char *section)
{
    GString *list = g_string_new(NULL);

    for (; known->section; known++)
        if (!section || g_str_equal(known->section, section))
            g_string_append_printf(list, "%s%s=", list->len ? ", " : "", known->key);
    return g_string_free(list, FALSE);
}

/* One "Key=Value" line in the current section. */
static gboolean take_assignment(Settings *settings, const SettingsKey *known, const char *section,
                                char *text, guint line, GError **error)
{
    char *equals = strchr(text, '=');
    const char *key, *value;
    char *name;
    Entry *entry;

    if (!equals)
        return wrong_line(error, settings->path, line, "\"%s\" is not Key=Value. Add the '='",
                          text);
    *equals = '\0';
    key = g_strchomp(text);
    value = g_strstrip(equals + 1);
    if (!section)
        return wrong_line(error, settings->path, line,
                          "%s= stands before any [Section]. Put it below [%s]", key,
                          known->section);
    if (!is_known(known, section, key)) {
        g_autofree char *list = known_keys(known, section);

        return wrong_line(error, settings->path, line, "unknown key %s= in [%s]. Known keys: %s",
                          key, section, list);
    }
    name = entry_name(section, key);
    if ((entry = g_hash_table_lookup(settings->entries, name))) {
        g_free(name);
        return wrong_line(error, settings->path, line,
                          "%s= is set a second time, first in line %u. "
                          "Remove one of the two",
                          key, entry->line);
    }
    entry = g_new(Entry, 1);
    *entry = (Entry){ .value = g_strdup(value), .line = line };
    g_hash_table_insert(settings->entries, name, entry);
    return TRUE;
}

Settings *settings_parse(const char *text, const char *path, const SettingsKey *known,
                         GError **error)
{
    g_autoptr(Settings) settings = g_new0(Settings, 1);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autofree char *section = NULL;

    settings->path = g_strdup(path);
    settings->entries =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)entry_free);
    if (!g_utf8_validate(text, -1, NULL)) {
        wrong_line(error, path, 1, "the file is not UTF-8 text. Save it as UTF-8");
        return NULL;
    }
    for (guint i = 0; lines[i]; i++) {
        char *line = g_strstrip(lines[i]);
        gsize length = strlen(line);

        if (length == 0 || line[0] == '#' || line[0] == ';')
            continue;
        if (line[0] == '[' && line[length - 1] == ']') {
            g_free(section);
            section = g_strndup(line + 1, length - 2);
            if (is_known(known, section, NULL))
                continue;
            wrong_line(error, path, i + 1, "unknown section [%s]. Known: [%s]", section,
                       known->section);
            return NULL;
        }
        if (!take_assignment(settings, known, section, line, i + 1, error))
            return NULL;
    }
    return g_steal_pointer(&settings);
}

Settings *settings_load(const char *path, const SettingsKey *known, GError **error)
{
    g_autofree char *text = file_read(path, SETTINGS_LIMIT, NULL, error);

    return text ? settings_parse(text, path, known, error) : NULL;
}

void settings_free(Settings *settings)
{
    if (!settings)
        return;
    g_free(settings->path);
    g_clear_pointer(&settings->entries, g_hash_table_unref);
    g_free(settings);
}

static const Entry *find(const Settings *settings, const char *section, const char *key)
{
    g_autofree char *name = entry_name(section, key);

    return g_hash_table_lookup(settings->entries, name);
}

const char *settings_get(const Settings *settings, const char *section, const char *key)
{
    const Entry *entry = find(settings, section, key);

    return entry && entry->value[0] ? entry->value : NULL;
}

guint settings_line(const Settings *settings, const char *section, const char *key)
{
    const Entry *entry = find(settings, section, key);

    return entry ? entry->line : 0;
}

gboolean settings_complain(const Settings *settings, const char *section, const char *key,
                           GError **error, const char *format, ...)
{
    const Entry *entry = find(settings, section, key);
    g_autofree char *message = NULL;
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    return wrong_line(error, settings->path, entry ? entry->line : 1, "%s", message);
}
