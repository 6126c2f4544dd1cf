#include "fuzz.h"
#include "timesten/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);

    for (int exit_status = 0; exit_status < 2; exit_status++) {
        g_autoptr(TimesTenStatus) status = status_parse(text, exit_status);

        for (guint i = 0; i < status->stores->len; i++) {
            const StatusStore *store = status->stores->pdata[i];
            g_autofree char *names = status_name_connections(store);

            g_assert_nonnull(status_find_store(status, store->path));
            g_assert_cmpuint(status_user_connections(store), <=, store->connections->len);
            g_assert_cmpint(names[0] != '\0', ==, status_user_connections(store) > 0);
            g_assert_true(g_utf8_validate(names, -1, NULL));
        }
    }
    return 0;
}
