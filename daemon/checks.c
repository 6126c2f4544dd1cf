#include "daemon/checks.h"
#include "common/error.h"
#include "common/text.h"

void checks_list(Call *call)
{
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(ssasasssssss)"));

    for (const CheckRow *row = check_rows; row->id; row++) {
        g_auto(GStrv) kinds = g_strsplit(row->kinds, ",", -1);
        const char *methods[] = { *row->method ? row->method : NULL, NULL };

        g_variant_builder_add(&list, "(ss^as^asssssss)", row->id, row->severity, kinds, methods,
                              row->about, row->fine, row->source, row->remedy, row->kept,
                              row->repair);
    }
    call_reply(call, g_variant_new("(a(ssasasssssss))", &list));
}

/* Where two kinds of job have a check of one name, the stricter word counts. */
static gboolean find(const char *id, const char **ret_kept, const char **ret_repair)
{
    gboolean found = FALSE;

    *ret_kept = *ret_repair = "";
    for (const CheckRow *row = check_rows; row->id; row++)
        if (g_str_equal(row->id, id)) {
            gboolean skips = strstr(row->kinds, "upgrade") || strstr(row->kinds, "rollback");

            found = TRUE;
            if (skips && *row->kept)
                *ret_kept = row->kept;
            if (*row->repair)
                *ret_repair = row->repair;
        }
    return found;
}

static gboolean check_use(const char *key, const char *id, ChecksUse use, GError **error)
{
    g_autofree char *shown = text_one_line(id, 64);
    const char *kept, *repair;

    if (!find(id, &kept, &repair))
        return tu_error_set(error, TU_ERROR_INVALID_OPTION,
                            "Option %s names \"%s\", which is no check. ttctl check --list shows the "
                            "ids",
                            key, shown);
    if (use == CHECKS_SKIP && *kept)
        return tu_error_set(error, TU_ERROR_INVALID_OPTION,
                            "Check %s cannot be skipped: %s. Mend what it finds", shown, kept);
    if (use == CHECKS_REPAIR && !*repair)
        return tu_error_set(error, TU_ERROR_INVALID_OPTION,
                            "Check %s has no repair that is safe. Do what its remedy says", shown);
    return TRUE;
}

gboolean checks_named(const char *key, GVariant *ids, ChecksUse use, GError **error)
{
    g_autofree const char **words = g_variant_get_strv(ids, NULL);

    for (guint i = 0; words[i]; i++)
        if (!check_use(key, words[i], use, error))
            return FALSE;
    return words[0] || tu_error_set(error, TU_ERROR_INVALID_OPTION,
                                    "Option %s names no check. Leave it out, or name some", key);
}
