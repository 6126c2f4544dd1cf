#include "common/error.h"

/* Two errors with one name or one exit status could not be told apart by a caller. */
static void rows_are_distinct(void)
{
    for (int a = 0; a < TU_N_ERRORS; a++)
        for (int b = a + 1; b < TU_N_ERRORS; b++) {
            g_assert_cmpstr(tu_error_row(a)->bus_name, !=, tu_error_row(b)->bus_name);
            g_assert_cmpint(tu_error_row(a)->exit_status, !=, tu_error_row(b)->exit_status);
        }
}

static void names_lead_back(void)
{
    for (int i = 0; i < TU_N_ERRORS; i++) {
        TuError code;

        g_assert_true(tu_error_from_bus_name(tu_error_row(i)->bus_name, &code));
        g_assert_cmpint(code, ==, i);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/error/rows-are-distinct", rows_are_distinct);
    g_test_add_func("/error/names-lead-back", names_lead_back);
    return g_test_run();
}
