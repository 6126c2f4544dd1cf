#include "schemetext.h"

#include <string.h>

#include "failure.h"

/* Words of a statement: names in upper case unless quoted, one character of all else. */
typedef struct {
    GPtrArray *words;
    GPtrArray *plain; /* the same as written, for hosts */
    guint next;
    const char *owner;
    GError **error;
} Parser;

static void store_free(gpointer data)
{
    SchemeStore *store = data;

    g_free(store->name);
    g_free(store->host);
    g_free(store);
}

static void element_free(gpointer data)
{
    SchemeElement *element = data;

    g_free(element->name);
    g_free(element->table);
    if (element->master)
        store_free(element->master);
    g_ptr_array_unref(element->subscribers);
    g_ptr_array_unref(element->tables);
    g_free(element->stamp);
    g_free(element->report);
    g_free(element);
}

void scheme_text_free(SchemeText *text)
{
    if (!text)
        return;
    g_free(text->owner);
    g_free(text->name);
    g_ptr_array_unref(text->elements);
    g_ptr_array_unref(text->dropped);
    g_ptr_array_unref(text->stores);
    g_free(text);
}

static gboolean is_word_char(char c)
{
    return g_ascii_isalnum(c) || (c && strchr("_$#-", c));
}

static void split(Parser *parser, const char *text)
{
    while (*text) {
        gsize length = 1;
        char *word;

        if (g_ascii_isspace(*text)) {
            text++;
            continue;
        }
        if (*text == '"' || *text == '\'') {
            const char *end = strchr(text + 1, *text);

            length = end ? (gsize)(end - text) + 1 : strlen(text);
            word = g_strndup(text + 1, length - (end ? 2 : 1));
            g_ptr_array_add(parser->plain, g_strdup(word));
        } else {
            while (is_word_char(*text) && is_word_char(text[length]))
                length++;
            g_ptr_array_add(parser->plain, g_strndup(text, length));
            word = g_ascii_strup(text, (gssize)length);
        }
        g_ptr_array_add(parser->words, word);
        text += length;
    }
}

static const char *peek(const Parser *parser)
{
    return parser->next < parser->words->len ? parser->words->pdata[parser->next] : "";
}

static gboolean accept(Parser *parser, const char *word)
{
    if (g_ascii_strcasecmp(peek(parser), word) != 0)
        return FALSE;
    parser->next++;
    return TRUE;
}

static gboolean syntax(Parser *parser)
{
    if (parser->error && !*parser->error)
        failure_set(parser->error, TT_SYNTAX, "Syntax error in SQL statement before or at: \"%s\"",
                    *peek(parser) ? peek(parser) : "end");
    return FALSE;
}

static gboolean expect(Parser *parser, const char *word)
{
    return accept(parser, word) || syntax(parser);
}

static gboolean absent(Parser *parser, const char *what)
{
    failure_set(parser->error, TT_SCHEME, "%s: not part of this stand-in", what);
    return FALSE;
}

static gboolean read_name(Parser *parser, char **ret)
{
    if (!g_ascii_isalnum(*peek(parser)))
        return syntax(parser);
    g_free(*ret);
    *ret = g_strdup(peek(parser));
    parser->next++;
    return TRUE;
}

/* OWNER.NAME, or NAME of the user's own. */
static gboolean read_object(Parser *parser, char **ret_owner, char **ret_name)
{
    if (!read_name(parser, ret_name))
        return FALSE;
    g_free(*ret_owner);
    *ret_owner = g_strdup(parser->owner);
    if (!accept(parser, "."))
        return TRUE;
    g_free(*ret_owner);
    *ret_owner = g_steal_pointer(ret_name);
    return read_name(parser, ret_name);
}

static gboolean read_table(Parser *parser, char **ret)
{
    g_autofree char *owner = NULL;
    g_autofree char *name = NULL;

    if (!read_object(parser, &owner, &name))
        return FALSE;
    *ret = g_strdup_printf("%s.%s", owner, name);
    return TRUE;
}

static SchemeStore *read_store(Parser *parser)
{
    SchemeStore *store = g_new0(SchemeStore, 1);

    store->port = store->timeout = store->threshold = -1;
    if (!read_name(parser, &store->name)) {
        store_free(store);
        return NULL;
    }
    if (accept(parser, "ON")) {
        store->host =
            parser->next < parser->plain->len ? g_strdup(parser->plain->pdata[parser->next]) : NULL;
        parser->next++;
    }
    return store;
}

static gboolean read_number(Parser *parser, gint64 *ret)
{
    guint64 number;

    if (!g_ascii_string_to_unsigned(peek(parser), 10, 0, G_MAXUINT32, &number, NULL))
        return syntax(parser);
    *ret = (gint64)number;
    parser->next++;
    return TRUE;
}

/* CONFLICTS BY ROW TIMESTAMP COLUMN c [UPDATE BY SYSTEM|USER] [ON EXCEPTION …] [REPORT TO 'f'] */
static gboolean read_check(Parser *parser, SchemeElement *element)
{
    if (!expect(parser, "CONFLICTS") || !expect(parser, "BY") || !expect(parser, "ROW") ||
        !expect(parser, "TIMESTAMP"))
        return FALSE;
    accept(parser, "COLUMN");
    element->system = TRUE;
    if (!read_name(parser, &element->stamp))
        return FALSE;
    if (accept(parser, "UPDATE")) {
        if (!expect(parser, "BY"))
            return FALSE;
        element->system = accept(parser, "SYSTEM");
        if (!element->system && !expect(parser, "USER"))
            return FALSE;
    }
    if (accept(parser, "ON")) {
        if (!expect(parser, "EXCEPTION"))
            return FALSE;
        element->alone = accept(parser, "NO");
        if (!expect(parser, element->alone ? "ACTION" : "ROLLBACK"))
            return FALSE;
        accept(parser, "WORK");
    }
    if (!accept(parser, "REPORT"))
        return TRUE;
    return expect(parser, "TO") && parser->next < parser->plain->len &&
           (element->report = g_strdup(parser->plain->pdata[parser->next++])) != NULL;
}

static gboolean read_subscribers(Parser *parser, SchemeElement *element)
{
    do {
        SchemeStore *store = read_store(parser);

        if (!store)
            return FALSE;
        g_ptr_array_add(element->subscribers, store);
    } while (accept(parser, ","));
    if (accept(parser, "RETURN"))
        return absent(parser, "RETURN services");
    if (accept(parser, "NO"))
        return expect(parser, "RETURN");
    return TRUE;
}

static gboolean read_selection(Parser *parser, SchemeElement *element)
{
    if (!expect(parser, "TABLE"))
        return absent(parser, peek(parser));
    do {
        char *table = NULL;

        if (!read_table(parser, &table))
            return FALSE;
        g_ptr_array_add(element->tables, table);
    } while (accept(parser, ","));
    return TRUE;
}

static SchemeElement *element_new(SchemeText *text)
{
    SchemeElement *element = g_new0(SchemeElement, 1);

    element->subscribers = g_ptr_array_new_with_free_func(store_free);
    element->tables = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(text->elements, element);
    return element;
}

static gboolean read_element(Parser *parser, SchemeText *text)
{
    SchemeElement *element = element_new(text);

    if (!read_name(parser, &element->name))
        return FALSE;
    if (accept(parser, "SEQUENCE"))
        return absent(parser, "SEQUENCE elements");
    if (!accept(parser, "DATASTORE") &&
        !(expect(parser, "TABLE") && read_table(parser, &element->table)))
        return FALSE;
    if (accept(parser, "CHECK") && !read_check(parser, element))
        return FALSE;
    if (accept(parser, "NO") && !expect(parser, "CHECK"))
        return FALSE;
    if (accept(parser, "PROPAGATOR"))
        return absent(parser, "PROPAGATOR");
    if (!expect(parser, "MASTER") || !(element->master = read_store(parser)))
        return FALSE;
    if (accept(parser, "TRANSMIT") && !accept(parser, "DURABLE") && !expect(parser, "NONDURABLE"))
        return FALSE;
    if (!expect(parser, "SUBSCRIBER") || !read_subscribers(parser, element))
        return FALSE;
    while (accept(parser, "SUBSCRIBER")) {
        if (!read_subscribers(parser, element))
            return FALSE;
    }
    if (strcmp(peek(parser), "INCLUDE") != 0 && strcmp(peek(parser), "EXCLUDE") != 0)
        return TRUE;
    element->include = accept(parser, "INCLUDE");
    return (element->include || accept(parser, "EXCLUDE")) && read_selection(parser, element);
}

static gboolean read_attributes(Parser *parser, SchemeStore *store)
{
    /* Words that change nothing here, with the number of words behind them. */
    static const struct {
        const char *word;
        guint more;
    } idle[] = { { "COMPRESS", 2 }, { "TABLE", 3 }, { "DURABLE", 2 }, { "RESUME", 2 } };
    guint before;

    do {
        before = parser->next;
        if (accept(parser, "PORT") && !read_number(parser, &store->port))
            return FALSE;
        if (accept(parser, "TIMEOUT") && !read_number(parser, &store->timeout))
            return FALSE;
        if (accept(parser, "FAILTHRESHOLD") && !read_number(parser, &store->threshold))
            return FALSE;
        for (guint i = 0; i < G_N_ELEMENTS(idle); i++) {
            if (accept(parser, idle[i].word))
                parser->next += idle[i].more;
        }
    } while (parser->next > before);
    return TRUE;
}

static gboolean read_store_clause(Parser *parser, SchemeText *text, gboolean set)
{
    SchemeStore *store = read_store(parser);

    if (!store)
        return FALSE;
    g_ptr_array_add(text->stores, store);
    return (!set || expect(parser, "SET")) && read_attributes(parser, store);
}

/* A pair is two elements, each the other way round. */
static gboolean read_pair(Parser *parser, SchemeText *text)
{
    SchemeElement *there = element_new(text);
    SchemeElement *back = element_new(text);
    SchemeStore *store;

    there->name = g_strdup("ACTIVESTANDBY1");
    back->name = g_strdup("ACTIVESTANDBY2");
    there->master = read_store(parser);
    if (!there->master || !expect(parser, ",") || !(back->master = read_store(parser)))
        return FALSE;
    store = g_new0(SchemeStore, 1);
    store->name = g_strdup(back->master->name);
    store->host = g_strdup(back->master->host);
    g_ptr_array_add(there->subscribers, store);
    store = g_new0(SchemeStore, 1);
    store->name = g_strdup(there->master->name);
    store->host = g_strdup(there->master->host);
    g_ptr_array_add(back->subscribers, store);
    if (accept(parser, "RETURN"))
        return absent(parser, "RETURN services");
    if (accept(parser, "NO") && !expect(parser, "RETURN"))
        return FALSE;
    if (accept(parser, "SUBSCRIBER"))
        return absent(parser, "read-only subscribers of a pair");
    return TRUE;
}

static gboolean read_create(Parser *parser, SchemeText *text)
{
    text->pair = accept(parser, "ACTIVE");
    if (text->pair) {
        text->owner = g_strdup("TTREP");
        text->name = g_strdup("_ACTIVESTANDBY");
        if (!expect(parser, "STANDBY") || !expect(parser, "PAIR") || !read_pair(parser, text))
            return FALSE;
    } else if (!expect(parser, "REPLICATION") || !read_object(parser, &text->owner, &text->name)) {
        return FALSE;
    }
    while (accept(parser, "ELEMENT")) {
        if (!read_element(parser, text))
            return FALSE;
    }
    while (accept(parser, "STORE")) {
        if (!read_store_clause(parser, text, FALSE))
            return FALSE;
    }
    return text->elements->len > 0 && !*peek(parser) ? TRUE : syntax(parser);
}

static gboolean read_drop(Parser *parser, SchemeText *text)
{
    text->pair = accept(parser, "ACTIVE");
    if (text->pair)
        return expect(parser, "STANDBY") && expect(parser, "PAIR");
    return expect(parser, "REPLICATION") && read_object(parser, &text->owner, &text->name) &&
           (!*peek(parser) || syntax(parser));
}

static gboolean read_alter(Parser *parser, SchemeText *text)
{
    if (!expect(parser, "REPLICATION") || !read_object(parser, &text->owner, &text->name))
        return FALSE;
    while (*peek(parser)) {
        if (accept(parser, "ADD")) {
            if (!expect(parser, "ELEMENT") || !read_element(parser, text))
                return FALSE;
        } else if (accept(parser, "DROP")) {
            char *name = NULL;

            if (!expect(parser, "ELEMENT") || !read_name(parser, &name))
                return FALSE;
            g_ptr_array_add(text->dropped, name);
        } else if (!expect(parser, "ALTER") || !expect(parser, "STORE") ||
                   !read_store_clause(parser, text, TRUE)) {
            return FALSE;
        }
    }
    return TRUE;
}

SchemeText *scheme_parse(const char *statement, const char *owner, GError **error)
{
    g_autoptr(SchemeText) text = g_new0(SchemeText, 1);
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) plain = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) mine = NULL;
    Parser parser = { .words = words, .plain = plain, .owner = owner, .error = &mine };
    gboolean done;

    text->elements = g_ptr_array_new_with_free_func(element_free);
    text->dropped = g_ptr_array_new_with_free_func(g_free);
    text->stores = g_ptr_array_new_with_free_func(store_free);
    split(&parser, statement);
    if (accept(&parser, "CREATE")) {
        done = read_create(&parser, text);
    } else if (accept(&parser, "DROP")) {
        text->verb = SCHEME_DROP;
        done = read_drop(&parser, text);
    } else {
        text->verb = SCHEME_ALTER;
        done = expect(&parser, "ALTER") && read_alter(&parser, text);
    }
    if (done)
        return g_steal_pointer(&text);
    if (!mine)
        syntax(&parser);
    g_propagate_error(error, g_steal_pointer(&mine));
    return NULL;
}
