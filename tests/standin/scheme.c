#include "scheme.h"

#include <string.h>
#include <unistd.h>

#include "failure.h"
#include "link.h"
#include "replica.h"
#include "schemetext.h"
#include "store.h"

static const char *const saved_tables[] = { "TT SCHEME", "TT STORE", "TT ELEMENT", "TT PEER" };

gboolean scheme_is_statement(const char *text)
{
    g_auto(GStrv) words = g_strsplit_set(text, " \t\r\n", -1);
    const char *first = NULL;

    for (guint i = 0; words[i]; i++) {
        if (!*words[i])
            continue;
        if (first)
            return g_ascii_strcasecmp(words[i], "REPLICATION") == 0 ||
                   g_ascii_strcasecmp(words[i], "ACTIVE") == 0;
        first = words[i];
        if (g_ascii_strcasecmp(first, "CREATE") != 0 && g_ascii_strcasecmp(first, "DROP") != 0 &&
            g_ascii_strcasecmp(first, "ALTER") != 0)
            return FALSE;
    }
    return FALSE;
}

static gboolean is_local(const char *host, const char *local_host)
{
    char name[256] = "";

    gethostname(name, sizeof name - 1);
    if (!host || g_ascii_strcasecmp(host, "localhost") == 0 ||
        g_ascii_strcasecmp(host, name) == 0 ||
        (local_host && g_ascii_strcasecmp(host, local_host) == 0))
        return TRUE;
    return strchr(name, '.') && strlen(host) == (gsize)(strchr(name, '.') - name) &&
           g_ascii_strncasecmp(host, name, strlen(host)) == 0;
}

static gboolean add_store(sqlite3 *database, const SchemeStore *store, GError **error)
{
    char name[256] = "";

    gethostname(name, sizeof name - 1);
    return execute(database, error,
                   "INSERT OR IGNORE INTO \"TT STORE\" (name, host) VALUES (%Q, %Q)", store->name,
                   store->host ? store->host : name);
}

static gboolean set_attributes(sqlite3 *database, const SchemeStore *store, GError **error)
{
    char name[256] = "";
    const char *host = store->host ? store->host : name;
    const struct {
        const char *column;
        gint64 value;
    } attributes[] = { { "port", store->port },
                       { "timeout", store->timeout },
                       { "threshold", store->threshold } };

    gethostname(name, sizeof name - 1);
    if (query_number(database, "SELECT count(*) FROM \"TT STORE\" WHERE name = %Q AND host = %Q",
                     store->name, host) == 0) {
        failure_set(error, TT_SCHEME, "Store %s on %s is not in the replication scheme",
                    store->name, host);
        return FALSE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(attributes); i++) {
        if (attributes[i].value >= 0 &&
            !execute(database, error,
                     "UPDATE \"TT STORE\" SET %s = %lld WHERE name = %Q AND host = %Q",
                     attributes[i].column, (long long)attributes[i].value, store->name, host))
            return FALSE;
    }
    return TRUE;
}

/* A changeset knows a row by its primary key. */
static gboolean check_table(sqlite3 *database, const char *table, GError **error)
{
    if (query_number(database, "SELECT count(*) FROM pragma_table_info(%Q)", table) == 0) {
        failure_set(error, TT_NO_TABLE, "Table %s not found", table);
        return FALSE;
    }
    if (query_number(database, "SELECT count(*) FROM pragma_table_info(%Q) WHERE pk", table) == 0) {
        failure_set(error, TT_SCHEME,
                    "Replicated table %s must have a primary key or a unique index on columns that "
                    "are not nullable",
                    table);
        return FALSE;
    }
    return TRUE;
}

static gboolean check_stamp(sqlite3 *database, const SchemeElement *element, GError **error)
{
    g_autofree char *type = NULL;

    if (!element->stamp)
        return TRUE;
    if (!element->table) {
        failure_set(error, TT_SCHEME, "Conflicts can be checked for TABLE elements only");
        return FALSE;
    }
    type = query_text(database,
                      "SELECT type FROM pragma_table_info(%Q) WHERE name = %Q COLLATE NOCASE AND"
                      " NOT pk AND NOT \"notnull\"",
                      element->table, element->stamp);
    if (type && g_ascii_strncasecmp(type, "BINARY", 6) == 0)
        return TRUE;
    failure_set(error, TT_SCHEME,
                "Timestamp column %s of %s must be a nullable BINARY(8) outside of the key",
                element->stamp, element->table);
    return FALSE;
}

static gboolean in_list(const GPtrArray *tables, const char *table)
{
    for (guint i = 0; i < tables->len; i++) {
        if (g_ascii_strcasecmp(tables->pdata[i], table) == 0)
            return TRUE;
    }
    return FALSE;
}

static char **tables_of(sqlite3 *database, const SchemeElement *element)
{
    g_autoptr(GStrvBuilder) tables = g_strv_builder_new();
    sqlite3_stmt *row = NULL;

    if (element->table) {
        g_strv_builder_add(tables, element->table);
        return g_strv_builder_end(tables);
    }
    sqlite3_prepare_v2(database,
                       "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%.%' "
                       "ORDER BY rowid",
                       -1, &row, NULL);
    while (sqlite3_step(row) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(row, 0);

        if (element->tables->len == 0 || in_list(element->tables, name) == element->include)
            g_strv_builder_add(tables, name);
    }
    sqlite3_finalize(row);
    return g_strv_builder_end(tables);
}

static gboolean add_row(sqlite3 *database, const SchemeElement *element, const char *table,
                        const SchemeStore *sub, GError **error)
{
    char name[256] = "";
    const char *master_host = element->master->host ? element->master->host : name;
    const char *sub_host = sub->host ? sub->host : name;

    gethostname(name, sizeof name - 1);
    if (query_number(database,
                     "SELECT count(*) FROM \"TT ELEMENT\" WHERE tbl = %Q AND master = %Q AND"
                     " master_host = %Q AND sub = %Q AND sub_host = %Q",
                     table, element->master->name, master_host, sub->name, sub_host) > 0) {
        failure_set(error, TT_SCHEME, "Table %s is replicated from %s to %s already", table,
                    element->master->name, sub->name);
        return FALSE;
    }
    return execute(database, error,
                   "INSERT INTO \"TT ELEMENT\" VALUES (%Q, %Q, %Q, %Q, %Q, %Q, %Q, %d, %d, %Q)",
                   element->name, table, element->master->name, master_host, sub->name, sub_host,
                   element->stamp, element->system, element->alone, element->report);
}

static gboolean add_element(sqlite3 *database, const SchemeElement *element, GError **error)
{
    g_auto(GStrv) tables = tables_of(database, element);

    if (query_number(database, "SELECT count(*) FROM \"TT ELEMENT\" WHERE element = %Q",
                     element->name) > 0) {
        failure_set(error, TT_SCHEME, "Element %s is there twice", element->name);
        return FALSE;
    }
    if (!tables[0]) {
        failure_set(error, TT_SCHEME, "Element %s replicates no table", element->name);
        return FALSE;
    }
    if (!check_stamp(database, element, error) || !add_store(database, element->master, error))
        return FALSE;
    for (guint s = 0; s < element->subscribers->len; s++) {
        if (!add_store(database, element->subscribers->pdata[s], error))
            return FALSE;
        for (guint i = 0; tables[i]; i++) {
            if (!check_table(database, tables[i], error) ||
                !add_row(database, element, tables[i], element->subscribers->pdata[s], error))
                return FALSE;
        }
    }
    return TRUE;
}

/* Which of the stores is this one: the one with the name of the data store's files, on this host.
 */
static gboolean find_self(sqlite3 *database, const char *path, const char *local_host,
                          GError **error)
{
    g_autofree char *base = g_path_get_basename(path);
    sqlite3_stmt *row = NULL;
    gboolean found = FALSE;

    if (!store_execute(database, "UPDATE \"TT STORE\" SET self = 0", error))
        return FALSE;
    sqlite3_prepare_v2(database, "SELECT rowid, name, host FROM \"TT STORE\"", -1, &row, NULL);
    while (!found && sqlite3_step(row) == SQLITE_ROW) {
        const char *host = (const char *)sqlite3_column_text(row, 2);
        gint64 id = sqlite3_column_int64(row, 0);

        if (g_ascii_strcasecmp((const char *)sqlite3_column_text(row, 1), base) == 0 &&
            is_local(host, local_host))
            found = execute(database, error, "UPDATE \"TT STORE\" SET self = 1 WHERE rowid = %lld",
                            (long long)id);
    }
    sqlite3_finalize(row);
    if (!found && error && !*error)
        failure_set(error, TT_SCHEME, "Store %s on this host is not in the replication scheme",
                    base);
    return found;
}

/* Rows for new peers; those that nothing goes to or comes from any more lose theirs. */
static gboolean update_peers(sqlite3 *database, GError **error)
{
    static const char *const sides[][4] = { { "sends", "master", "sub", "" },
                                            { "receives", "sub", "master", "" } };
    gint64 end = replica_end(database);

    if (!execute(database, error,
                 "INSERT OR IGNORE INTO \"TT PEER\" (name, host, bookmark) SELECT name, host, %lld"
                 " FROM \"TT STORE\" WHERE NOT self",
                 (long long)end))
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(sides); i++) {
        if (!execute(database, error,
                     "UPDATE \"TT PEER\" SET %s = EXISTS (SELECT 1 FROM \"TT ELEMENT\" e, \"TT"
                     " STORE\" s WHERE s.self AND e.%s = s.name AND e.%s_host = s.host AND e.%s ="
                     " \"TT PEER\".name AND e.%s_host = \"TT PEER\".host)",
                     sides[i][0], sides[i][1], sides[i][1], sides[i][2], sides[i][2]))
            return FALSE;
    }
    return store_execute(database, "DELETE FROM \"TT PEER\" WHERE NOT sends AND NOT receives",
                         error);
}

static gboolean fill(Session *session, const SchemeText *text, GError **error)
{
    sqlite3 *database = session_database(session);

    for (guint i = 0; i < text->dropped->len; i++) {
        if (!execute(database, error, "DELETE FROM \"TT ELEMENT\" WHERE element = %Q",
                     text->dropped->pdata[i]))
            return FALSE;
    }
    for (guint i = 0; i < text->elements->len; i++) {
        if (!add_element(database, text->elements->pdata[i], error))
            return FALSE;
    }
    for (guint i = 0; i < text->stores->len; i++) {
        if (!set_attributes(database, text->stores->pdata[i], error))
            return FALSE;
    }
    return find_self(database, session_path(session), NULL, error) && update_peers(database, error);
}

static gboolean create(Session *session, const SchemeText *text, const char *statement,
                       GError **error)
{
    sqlite3 *database = session_database(session);
    gint64 size = session_log_file_size(session);
    g_autofree char *file_size = g_strdup_printf("%" G_GINT64_FORMAT, size);
    const char *charset =
        session_instance(session)->version.part[0] < 7 ? "TIMESTEN8" : session_charset(session);

    if (replica_exists(database)) {
        failure_set(error, TT_SCHEME, "The data store has a replication scheme already");
        return FALSE;
    }
    if (text->pair && session_instance(session)->family->id < FAMILY_70) {
        failure_set(error, TT_SYNTAX, "Syntax error in SQL statement before or at: \"ACTIVE\"");
        return FALSE;
    }
    return replica_make_tables(database, error) &&
           (size == 0 || store_set(database, "log file size", file_size, error)) &&
           store_set(database, "charset", charset, error) &&
           (!text->pair || store_set(database, "pair", "IDLE", error)) &&
           execute(database, error, "INSERT INTO \"TT SCHEME\" VALUES (%Q, %Q, %Q)", text->owner,
                   text->name, statement) &&
           fill(session, text, error);
}

static gboolean is_named(sqlite3 *database, const SchemeText *text, GError **error)
{
    g_autofree char *pair = store_get(database, "pair");
    gboolean found =
        replica_exists(database) &&
        (text->pair ? pair != NULL
                    : query_number(database,
                                   "SELECT count(*) FROM \"TT SCHEME\" WHERE owner = %Q AND name ="
                                   " %Q",
                                   text->owner, text->name) > 0);

    if (!found)
        failure_set(error, TT_SCHEME, "Replication scheme %s.%s not found",
                    text->owner ? text->owner : "TTREP", text->name ? text->name : "PAIR");
    return found;
}

static gboolean agent_is_down(const Session *session, GError **error)
{
    g_autofree char *line = message_line("query", "path", session_path(session), NULL);
    g_autoptr(Wire) link = link_open(session_instance(session), NULL, error);
    g_autoptr(Message) reply = link ? link_ask(link, line, error) : NULL;

    if (reply && message_number(reply, "agent") != 0)
        failure_set(error, TT_AGENT_IS_UP,
                    "Replication schemes cannot be changed while the replication agent is running");
    return reply && message_number(reply, "agent") == 0;
}

static gboolean run_parsed(Session *session, const SchemeText *text, const char *statement,
                           GError **error)
{
    sqlite3 *database = session_database(session);

    switch (text->verb) {
    case SCHEME_CREATE:
        return create(session, text, statement, error);
    case SCHEME_DROP:
        return is_named(database, text, error) && replica_drop_tables(database, error);
    default:
        return is_named(database, text, error) && fill(session, text, error);
    }
}

gboolean scheme_run(Session *session, const char *statement, GError **error)
{
    sqlite3 *database = session_database(session);
    g_autoptr(SchemeText) text = scheme_parse(statement, session_owner(session), error);

    if (!text || !agent_is_down(session, error))
        return FALSE;
    if (!sqlite3_get_autocommit(database)) {
        failure_set(error, TT_TRANSACTION, "Commit or roll back before the scheme is changed");
        return FALSE;
    }
    if (!store_execute(database, "BEGIN IMMEDIATE", error))
        return FALSE;
    if (run_parsed(session, text, statement, error) && store_execute(database, "COMMIT", error))
        return TRUE;
    store_execute(database, "ROLLBACK", NULL);
    return FALSE;
}

gboolean scheme_allows(sqlite3 *database, const char *sql, GError **error)
{
    sqlite3_stmt *row = NULL;
    gboolean allowed = TRUE;

    while (g_ascii_isspace(*sql))
        sql++;
    if (g_ascii_strncasecmp(sql, "DROP", 4) != 0 && g_ascii_strncasecmp(sql, "ALTER", 5) != 0)
        return TRUE;
    sqlite3_prepare_v2(database, "SELECT DISTINCT tbl FROM \"TT ELEMENT\"", -1, &row, NULL);
    while (allowed && sqlite3_step(row) == SQLITE_ROW) {
        const char *table = (const char *)sqlite3_column_text(row, 0);
        g_autofree char *quoted = g_strdup_printf("\"%s\"", table);

        allowed = !strstr(sql, quoted);
        if (!allowed)
            failure_set(error, TT_SCHEME, "Table %s is replicated: it cannot be dropped or altered",
                        table);
    }
    sqlite3_finalize(row);
    return allowed;
}

static void dump_table(sqlite3 *database, const char *table, GString *script)
{
    char *columns = sqlite3_mprintf("SELECT group_concat('quote(\"' || name || '\")', ' || '','' ||"
                                    " ') FROM pragma_table_info(%Q)",
                                    table);
    g_autofree char *list = query_text(database, "%s", columns);
    char *sql = sqlite3_mprintf("SELECT %s FROM \"%w\"", list, table);
    sqlite3_stmt *row = NULL;

    sqlite3_prepare_v2(database, sql, -1, &row, NULL);
    while (row && sqlite3_step(row) == SQLITE_ROW)
        g_string_append_printf(script, "INSERT INTO \"%s\" VALUES (%s);", table,
                               (const char *)sqlite3_column_text(row, 0));
    sqlite3_finalize(row);
    sqlite3_free(sql);
    sqlite3_free(columns);
}

char *scheme_dump(sqlite3 *database)
{
    static const char *const kept[] = { "charset", "log file size", "pair" };
    GString *script;

    if (!replica_exists(database))
        return NULL;
    script = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(saved_tables); i++)
        dump_table(database, saved_tables[i], script);
    for (guint i = 0; i < G_N_ELEMENTS(kept); i++) {
        g_autofree char *value = store_get(database, kept[i]);

        if (value)
            g_string_append_printf(script, "REPLACE INTO \"TT META\" VALUES ('%s', '%s');", kept[i],
                                   value);
    }
    return g_string_free(script, FALSE);
}

gboolean scheme_restore(sqlite3 *database, const char *path, const char *dump,
                        const char *local_host, GError **error)
{
    if (replica_exists(database)) {
        failure_set(error, TT_SCHEME, "The data store has a replication scheme already");
        return FALSE;
    }
    return replica_make_tables(database, error) && store_execute(database, dump, error) &&
           find_self(database, path, local_host, error) && update_peers(database, error) &&
           store_execute(database,
                         "UPDATE \"TT PEER\" SET stale = 1;"
                         "UPDATE \"TT META\" SET value = 'IDLE' WHERE name = 'pair';",
                         error);
}

gboolean scheme_adopt(sqlite3 *database, const char *path, const char *local_host, GError **error)
{
    g_autofree char *name = NULL;
    g_autofree char *host = NULL;
    g_autofree char *log = replica_log_id(database);
    g_autofree char *id = g_uuid_string_random();
    gint64 end = replica_end(database);

    /* All that its source had is here: go on behind it. */
    return scheme_self(database, &name, &host) && find_self(database, path, local_host, error) &&
           store_execute(database,
                         "DELETE FROM \"TT LOG\"; DELETE FROM \"TT PEER\";"
                         "UPDATE \"TT META\" SET value = 'IDLE' WHERE name = 'pair';",
                         error) &&
           store_set(database, "log id", id, error) && store_set(database, "log end", "0", error) &&
           update_peers(database, error) &&
           execute(database, error,
                   "UPDATE \"TT PEER\" SET log = %Q, received = %lld WHERE name = %Q AND host = %Q",
                   log, (long long)end, name, host);
}

char *scheme_name(sqlite3 *database)
{
    return query_text(database, "SELECT owner || '.' || name FROM \"TT SCHEME\"");
}

gboolean scheme_self(sqlite3 *database, char **ret_name, char **ret_host)
{
    *ret_name = query_text(database, "SELECT name FROM \"TT STORE\" WHERE self");
    *ret_host = query_text(database, "SELECT host FROM \"TT STORE\" WHERE self");
    return *ret_name != NULL;
}

char **scheme_tables(sqlite3 *database, const char *master, const char *master_host,
                     const char *sub, const char *sub_host)
{
    g_autoptr(GStrvBuilder) tables = g_strv_builder_new();
    char *sql = sqlite3_mprintf("SELECT DISTINCT tbl FROM \"TT ELEMENT\" WHERE master = %Q AND"
                                " master_host = %Q AND sub = %Q AND sub_host = %Q",
                                master, master_host, sub, sub_host);
    sqlite3_stmt *row = NULL;

    sqlite3_prepare_v2(database, sql, -1, &row, NULL);
    while (row && sqlite3_step(row) == SQLITE_ROW)
        g_strv_builder_add(tables, (const char *)sqlite3_column_text(row, 0));
    sqlite3_finalize(row);
    sqlite3_free(sql);
    return g_strv_builder_end(tables);
}

char *scheme_signature(sqlite3 *database, const char *table)
{
    g_autofree char *columns =
        query_text(database,
                   "SELECT group_concat(name || ' ' || replace(upper(type), 'TT_', '') || ' ' ||"
                   " \"notnull\" || ' ' || pk) FROM pragma_table_info(%Q)",
                   table);
    g_autofree char *relaxed = store_get(database, "relaxed");
    g_autofree char *text = g_strconcat(columns ? columns : "", relaxed, NULL);

    return g_compute_checksum_for_string(G_CHECKSUM_MD5, text, -1);
}

char *scheme_new_type(sqlite3 *database, char **tables)
{
    for (guint i = 0; tables[i]; i++) {
        g_autofree char *meta = g_strconcat("types ", tables[i], NULL);
        g_autofree char *old = store_get(database, meta);
        char *found = NULL;

        if (!old)
            found = query_text(database,
                               "SELECT %Q || '.' || name || ' of type ' || type FROM"
                               " pragma_table_info(%Q) WHERE upper(type) NOT LIKE 'TT\\_%%' ESCAPE"
                               " '\\' AND upper(type) NOT IN ('BINARY_FLOAT', 'BINARY_DOUBLE')",
                               tables[i], tables[i]);
        if (found)
            return found;
    }
    return NULL;
}
