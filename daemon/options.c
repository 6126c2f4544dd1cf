#include "daemon/options.h"
#include "daemon/checks.h"
#include "common/error.h"
#include "common/text.h"
#include "state/inventory.h"

#define DAY_USEC           (24 * 3600 * USEC_PER_SEC)
#define CONFIRM_LIMIT_USEC (366 * DAY_USEC)

typedef struct {
    const char *key;
    guint uses;               /* OptionUse */
    const char *type;         /* "s", "t", "u", "b" or "as" */
    guint64 min, max;         /* of a number */
    const char *range;        /* the same in words, for messages */
    const char *const *words; /* of a text */
    gboolean checks;          /* ids of checks */
    ChecksUse wanted;         /* for what */
} OptionRow;

#define CHANGES (OPTIONS_UPGRADE | OPTIONS_ROLLBACK)
#define HOLDS   (CHANGES | OPTIONS_CONFIRM)

static const char *const kinds[] = { "upgrade", "rollback", "clean", "confirm", NULL };
/* The methods that are there; the others of the design are refused like any word that is none. */
static const char *const methods[] = { "auto", "offline", "online", "in-place", NULL };

static const OptionRow rows[] = {
    { "kind", OPTIONS_QUESTION, "s", .words = kinds },
    { "method", OPTIONS_UPGRADE, "s", .words = methods },
    { "hold-limit-usec", HOLDS, "t", USEC_PER_SEC, DAY_USEC, "1 s to 1 day, in µs" },
    { "outage-limit-usec", CHANGES, "t", USEC_PER_SEC, G_MAXUINT64, "at least 1 s, in µs" },
    { "drain-usec", HOLDS, "t", 0, DAY_USEC, "at most 1 day, in µs" },
    { "peer", OPTIONS_UPGRADE, "s" },
    { "only", OPTIONS_CHECK, "as", .checks = TRUE, .wanted = CHECKS_RUN },
    { "only", OPTIONS_REPAIR, "as", .checks = TRUE, .wanted = CHECKS_REPAIR },
    { "dry-run", OPTIONS_REPAIR, "b" },
    { "skip", CHANGES, "as", .checks = TRUE, .wanted = CHECKS_SKIP },
    { "parallel", OPTIONS_UPGRADE, "u", 1, 256, "1 to 256" },
    { "confirm-within", OPTIONS_UPGRADE, "t", USEC_PER_SEC, CONFIRM_LIMIT_USEC,
      "1 s to 366 days, in µs" },
    { "allow-data-loss", OPTIONS_ROLLBACK, "b" },
    { "backwards-compat-off", OPTIONS_CONFIRM, "b" },
    { "databases", OPTIONS_CLEAN | OPTIONS_ADOPT, "as" },
    { "listen", OPTIONS_ADOPT, "s" },
    { "mode", OPTIONS_ADOPT, "s", .words = port_mode_nicks },
    { "exports", OPTIONS_CLEAN, "b" },
    { "job", OPTIONS_CLEAN, "t", 1, G_MAXUINT64, "the number of a job" },
};

static const OptionRow *find(guint uses, const char *key)
{
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        if ((rows[i].uses & uses) && g_str_equal(rows[i].key, key))
            return &rows[i];
    return NULL;
}

static gboolean unknown(guint uses, const char *key, GError **error)
{
    g_autofree char *shown = text_one_line(key, 64);
    g_autoptr(GString) keys = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        if (rows[i].uses & uses)
            g_string_append_printf(keys, "%s%s", keys->len ? ", " : "", rows[i].key);
    return tu_error_set(error, TU_ERROR_INVALID_OPTION, "Unknown option \"%s\". Known options: %s",
                        shown, keys->len ? keys->str : "none");
}

static gboolean check_value(const OptionRow *row, GVariant *value, GError **error)
{
    guint64 number;

    if (!g_str_equal(g_variant_get_type_string(value), row->type))
        return tu_error_set(error, TU_ERROR_INVALID_OPTION,
                            "Option %s has type \"%s\", but must have type \"%s\"", row->key,
                            g_variant_get_type_string(value), row->type);
    if (row->words) {
        g_autofree char *shown = text_one_line(g_variant_get_string(value, NULL), 64);
        g_autofree char *list = g_strjoinv(", ", (char **)row->words);

        return g_strv_contains(row->words, g_variant_get_string(value, NULL)) ||
               tu_error_set(error, TU_ERROR_INVALID_OPTION,
                            "Option %s is \"%s\", but must be one of: %s", row->key, shown, list);
    }
    if (row->checks)
        return checks_named(row->key, value, row->wanted, error);
    if (!row->range)
        return TRUE;
    number = row->type[0] == 'u' ? g_variant_get_uint32(value) : g_variant_get_uint64(value);
    return (number >= row->min && number <= row->max) ||
           tu_error_set(error, TU_ERROR_INVALID_OPTION,
                        "Option %s is %" G_GUINT64_FORMAT ", but must be %s", row->key, number,
                        row->range);
}

static int by_key(gconstpointer a, gconstpointer b)
{
    g_autoptr(GVariant) left = g_variant_get_child_value(*(GVariant *const *)a, 0);
    g_autoptr(GVariant) right = g_variant_get_child_value(*(GVariant *const *)b, 0);

    return strcmp(g_variant_get_string(left, NULL), g_variant_get_string(right, NULL));
}

static void keep(Call *call, GPtrArray *entries)
{
    g_ptr_array_sort(entries, by_key);
    g_clear_pointer(&call->options, g_variant_unref);
    call->options = g_variant_ref_sink(g_variant_new_array(
        G_VARIANT_TYPE("{sv}"), (GVariant *const *)entries->pdata, entries->len));
}

void options_add(Call *call, const char *key, GVariant *value)
{
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_unref);

    for (gsize i = 0; i < g_variant_n_children(call->options); i++)
        g_ptr_array_add(entries, g_variant_get_child_value(call->options, i));
    g_ptr_array_add(entries, g_variant_ref_sink(g_variant_new("{sv}", key, value)));
    keep(call, entries);
}

gboolean options_take(Call *call, GVariant *options, guint uses, GError **error)
{
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_unref);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (gsize i = 0; i < g_variant_n_children(options); i++) {
        g_autoptr(GVariant) value = NULL;
        const OptionRow *row;
        const char *key;

        g_ptr_array_add(entries, g_variant_get_child_value(options, i));
        g_variant_get_child(options, i, "{&sv}", &key, &value);
        row = find(uses, key);
        if (!row)
            return unknown(uses, key, error);
        if (!g_hash_table_add(seen, (gpointer)row->key))
            return tu_error_set(error, TU_ERROR_INVALID_OPTION,
                                "Option %s is given twice. Leave one out", row->key);
        if (!check_value(row, value, error))
            return FALSE;
    }
    keep(call, entries);
    return TRUE;
}

gboolean options_has(GVariant *options, const char *key)
{
    g_autoptr(GVariant) value = g_variant_lookup_value(options, key, NULL);

    return value != NULL;
}

const char *options_word(GVariant *options, const char *key)
{
    const char *text = NULL;

    g_variant_lookup(options, key, "&s", &text);
    return text;
}

/* The options without the method, each as one text; options_take() sorted them. */
static char **words_of(GVariant *options)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();

    for (gsize i = 0; i < g_variant_n_children(options); i++) {
        g_autoptr(GVariant) entry = g_variant_get_child_value(options, i);
        g_autoptr(GVariant) key = g_variant_get_child_value(entry, 0);

        if (!g_str_equal(g_variant_get_string(key, NULL), "method"))
            g_ptr_array_add(words, g_variant_print(entry, TRUE));
    }
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

gboolean options_same(GVariant *a, GVariant *b)
{
    g_auto(GStrv) left = words_of(a);
    g_auto(GStrv) right = words_of(b);

    return g_strv_equal((const char *const *)left, (const char *const *)right);
}
