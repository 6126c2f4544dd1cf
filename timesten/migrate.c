/* Follows ttMigrate's output: which table, how many of its rows, whether done. Words are matched in
 * any case and only as far as they must be. May be given the output of a utility that still runs.
 * Called by the worker for progress and by its step verify.
 */
#include "timesten/migrate.h"
#include "timesten/belief.h"

#include <string.h>

static const BeliefId verbs[] = { BELIEF_MIGRATE_SAVING, BELIEF_MIGRATE_RESTORING };

/* Objects that carry rows, or hold tables that do. PREFIX keeps a cache group and a table of one
 * name apart. */
static const struct {
    const char *word;   /* in "Saving WORD NAME", and at the begin of its last line */
    BeliefId or_word;   /* where that is not sure */
    const char *prefix; /* of the name in the result */
} objects[] = {
    { "table ", N_BELIEFS, "" },
    { NULL, BELIEF_MIGRATE_CACHED_TABLE, "" },
    { "cache group ", N_BELIEFS, "cache group " },
};

typedef struct {
    MigrateTable table; /* first: what the caller sees */
    guint object;       /* row of objects[] */
} Entry;

static void entry_free(Entry *entry)
{
    g_free(entry->table.name);
    g_free(entry);
}

static const char *after(const char *line, const char *lower_prefix)
{
    gsize length = strlen(lower_prefix);

    return g_ascii_strncasecmp(line, lower_prefix, length) == 0 ? line + length : NULL;
}

static const char *after_object(const char *line, guint object)
{
    return objects[object].word ? after(line, objects[object].word)
                                : belief_behind(objects[object].or_word, line);
}

/* "Saving table A.B": a new entry. TRUE where the line begins any object, with rows or without. */
static gboolean take_begin(GPtrArray *tables, const char *line, MigrateTable **current)
{
    const char *rest = NULL;
    Entry *entry;

    for (guint v = 0; v < G_N_ELEMENTS(verbs) && !rest; v++)
        rest = belief_behind(verbs[v], line);
    if (!rest || after(rest, "rows"))
        return FALSE;
    *current = NULL; /* a view or a sequence; what follows is not the last table's */
    for (guint o = 0; o < G_N_ELEMENTS(objects); o++) {
        const char *name = after_object(rest, o);

        if (!name || !name[0])
            continue;
        entry = g_new0(Entry, 1);
        entry->table.name = g_strconcat(objects[o].prefix, name, NULL);
        entry->object = o;
        *current = &entry->table;
        g_ptr_array_add(tables, entry);
        break;
    }
    return TRUE;
}

/* "2/2 rows saved." */
static gboolean take_rows(const char *line, MigrateTable *current)
{
    char *end = NULL;
    guint64 rows, expected;

    if (!g_ascii_isdigit(line[0]))
        return FALSE;
    rows = g_ascii_strtoull(line, &end, 10);
    if (*end != '/' || !g_ascii_isdigit(end[1]))
        return FALSE;
    expected = g_ascii_strtoull(end + 1, &end, 10);
    if (!after(end + strspn(end, " "), "row"))
        return FALSE;
    if (current) {
        current->rows = rows;
        current->expected = expected;
    }
    return TRUE;
}

/* "Table successfully saved.": ends the latest object of its kind. */
static void take_end(GPtrArray *tables, const char *line)
{
    for (guint o = 0; o < G_N_ELEMENTS(objects); o++) {
        const char *rest = after_object(line, o);

        if (!rest || !belief_behind(BELIEF_MIGRATE_FINISHED, rest))
            continue;
        for (guint i = tables->len; i-- > 0;) {
            Entry *entry = tables->pdata[i];

            if (entry->object == o) {
                entry->table.finished = TRUE;
                return;
            }
        }
    }
}

GPtrArray *migrate_parse(const char *output)
{
    GPtrArray *tables = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
    MigrateTable *current = NULL;
    g_autofree char *valid = g_utf8_make_valid(output, -1);
    char *line = valid;
    char *end;

    /* What stands after the last line end is not whole yet. */
    while ((end = strpbrk(line, "\r\n"))) {
        *end = '\0';
        g_strstrip(line);
        if (line[0] && !take_begin(tables, line, &current) && !take_rows(line, current))
            take_end(tables, line);
        line = end + 1;
    }
    return tables;
}

static gboolean table_differs(const MigrateTable *saved, const MigrateTable *restored,
                              char **ret_difference)
{
    const char *name = saved ? saved->name : restored->name;

    if (!saved)
        *ret_difference = g_strdup_printf("%s was restored but never saved", name);
    else if (!restored)
        *ret_difference = g_strdup_printf("%s was saved but not restored", name);
    else if (!saved->finished || saved->rows != saved->expected)
        *ret_difference = g_strdup_printf(
            "%s: only %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " rows were saved%s", name,
            saved->rows, saved->expected, saved->finished ? "" : ", and its end was not reported");
    else if (!restored->finished || restored->rows != restored->expected ||
             restored->rows != saved->rows)
        *ret_difference =
            g_strdup_printf("%s: %" G_GUINT64_FORMAT " rows were saved, %" G_GUINT64_FORMAT
                            " of %" G_GUINT64_FORMAT " restored%s",
                            name, saved->rows, restored->rows, restored->expected,
                            restored->finished ? "" : ", and its end was not reported");
    else
        return FALSE;
    return TRUE;
}

static GHashTable *by_name(const GPtrArray *tables)
{
    GHashTable *found = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < tables->len; i++) {
        MigrateTable *table = tables->pdata[i];

        g_hash_table_insert(found, table->name, table);
    }
    return found;
}

gboolean migrate_compare(const GPtrArray *saved, const GPtrArray *restored, char **ret_difference)
{
    g_autoptr(GHashTable) old = by_name(saved);
    g_autoptr(GHashTable) new = by_name(restored);

    for (guint i = 0; i < saved->len; i++) {
        const MigrateTable *table = saved->pdata[i];

        if (table_differs(table, g_hash_table_lookup(new, table->name), ret_difference))
            return FALSE;
    }
    for (guint i = 0; i < restored->len; i++) {
        const MigrateTable *table = restored->pdata[i];

        if (table_differs(g_hash_table_lookup(old, table->name), table, ret_difference))
            return FALSE;
    }
    return TRUE;
}
