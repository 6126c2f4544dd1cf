/* Configuration files in systemd's dialect: [Section], Key=Value, comments with # or ;.
 *
 * GKeyFile reads the same dialect but forgets where a line stood; an administrator needs file, line
 * and remedy, so every value here remembers its line. Unknown sections and keys are errors, as are
 * doubled keys: a typing mistake must not pass as a default.
 */
#pragma once

#include <glib.h>

typedef struct Settings Settings;

/* The keys a file may have. SECTION NULL ends the table. */
typedef struct {
    const char *section;
    const char *key;
} SettingsKey;

/* Parses text; PATH is used in messages only. Errors are TU_ERROR_INVALID_CONFIGURATION and begin with
 * "PATH:LINE: ". */
Settings *settings_parse(const char *text, const char *path, const SettingsKey *known,
                         GError **error);
Settings *settings_load(const char *path, const SettingsKey *known, GError **error);
void settings_free(Settings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Settings, settings_free)

/* The value, or NULL where the key is absent or empty. Owned by SETTINGS. */
const char *settings_get(const Settings *settings, const char *section, const char *key);

/* The line of a key, also of one without a value; 0 where it is absent. */
guint settings_line(const Settings *settings, const char *section, const char *key);

/* Sets "PATH:LINE: MESSAGE" for the line of a key (or of the file's first line where the key is
 * absent). Always returns FALSE. */
gboolean settings_complain(const Settings *settings, const char *section, const char *key,
                           GError **error, const char *format, ...) G_GNUC_PRINTF(5, 6);
