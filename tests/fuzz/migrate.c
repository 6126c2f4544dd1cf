#include "fuzz.h"
#include "timesten/migrate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size), *half = fuzz_text(data, size / 2);
    g_autoptr(GPtrArray) whole = migrate_parse(text);
    g_autoptr(GPtrArray) begun = migrate_parse(half);
    g_autofree char *difference = NULL, *none = NULL;

    /* More output never takes a table away. */
    g_assert_cmpuint(begun->len, <=, whole->len);
    g_assert_cmpint(migrate_compare(begun, whole, &difference), ==, difference == NULL);
    if (migrate_compare(whole, whole, &none))
        for (guint i = 0; i < whole->len; i++)
            g_assert_cmpstr(((const MigrateTable *)whole->pdata[i])->name, !=, "");
    g_assert_true(!none || g_utf8_validate(none, -1, NULL));
    return 0;
}
