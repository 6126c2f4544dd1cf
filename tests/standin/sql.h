/* TimesTen's SQL to SQLite's: OWNER.TABLE becomes one quoted name, an unqualified table gets its
 * owner.
 *
 * Only names are rewritten; the rest of a statement is SQLite's to understand or to refuse.
 */
#pragma once

#include <sqlite3.h>

#include <glib.h>

typedef enum { SQL_SELECT, SQL_INSERT, SQL_UPDATE, SQL_DELETE, SQL_DEFINITION, SQL_OTHER } SqlKind;

typedef struct {
    char *text;
    SqlKind kind;
} Sql;

/* OWNER (upper case) owns names that are written without one. */
Sql *sql_translate(const char *statement, const char *owner);
void sql_free(Sql *sql);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sql, sql_free)

/* Views that stand for TimesTen's system tables; once per connection. */
extern const char sql_system_views[];
extern const char sql_dollar_views[]; /* from 18.1 on, after the others */

/* Turns what SQLite said about a statement into TimesTen's number and words. */
void sql_failure(sqlite3 *database, GError **error);

/* Splits a script at semicolons outside of quotes and comments; blank statements are left out.
 * g_strfreev(). */
char **sql_split(const char *script);
