#include "ctl/table.h"
#include "ctl/width.h"

#include <locale.h>
#include <stdlib.h>

static char *printed(const Table *table)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    table_print(table, file);
    fclose(file);
    return text;
}

static Table *two_rows(void)
{
    Table *table = table_new("NAME", ">N", "WHAT", NULL);

    table_add(table, "漢字");
    table_add_uint(table, 7);
    table_add(table, "a\033[31m word that is long");
    table_add(table, "b");
    table_add_uint(table, 1234);
    table_add(table, "");
    return table;
}

/* Wide letters take two cells, control characters never get through, nothing is "-". */
static void columns_are_aligned(void)
{
    g_autoptr(Table) table = two_rows();
    char *text = printed(table);

    g_assert_cmpstr(text, ==,
                    "NAME     N  WHAT\n"
                    "漢字     7  a [31m word that is long\n"
                    "b     1234  -\n");
    free(text);
}

static void widest_column_gives_way_on_a_terminal(void)
{
    if (g_test_subprocess()) {
        g_autoptr(Table) table = two_rows();

        terminal_assume(24, FALSE);
        table_print(table, stdout);
        fflush(stdout);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stdout("*\n漢字     7  a [31m word…\n*");
}

static void cutting_counts_cells(void)
{
    static const struct {
        const char *text;
        guint cells;
        const char *cut;
    } rows[] = {
        { "abc", 3, "abc" }, { "abcd", 3, "ab…" }, { "漢字", 4, "漢字" }, { "漢字", 3, "漢…" },
        { "漢字", 2, "…" },  { "abc", 1, "…" },    { "abc", 0, "" },      { "", 0, "" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *cut = width_cut(rows[i].text, rows[i].cells);

        g_assert_cmpstr(cut, ==, rows[i].cut);
        g_assert_cmpuint(width_of(cut), <=, rows[i].cells);
    }
}

static void wrapping_breaks_at_blanks(void)
{
    g_auto(GStrv) lines = width_wrap("one two  three-is-too-long four", 8);

    g_assert_cmpuint(g_strv_length(lines), ==, 3);
    g_assert_cmpstr(lines[0], ==, "one two");
    g_assert_cmpstr(lines[1], ==, "three-is-too-long");
    g_assert_cmpstr(lines[2], ==, "four");
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "C.UTF-8");
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/table/columns-are-aligned", columns_are_aligned);
    g_test_add_func("/table/widest-column-gives-way-on-a-terminal",
                    widest_column_gives_way_on_a_terminal);
    g_test_add_func("/table/cutting-counts-cells", cutting_counts_cells);
    g_test_add_func("/table/wrapping-breaks-at-blanks", wrapping_breaks_at_blanks);
    return g_test_run();
}
