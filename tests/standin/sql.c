#include "sql.h"

#include <string.h>

#include "failure.h"

#define MAX_DEPTH 64

typedef enum { TOKEN_SPACE, TOKEN_WORD, TOKEN_QUOTED, TOKEN_STRING, TOKEN_OTHER } TokenKind;

typedef struct {
    TokenKind kind;
    const char *start;
    gsize length;
    gboolean table; /* first token of a table's or index's name */
} Token;

const char sql_dollar_views[] =
    "CREATE TEMP VIEW \"SYS.V$MONITOR\" AS SELECT * FROM \"SYS.MONITOR\";";

const char sql_system_views[] =
    "CREATE TEMP VIEW \"SYS.DUAL\" AS SELECT 'X' AS DUMMY;"
    "CREATE TEMP VIEW \"SYS.MONITOR\" AS SELECT page_count * page_size / 1024 AS PERM_IN_USE_SIZE,"
    " 65536 AS PERM_ALLOCATED_SIZE FROM pragma_page_count, pragma_page_size;"
    "CREATE TEMP VIEW \"SYS.TABLES\" AS SELECT substr(name, instr(name, '.') + 1) AS TBLNAME,"
    " substr(name, 1, instr(name, '.') - 1) AS TBLOWNER,"
    " (SELECT count(*) FROM pragma_table_info(m.name) WHERE pk > 0) AS PRIMCNT"
    " FROM main.sqlite_master AS m WHERE type = 'table' AND name LIKE '%.%';";

static gboolean is_word_start(char c)
{
    return g_ascii_isalpha(c) || c == '_';
}

static gsize quoted_length(const char *start)
{
    const char *end = start + 1;

    while (*end && !(end[0] == *start && end[1] != *start))
        end += end[0] == *start ? 2 : 1;
    return (gsize)(end - start) + (*end ? 1 : 0);
}

static gsize comment_length(const char *start)
{
    const char *end = start[0] == '-' ? strchr(start, '\n') : strstr(start + 2, "*/");

    if (!end)
        return strlen(start);
    return (gsize)(end - start) + (start[0] == '-' ? 1 : 2);
}

static Token next_token(const char *start)
{
    const char *end = start;

    if (g_ascii_isspace(*start)) {
        while (g_ascii_isspace(*end))
            end++;
        return (Token){ TOKEN_SPACE, start, (gsize)(end - start), FALSE };
    }
    if (g_str_has_prefix(start, "--") || g_str_has_prefix(start, "/*"))
        return (Token){ TOKEN_SPACE, start, comment_length(start), FALSE };
    if (*start == '\'')
        return (Token){ TOKEN_STRING, start, quoted_length(start), FALSE };
    if (*start == '"')
        return (Token){ TOKEN_QUOTED, start, quoted_length(start), FALSE };
    if (!is_word_start(*start) && !g_ascii_isdigit(*start))
        return (Token){ TOKEN_OTHER, start, 1, FALSE };
    while (g_ascii_isalnum(*end) || *end == '_' || *end == '$' || *end == '#')
        end++;
    return (Token){ is_word_start(*start) ? TOKEN_WORD : TOKEN_OTHER, start, (gsize)(end - start),
                    FALSE };
}

static GArray *tokenize(const char *text)
{
    GArray *tokens = g_array_new(TRUE, TRUE, sizeof(Token));

    while (*text) {
        Token token = next_token(text);

        g_array_append_val(tokens, token);
        text += token.length;
    }
    return tokens;
}

static Token *at(const GArray *tokens, guint i)
{
    return &g_array_index(tokens, Token, i);
}

static gboolean is_name(const Token *token)
{
    return token->kind == TOKEN_WORD || token->kind == TOKEN_QUOTED;
}

static gboolean is_char(const Token *token, char c)
{
    return token->kind == TOKEN_OTHER && token->length == 1 && *token->start == c;
}

static gboolean is_one_of(const Token *token, const char *const *words)
{
    if (token->kind != TOKEN_WORD)
        return FALSE;
    for (; *words; words++) {
        if (strlen(*words) == token->length &&
            g_ascii_strncasecmp(*words, token->start, token->length) == 0)
            return TRUE;
    }
    return FALSE;
}

#define IS(token, ...) is_one_of(token, (const char *const[]){ __VA_ARGS__, NULL })

static char *name_of(const Token *token)
{
    return token->kind == TOKEN_WORD ? g_ascii_strup(token->start, (gssize)token->length)
                                     : g_strndup(token->start + 1, token->length - 2);
}

/* Names joined by dots from I on, at most three. *RET_NEXT is the index behind them. g_strfreev().
 */
static char **read_chain(const GArray *tokens, guint i, guint *ret_next)
{
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    guint parts = 1;
    g_autofree char *first = name_of(at(tokens, i));

    g_strv_builder_add(names, first);
    while (parts < 3 && i + 2 < tokens->len && is_char(at(tokens, i + 1), '.') &&
           is_name(at(tokens, i + 2))) {
        g_autofree char *name = name_of(at(tokens, i + 2));

        g_strv_builder_add(names, name);
        parts++;
        i += 2;
    }
    *ret_next = i + 1;
    return g_strv_builder_end(names);
}

static char *qualify(char **chain, const char *owner)
{
    if (chain[1])
        return g_strdup_printf("%s.%s", chain[0], chain[1]);
    return g_strdup_printf(
        "%s.%s", strcmp(chain[0], "DUAL") == 0 || g_str_has_prefix(chain[0], "V$") ? "SYS" : owner,
        chain[0]);
}

/* Marks each token where a table or index is named, and collects the tables by their last name and
 * in full. */
static void mark_tables(GArray *tokens, const char *owner, GHashTable *tables)
{
    gboolean from[MAX_DEPTH] = { FALSE };
    gboolean expected = FALSE;
    gboolean definition = FALSE;
    gboolean index = FALSE;
    gboolean first = TRUE;
    guint depth = 0;

    for (guint i = 0; i < tokens->len; i++) {
        Token *token = at(tokens, i);

        if (token->kind == TOKEN_SPACE)
            continue;
        if (expected && is_name(token) && !IS(token, "IF", "NOT", "EXISTS")) {
            g_auto(GStrv) chain = NULL;
            guint next;

            expected = FALSE;
            first = FALSE;
            token->table = TRUE;
            chain = read_chain(tokens, i, &next);
            g_hash_table_replace(tables, g_strdup(chain[1] ? chain[1] : chain[0]),
                                 qualify(chain, owner));
            g_hash_table_replace(tables, qualify(chain, owner), qualify(chain, owner));
            i = next - 1;
            continue;
        }
        if (is_char(token, '(')) {
            depth = MIN(depth + 1, MAX_DEPTH - 1);
            from[depth] = FALSE;
            expected = FALSE;
        } else if (is_char(token, ')')) {
            depth -= depth > 0;
        } else if (is_char(token, ',')) {
            expected = from[depth];
        } else if (first && IS(token, "CREATE", "DROP", "ALTER", "TRUNCATE")) {
            definition = TRUE;
        } else if (IS(token, "FROM")) {
            from[depth] = TRUE;
            expected = TRUE;
        } else if (IS(token, "JOIN", "INTO", "REFERENCES") || (first && IS(token, "UPDATE")) ||
                   (definition && IS(token, "TABLE", "INDEX")) || (index && IS(token, "ON"))) {
            index |= definition && IS(token, "INDEX");
            expected = TRUE;
        } else if (IS(token, "WHERE", "GROUP", "ORDER", "HAVING", "UNION", "SET", "VALUES")) {
            from[depth] = FALSE;
        }
        first = FALSE;
    }
}

static void append_quoted(GString *text, const char *name)
{
    g_autofree char *doubled = NULL;
    GString *escaped = g_string_new(name);

    g_string_replace(escaped, "\"", "\"\"", 0);
    doubled = g_string_free(escaped, FALSE);
    g_string_append_printf(text, "\"%s\"", doubled);
}

/* A dotted name that is no table's place: OWNER.TABLE.COLUMN, TABLE.COLUMN or ALIAS.COLUMN. */
static void append_reference(GString *text, char **chain, GHashTable *tables, const GArray *tokens,
                             guint i, guint next)
{
    guint parts = g_strv_length(chain);
    g_autofree char *owned = parts == 3 ? g_strdup_printf("%s.%s", chain[0], chain[1]) : NULL;
    const char *table = parts == 1 ? NULL : g_hash_table_lookup(tables, owned ? owned : chain[0]);

    if (table) {
        append_quoted(text, table);
        g_string_append_c(text, '.');
        append_quoted(text, chain[parts - 1]);
        return;
    }
    for (; i < next; i++)
        g_string_append_len(text, at(tokens, i)->start, (gssize)at(tokens, i)->length);
}

static SqlKind kind_of(const GArray *tokens)
{
    for (guint i = 0; i < tokens->len; i++) {
        const Token *token = at(tokens, i);

        if (token->kind == TOKEN_SPACE)
            continue;
        return IS(token, "SELECT", "WITH")                        ? SQL_SELECT
               : IS(token, "INSERT")                              ? SQL_INSERT
               : IS(token, "UPDATE")                              ? SQL_UPDATE
               : IS(token, "DELETE")                              ? SQL_DELETE
               : IS(token, "CREATE", "DROP", "ALTER", "TRUNCATE") ? SQL_DEFINITION
                                                                  : SQL_OTHER;
    }
    return SQL_OTHER;
}

Sql *sql_translate(const char *statement, const char *owner)
{
    g_autoptr(GArray) tokens = tokenize(statement);
    g_autoptr(GHashTable) tables = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GString *text = g_string_new(NULL);
    Sql *sql = g_new0(Sql, 1);
    guint i = 0;

    mark_tables(tokens, owner, tables);
    while (i < tokens->len) {
        const Token *token = at(tokens, i);
        g_auto(GStrv) chain = NULL;
        guint next = i + 1;

        if (is_name(token)) {
            chain = read_chain(tokens, i, &next);
            if (token->table) {
                g_autofree char *full = qualify(chain, owner);

                append_quoted(text, full);
            } else if (i == 0 && IS(token, "TRUNCATE")) {
                g_string_append(text, "DELETE FROM");
                while (next < tokens->len && !at(tokens, next)->table)
                    next++;
                g_string_append_c(text, ' ');
            } else {
                append_reference(text, chain, tables, tokens, i, next);
            }
        } else {
            g_string_append_len(text, token->start, (gssize)token->length);
        }
        i = next;
    }
    sql->kind = kind_of(tokens);
    sql->text = g_string_free(text, FALSE);
    return sql;
}

void sql_free(Sql *sql)
{
    if (!sql)
        return;
    g_free(sql->text);
    g_free(sql);
}

/* SQLite's words, TimesTen's number and words; %s is what stands behind SQLite's. */
static const struct {
    const char *prefix;
    int number;
    const char *before;
    const char *after;
} translations[] = {
    { "UNIQUE constraint failed: ", TT_UNIQUE, "Unique constraint (", ") violated" },
    { "no such table: ", TT_NO_TABLE, "Table ", " not found" },
    { "no such column: ", TT_NO_COLUMN, "Referenced column ", " not found" },
    { "near ", TT_SYNTAX, "Syntax error in SQL statement before or at: ", "" },
    { "incomplete input", TT_SYNTAX, "Syntax error in SQL statement before or at: end", "" },
    { "database is locked", TT_LOCK_TIMEOUT, "Lock request denied because of time-out", "" },
};

void sql_failure(sqlite3 *database, GError **error)
{
    const char *said = sqlite3_errmsg(database);

    for (guint i = 0; i < G_N_ELEMENTS(translations); i++) {
        if (g_str_has_prefix(said, translations[i].prefix)) {
            failure_set(error, translations[i].number, "%s%s%s", translations[i].before,
                        said + strlen(translations[i].prefix), translations[i].after);
            return;
        }
    }
    if (g_str_has_suffix(said, " already exists")) {
        g_auto(GStrv) parts = g_strsplit(said, "\"", 3); /* table "A.B" already exists */

        failure_set(error, TT_TABLE_EXISTS, "Table %s already exists",
                    parts[0] && parts[1] ? parts[1] : "");
    } else {
        failure_set(error, TT_ENGINE, "%s", said);
    }
}

char **sql_split(const char *script)
{
    g_autoptr(GStrvBuilder) statements = g_strv_builder_new();
    g_autoptr(GString) current = g_string_new(NULL);
    gboolean blank = TRUE;

    while (*script) {
        Token token = next_token(script);

        if (is_char(&token, ';')) {
            if (!blank)
                g_strv_builder_add(statements, current->str);
            g_string_truncate(current, 0);
            blank = TRUE;
        } else if (token.kind != TOKEN_SPACE || !blank) {
            g_string_append_len(current, token.start, (gssize)token.length);
            blank = FALSE;
        }
        script += token.length;
    }
    if (!blank)
        g_strv_builder_add(statements, g_strchomp(current->str));
    return g_strv_builder_end(statements);
}
