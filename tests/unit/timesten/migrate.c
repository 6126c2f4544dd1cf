#include "timesten/migrate.h"
#include "sample.h"

static GPtrArray *parse_sample(const char *name)
{
    g_autofree char *text = sample(name);

    return migrate_parse(text);
}

static void tables_are_followed(void)
{
    g_autoptr(GPtrArray) tables = parse_sample("migrate-saved-7.0");
    const MigrateTable *orders = tables->pdata[1], *empty = tables->pdata[2];

    g_assert_cmpuint(tables->len, ==, 3);
    g_assert_cmpstr(orders->name, ==, "APP.ORDERS");
    g_assert_cmpuint(orders->rows, ==, 300000);
    g_assert_cmpuint(orders->expected, ==, 300000);
    g_assert_true(orders->finished);
    g_assert_cmpstr(empty->name, ==, "APP.EMPTY");
    g_assert_true(empty->finished);
}

static void cache_groups_are_followed(void)
{
    g_autoptr(GPtrArray) tables = parse_sample("migrate-saved-22.1");
    static const char *const names[] = { "cache group CACHEADMIN.READCACHE", "SALES.READTAB",
                                         "APP.T" };

    g_assert_cmpuint(tables->len, ==, G_N_ELEMENTS(names));
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const MigrateTable *table = tables->pdata[i];

        g_assert_cmpstr(table->name, ==, names[i]);
        g_assert_true(table->finished);
        g_assert_cmpuint(table->rows, ==, i == 0 ? 0 : 2);
    }
}

/* The worker reads the output of a utility that still writes: every beginning of it must do. */
static void half_an_output_is_no_more_than_it_says(void)
{
    g_autofree char *text = sample("migrate-saved-7.0");

    for (gsize length = 0; length < strlen(text); length++) {
        g_autofree char *beginning = g_strndup(text, length);
        g_autoptr(GPtrArray) tables = migrate_parse(beginning);

        for (guint i = 0; i < tables->len; i++) {
            const MigrateTable *table = tables->pdata[i];

            g_assert_cmpuint(table->rows, <=, table->expected);
            g_assert_true(g_str_equal(table->name, "APP.ACCOUNTS") ||
                          g_str_equal(table->name, "APP.ORDERS") ||
                          g_str_equal(table->name, "APP.EMPTY"));
            if (table->finished)
                g_assert_cmpuint(table->rows, ==, table->expected);
        }
    }
}

static void equal_sides_compare_equal(void)
{
    g_autoptr(GPtrArray) saved = parse_sample("migrate-saved-7.0");
    g_autoptr(GPtrArray) restored = parse_sample("migrate-restored-7.0");
    g_autofree char *difference = NULL;

    g_assert_true(migrate_compare(saved, restored, &difference));
    g_assert_null(difference);
}

static void each_difference_is_named(void)
{
    static const struct {
        const char *from, *to; /* replaced in the restored text */
        const char *difference;
    } rows[] = {
        { "300000/300000 rows restored", "299999/300000 rows restored",
          "APP.ORDERS: 300000 rows were saved, 299999 of 300000 restored" },
        { "300000/300000 rows restored", "299999/299999 rows restored",
          "APP.ORDERS: 300000 rows were saved, 299999 of 299999 restored" },
        { "Restoring table APP.EMPTY", "Restoring table APP.VOID",
          "APP.EMPTY was saved but not restored" },
        { "Restoring sequence APP.NEXT_ORDER\nSequence",
          "Restoring table APP.MORE\n  1/1 rows restored.\nTable",
          "APP.MORE was restored but never saved" },
        { "3/3 rows restored.\nTable successfully restored.", "3/3 rows restored.\n",
          "APP.ACCOUNTS: 3 rows were saved, 3 of 3 restored, and its end was not reported" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = sample("migrate-restored-7.0");
        g_autoptr(GPtrArray) saved = parse_sample("migrate-saved-7.0");
        g_autoptr(GPtrArray) restored = NULL;
        g_auto(GStrv) pieces = g_strsplit(text, rows[i].from, 2);
        g_autofree char *changed = g_strjoinv(rows[i].to, pieces), *difference = NULL;

        restored = migrate_parse(changed);
        g_assert_false(migrate_compare(saved, restored, &difference));
        g_assert_cmpstr(difference, ==, rows[i].difference);
    }
}

static void partial_restore_differs(void)
{
    g_autoptr(GPtrArray) saved = parse_sample("migrate-saved-7.0");
    g_autoptr(GPtrArray) restored = parse_sample("migrate-partial-7.0");
    g_autofree char *difference = NULL;

    g_assert_false(migrate_compare(saved, restored, &difference));
    g_assert_cmpstr(
        difference, ==,
        "APP.ORDERS: 300000 rows were saved, 120000 of 300000 restored, and its end was not "
        "reported");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/migrate/tables-are-followed", tables_are_followed);
    g_test_add_func("/migrate/cache-groups-are-followed", cache_groups_are_followed);
    g_test_add_func("/migrate/half-an-output-is-no-more-than-it-says",
                    half_an_output_is_no_more_than_it_says);
    g_test_add_func("/migrate/equal-sides-compare-equal", equal_sides_compare_equal);
    g_test_add_func("/migrate/each-difference-is-named", each_difference_is_named);
    g_test_add_func("/migrate/partial-restore-differs", partial_restore_differs);
    return g_test_run();
}
