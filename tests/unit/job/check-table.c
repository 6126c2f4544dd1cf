/* The table of checks is whole: what people and programs choose by is there in each row. */
#include "job/check.h"

static const char *kinds_of(const CheckTable *table, const CheckType *row)
{
    return row->only ? row->only : table->kinds;
}

static gboolean meet(const char *a, const char *b)
{
    g_auto(GStrv) words = g_strsplit(a, ",", -1), others = g_strsplit(b, ",", -1);

    for (guint i = 0; words[i]; i++)
        if (g_strv_contains((const char *const *)others, words[i]))
            return TRUE;
    return FALSE;
}

/* Rows of one id are for different kinds of job, or methods, so an id means one thing in a job. */
static void ids_are_unique_in_a_job(void)
{
    guint rows = 0;

    for (const CheckTable *table = check_tables; table->title; table++)
        for (const CheckType *row = table->rows; row->id; row++, rows++)
            for (const CheckTable *other = check_tables; other->title; other++)
                for (const CheckType *twin = other->rows; twin->id; twin++)
                    if (twin != row && g_str_equal(twin->id, row->id) &&
                        meet(kinds_of(table, row), kinds_of(other, twin)))
                        g_error("Two checks of one job have the id %s", row->id);
    g_assert_cmpuint(rows, >=, 40);
}

static void each_row_is_told(void)
{
    const char *const subjects[] = {
        "server", "instance", "database", "host", "peer", "job", NULL
    };

    for (const CheckTable *table = check_tables; table->title; table++)
        for (const CheckType *row = table->rows; row->id; row++) {
            g_test_message("%s", row->id);
            g_assert_true(g_regex_match_simple("^[a-z]+(-[a-z]+)*$", row->id, 0, 0));
            g_assert_nonnull(row->fine);
            g_assert_nonnull(row->source);
            g_assert_nonnull(row->remedy);
            g_assert_nonnull(row->about);
            g_assert_true(g_strv_contains(subjects, row->about));
            g_assert_false(g_str_has_suffix(row->fine, ".") || g_str_has_suffix(row->source, ".") ||
                           g_str_has_suffix(row->remedy, "."));
        }
}

/* What is written elsewhere, or lost, is an error that nobody can skip. */
static void what_guards_rows_is_never_skipped(void)
{
    const char *const guards[] = { "target-differs",         "release-path", "data-store-differs",
                                   "target-database-absent", "replication",  "direct-connections",
                                   "previous-databases",     "data-loss",    "existing-scheme",
                                   "tables-without-key",     "way-back",     "peer-link",
                                   "peer-answers",           "peer-role",    "same-files",
                                   "way-back-in-place" };

    for (guint i = 0; i < G_N_ELEMENTS(guards); i++) {
        gboolean found = FALSE;

        for (const CheckTable *table = check_tables; table->title; table++)
            for (const CheckType *row = table->rows; table->skips && row->id; row++)
                if (g_str_equal(row->id, guards[i])) {
                    found = TRUE;
                    g_test_message("%s", row->id);
                    g_assert_nonnull(row->kept);
                    g_assert_cmpint(row->worst, ==, SEVERITY_ERROR);
                }
        g_assert_true(found);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ids-are-unique-in-a-job", ids_are_unique_in_a_job);
    g_test_add_func("/each-row-is-told", each_row_is_told);
    g_test_add_func("/what-guards-rows-is-never-skipped", what_guards_rows_is_never_skipped);
    return g_test_run();
}
