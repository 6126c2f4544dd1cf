#include "fuzz.h"
#include "timesten/odbc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);
    g_autoptr(GPtrArray) dsns = odbc_parse(text);

    for (guint i = 0; i < dsns->len; i++) {
        const Dsn *dsn = dsns->pdata[i];

        g_assert_cmpstr(dsn->name, !=, "");
        g_assert_cmpuint(dsn->line, >, 0);
        g_assert_nonnull(odbc_find(dsns, dsn->name));
        g_assert_cmpuint(g_hash_table_size(dsn->attributes), >, 0);
    }
    return 0;
}
