/* Rows in aligned columns. On a terminal the widest column gives way until the rows fit; elsewhere
 * nothing is ever cut, because a program may read it. */
#pragma once

#include "ctl/terminal.h"

typedef struct Table Table;

/* TITLES ended by NULL. A title that begins with '>' makes its column right-aligned. */
Table *table_new(const char *first_title, ...) G_GNUC_NULL_TERMINATED;
void table_free(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)

/* One cell; when as many as there are titles were added, the row is complete. NULL and "" show as
 * "-". */
void table_add(Table *table, const char *text);
void table_add_styled(Table *table, Style style, const char *text);
void table_add_uint(Table *table, guint64 value);

void table_print(const Table *table, FILE *file);
