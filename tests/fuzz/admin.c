#include "fuzz.h"
#include "timesten/admin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);
    g_autoptr(AdminState) state = admin_parse(text);
    g_autofree char *error = isql_first_error(text);
    g_auto(GStrv) rows = isql_rows(text);

    g_assert_nonnull(state);
    g_assert_cmpuint(replication_peers(text), <=, size);
    g_assert_true(!error || (g_utf8_validate(error, -1, NULL) && g_ascii_isdigit(error[0]) &&
                             !strchr(error, '\n')));
    for (guint i = 0; rows[i]; i++)
        g_assert_true(g_utf8_validate(rows[i], -1, NULL));
    return 0;
}
