#include "ctl/table.h"
#include "ctl/width.h"
#include "common/text.h"

#define GAP       2
#define NARROWEST 6

typedef struct {
    char *text;
    Style style;
} Cell;

struct Table {
    GPtrArray *cells; /* Cell, row after row; the first row are the titles */
    GArray *right;    /* gboolean per column */
};

static void cell_free(gpointer data)
{
    Cell *cell = data;

    g_free(cell->text);
    g_free(cell);
}

Table *table_new(const char *first_title, ...)
{
    Table *table = g_new0(Table, 1);
    va_list titles;

    table->cells = g_ptr_array_new_with_free_func(cell_free);
    table->right = g_array_new(FALSE, FALSE, sizeof(gboolean));
    va_start(titles, first_title);
    for (const char *title = first_title; title; title = va_arg(titles, const char *)) {
        gboolean right = title[0] == '>';

        g_array_append_val(table->right, right);
        table_add_styled(table, STYLE_BOLD, title + right);
    }
    va_end(titles);
    return table;
}

void table_free(Table *table)
{
    g_ptr_array_unref(table->cells);
    g_array_unref(table->right);
    g_free(table);
}

void table_add_styled(Table *table, Style style, const char *text)
{
    Cell *cell = g_new0(Cell, 1);

    cell->text = text_one_line(text && *text ? text : "-", 1000);
    cell->style = style;
    g_ptr_array_add(table->cells, cell);
}

void table_add(Table *table, const char *text)
{
    table_add_styled(table, STYLE_PLAIN, text);
}

void table_add_uint(Table *table, guint64 value)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, value);

    table_add(table, text);
}

/* Takes cells from the widest column, one at a time, until the row fits or nothing can give way. */
static void shrink(guint *widths, guint columns, guint limit)
{
    for (;;) {
        guint total = GAP * (columns - 1), widest = 0;

        for (guint i = 0; i < columns; i++) {
            total += widths[i];
            if (widths[i] > widths[widest])
                widest = i;
        }
        if (total <= limit || widths[widest] <= NARROWEST)
            return;
        widths[widest]--;
    }
}

static void print_cell(const Cell *cell, guint width, gboolean right, gboolean last, FILE *file)
{
    g_autofree char *text = width_cut(cell->text, width);
    int fill = (int)width - (int)width_of(text);

    fprintf(file, "%*s", right ? fill : 0, "");
    terminal_put(file, cell->style, text);
    if (!last)
        fprintf(file, "%*s", (right ? 0 : fill) + GAP, "");
}

void table_print(const Table *table, FILE *file)
{
    guint columns = table->right->len, limit = terminal_columns(file);
    g_autofree guint *widths = g_new0(guint, columns);

    for (guint i = 0; i < table->cells->len; i++) {
        const Cell *cell = table->cells->pdata[i];

        widths[i % columns] = MAX(widths[i % columns], width_of(cell->text));
    }
    if (limit > 0)
        shrink(widths, columns, limit);
    for (guint i = 0; i < table->cells->len; i++) {
        guint column = i % columns;

        print_cell(table->cells->pdata[i], widths[column],
                   g_array_index(table->right, gboolean, column), column == columns - 1, file);
        if (column == columns - 1)
            fputc('\n', file);
    }
}
