/* Reads sys.odbc.ini as the driver manager does: the first of two equal names wins, what is not
 * understood is passed over. Text in, text out: opens no file and never writes one. Called by
 * facts_probe(), the checks, and instance-helper for the DSN of a copy.
 */
#include "timesten/odbc.h"

#include <string.h>

/* Sections that are no data sources. */
static const char *const not_dsns[] = { "ODBC Data Sources", "ODBC" };

static void dsn_free(Dsn *dsn)
{
    g_free(dsn->name);
    g_free(dsn->data_store);
    g_free(dsn->log_directory);
    g_hash_table_unref(dsn->attributes);
    g_free(dsn);
}

static Dsn *dsn_new(const char *name, gsize length, guint line)
{
    Dsn *dsn = g_new0(Dsn, 1);

    dsn->name = g_strstrip(g_strndup(name, length));
    dsn->attributes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    dsn->line = line;
    return dsn;
}

static gboolean is_dsn(const Dsn *dsn)
{
    for (guint i = 0; i < G_N_ELEMENTS(not_dsns); i++)
        if (g_ascii_strcasecmp(dsn->name, not_dsns[i]) == 0)
            return FALSE;
    return dsn->name[0] && g_hash_table_size(dsn->attributes) > 0;
}

static char *attribute(const Dsn *dsn, const char *lower_name)
{
    const char *value = g_hash_table_lookup(dsn->attributes, lower_name);

    return value && value[0] ? g_strdup(value) : NULL;
}

/* Adds a finished section to the list, or drops it. */
static void finish(GPtrArray *dsns, Dsn *dsn)
{
    if (!dsn)
        return;
    if (!is_dsn(dsn)) {
        dsn_free(dsn);
        return;
    }
    dsn->data_store = attribute(dsn, "datastore");
    dsn->log_directory = attribute(dsn, "logdir");
    g_ptr_array_add(dsns, dsn);
}

static void take_attribute(Dsn *dsn, const char *line)
{
    const char *equals = strchr(line, '=');
    g_autofree char *name = NULL, *value = NULL;

    if (!dsn || !equals)
        return;
    name = g_strstrip(g_ascii_strdown(line, equals - line));
    value = g_strstrip(g_strdup(equals + 1));
    if (name[0] && !g_hash_table_contains(dsn->attributes, name))
        g_hash_table_insert(dsn->attributes, g_steal_pointer(&name), g_steal_pointer(&value));
}

GPtrArray *odbc_parse(const char *text)
{
    GPtrArray *dsns = g_ptr_array_new_with_free_func((GDestroyNotify)dsn_free);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    Dsn *current = NULL;

    for (guint i = 0; lines[i]; i++) {
        const char *line = g_strstrip(lines[i]);
        const char *end;

        if (line[0] == '#' || line[0] == ';')
            continue;
        if (line[0] == '[' && (end = strchr(line, ']'))) {
            finish(dsns, current);
            current = dsn_new(line + 1, end - line - 1, i + 1);
            continue;
        }
        take_attribute(current, line);
    }
    finish(dsns, current);
    return dsns;
}

const Dsn *odbc_find(const GPtrArray *dsns, const char *name)
{
    for (guint i = 0; name && i < dsns->len; i++) {
        const Dsn *dsn = dsns->pdata[i];

        if (g_ascii_strcasecmp(dsn->name, name) == 0)
            return dsn;
    }
    return NULL;
}

/* --- one DSN more or less ----------------------------------------------------------------------
 */

static gboolean begins_section(const char *line)
{
    return line[strspn(line, " \t")] == '[';
}

static gboolean begins_section_of(const char *line, const char *name)
{
    const char *start = line + strspn(line, " \t");
    const char *end = start[0] == '[' ? strchr(start, ']') : NULL;
    g_autofree char *found = end ? g_strstrip(g_strndup(start + 1, end - start - 1)) : NULL;

    return found && g_ascii_strcasecmp(found, name) == 0;
}

char *odbc_remove(const char *text, const char *name)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(GString) rest = g_string_new(NULL);
    gboolean inside = FALSE;

    for (guint i = 0; lines[i]; i++) {
        if (begins_section(lines[i]))
            inside = begins_section_of(lines[i], name);
        if (!inside)
            g_string_append_printf(rest, "%s%s", lines[i], lines[i + 1] ? "\n" : "");
    }
    return g_string_free(g_steal_pointer(&rest), FALSE);
}

static gboolean is_attribute(const char *line, const char *name)
{
    const char *start = line + strspn(line, " \t");
    gsize length = strlen(name);

    return g_ascii_strncasecmp(start, name, length) == 0 &&
           start[length + strspn(start + length, " \t")] == '=';
}

/* Logs of the copy lie beside it: in a directory that another database has, names could meet. */
char *odbc_add(const char *text, const char *name, const char *like, const char *data_store)
{
    g_autofree char *without = odbc_remove(text, name);
    g_auto(GStrv) lines = g_strsplit(without, "\n", -1);
    g_autoptr(GString) all = g_string_new(without);
    gboolean inside = FALSE, found = FALSE;

    if (all->len && all->str[all->len - 1] != '\n')
        g_string_append_c(all, '\n');
    g_string_append_printf(all, "[%s]\nDataStore=%s\n", name, data_store);
    for (guint i = 0; lines[i]; i++) {
        if (begins_section(lines[i])) { /* the first of two equal names, as the driver takes it */
            inside = !found && begins_section_of(lines[i], like);
            found |= inside;
        } else if (inside && lines[i][0] && !is_attribute(lines[i], "DataStore") &&
                   !is_attribute(lines[i], "LogDir")) {
            g_string_append_printf(all, "%s\n", lines[i]);
        }
    }
    return found ? g_string_free(g_steal_pointer(&all), FALSE) : NULL;
}
