/* Reads ttStatus by lines that are recognised one by one, so that a line that an era adds or leaves
 * out changes nothing else. Never fails, runs nothing. Called by the worker's observations and the
 * checks.
 */
#include "timesten/status.h"
#include "timesten/belief.h"

#include <string.h>

#define NAMED_CONNECTIONS 8

/* What of the report is being read. */
typedef struct {
    TimesTenStatus *status;
    StatusStore *store; /* the one whose lines come now, or NULL */
    guint64 announced;  /* "There are N connections" of the store */
} Reader;

static void connection_free(StatusConnection *connection)
{
    g_free(connection->type);
    g_free(connection->name);
    g_free(connection);
}

static void store_free(StatusStore *store)
{
    g_free(store->path);
    g_ptr_array_unref(store->connections);
    g_free(store->ram_policy);
    g_free(store);
}

static gboolean starts(const char *line, const char *lower_prefix)
{
    return g_ascii_strncasecmp(line, lower_prefix, strlen(lower_prefix)) == 0;
}

/* The number behind " WORD ", or 0. */
static guint64 number_after(const char *line, const char *word)
{
    g_autofree char *padded = g_strdup_printf(" %s ", word);
    const char *found = strstr(line, padded);

    return found ? g_ascii_strtoull(found + strlen(padded), NULL, 10) : 0;
}

static guint16 port_after(const char *line, const char *word)
{
    guint64 port = number_after(line, word);

    return port <= G_MAXUINT16 ? port : 0;
}

static void add_connection(Reader *reader, const char *type, guint64 pid, const char *name)
{
    StatusConnection *connection = g_new(StatusConnection, 1);

    *connection = (StatusConnection){ g_strdup(type), pid, g_strdup(name) };
    g_ptr_array_add(reader->store->connections, connection);
}

/* A store that announces connections of which no line was understood has users that we cannot name;
 * taking it for idle would be the worse mistake. */
static void end_store(Reader *reader)
{
    if (reader->store && reader->announced > 0 && reader->store->connections->len == 0)
        add_connection(reader, "Unknown", 0, "");
    reader->store = NULL;
    reader->announced = 0;
}

static gboolean take_daemon(Reader *reader, const char *line)
{
    TimesTenStatus *status = reader->status;
    const char *instance;

    if (!belief_behind(BELIEF_STATUS_DAEMON, line))
        return FALSE;
    status->daemon_running = TRUE;
    status->daemon_pid = number_after(line, "pid");
    status->daemon_port = port_after(line, "port");
    if ((instance = strstr(line, " instance ")) && !status->instance)
        status->instance = g_strstrip(g_strdup(instance + strlen(" instance ")));
    return TRUE;
}

static gboolean take_server(Reader *reader, const char *line)
{
    if (!belief_behind(BELIEF_STATUS_SERVER, line))
        return FALSE;
    reader->status->server_pid = number_after(line, "pid");
    reader->status->server_port = port_after(line, "port");
    return TRUE;
}

static gboolean take_store(Reader *reader, const char *line)
{
    const char *path = belief_behind(BELIEF_STATUS_STORE, line);

    /* "Data store is in shared mode" and the like tell of the store that is being read. */
    if (!path || path[0] != '/')
        return FALSE;
    end_store(reader);
    reader->store = g_new0(StatusStore, 1);
    reader->store->path = g_strdup(path);
    reader->store->connections = g_ptr_array_new_with_free_func((GDestroyNotify)connection_free);
    g_ptr_array_add(reader->status->stores, reader->store);
    return TRUE;
}

static gboolean is_number(const char *word)
{
    return word[0] && word[strspn(word, G_CSET_DIGITS)] == '\0';
}

static char *join(char **words, guint from, guint to)
{
    GString *text = g_string_new(NULL);

    for (guint i = from; i < to; i++)
        g_string_append_printf(text, "%s%s", i > from ? " " : "", words[i]);
    return g_string_free(text, FALSE);
}

/* Words of a line, runs of blanks as one. */
static char **split(const char *line)
{
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();

    while (*(line += strspn(line, " \t"))) {
        gsize length = strcspn(line, " \t");
        g_autofree char *word = g_strndup(line, length);

        g_strv_builder_add(words, word);
        line += length;
    }
    return g_strv_builder_end(words);
}

/* Both shapes of a connection line:
 *     Cache Agent  1146  0x00007f93  Timer  3                     type, pid, context, name, id
 *     Process pid 19180 context 0xacd7e8 connected (KEY 0x0600)   5.x, 6.0 and -nopretty */
static gboolean take_connection(Reader *reader, const char *line)
{
    g_auto(GStrv) words = NULL;
    g_autofree char *type = NULL, *name = NULL;
    guint count, at = 1;
    gboolean plain;

    if (!reader->store)
        return FALSE;
    words = split(line);
    count = g_strv_length(words);
    while (at < count && at <= 3 && !is_number(words[at]))
        at++;
    if (at + 1 >= count || at > 3 || !is_number(words[at]))
        return FALSE;
    plain = g_ascii_strcasecmp(words[at - 1], "pid") == 0;
    if (plain ? at < 2 || g_ascii_strcasecmp(words[at + 1], "context") != 0
              : !starts(words[at + 1], "0x"))
        return FALSE;
    type = join(words, 0, plain ? at - 1 : at);
    /* The id in the last column is no part of the name; -nopretty prints no name. */
    if (plain)
        name = g_strdup("");
    else
        name =
            join(words, at + 2, count > at + 2 && is_number(words[count - 1]) ? count - 1 : count);
    add_connection(reader, type, g_ascii_strtoull(words[at], NULL, 10), name);
    return TRUE;
}

static void take_property(Reader *reader, const char *line)
{
    StatusStore *store = reader->store;
    const char *colon = strchr(line, ':');
    const char *count = belief_behind(BELIEF_STATUS_CONNECTIONS, line);

    if (count)
        reader->announced = g_ascii_strtoull(count, NULL, 10);
    else if (belief_behind(BELIEF_STATUS_CLOSED, line))
        store->closed = TRUE;
    else if (belief_is_said(BELIEF_STATUS_UNLOADED, line))
        store->unloaded = TRUE;
    else if (belief_behind(BELIEF_STATUS_REPLICATION, line))
        store->replication_running = TRUE;
    else if (belief_behind(BELIEF_STATUS_CACHE, line))
        store->cache_running = TRUE;
    else if (belief_behind(BELIEF_STATUS_RAM_POLICY, line) && colon) {
        g_free(store->ram_policy);
        store->ram_policy = g_strstrip(g_strdup(colon + 1));
    }
}

TimesTenStatus *status_parse(const char *output, int exit_status)
{
    TimesTenStatus *status = g_new0(TimesTenStatus, 1);
    Reader reader = { status };
    g_autofree char *valid = g_utf8_make_valid(output, -1);
    g_auto(GStrv) lines = g_strsplit(valid, "\n", -1);

    status->stores = g_ptr_array_new_with_free_func((GDestroyNotify)store_free);
    for (guint i = 0; lines[i]; i++) {
        const char *line = g_strstrip(lines[i]);

        /* The status decides whether the report's title alone may speak for the daemon. */
        if (belief_behind(BELIEF_STATUS_REPORT, line) && exit_status == 0)
            status->daemon_running = TRUE;
        else if (starts(line, "-----") || starts(line, "end of report"))
            end_store(&reader);
        else if (!take_daemon(&reader, line) && !take_server(&reader, line) &&
                 !take_store(&reader, line) && !take_connection(&reader, line) && reader.store)
            take_property(&reader, line);
    }
    end_store(&reader);
    return status;
}

void status_free(TimesTenStatus *status)
{
    if (!status)
        return;
    g_free(status->instance);
    g_ptr_array_unref(status->stores);
    g_free(status);
}

const StatusStore *status_find_store(const TimesTenStatus *status, const char *path)
{
    g_autofree char *wanted = path ? g_canonicalize_filename(path, "/") : NULL;

    for (guint i = 0; wanted && i < status->stores->len; i++) {
        const StatusStore *store = status->stores->pdata[i];
        g_autofree char *found = g_canonicalize_filename(store->path, "/");

        if (g_str_equal(found, wanted))
            return store;
    }
    return NULL;
}

/* TimesTen's own come and go with the database and the agents. */
static gboolean is_user(const StatusConnection *connection)
{
    for (char **type = belief_phrases(BELIEF_STATUS_OWN_TYPES); *type; type++)
        if (g_ascii_strcasecmp(connection->type, *type) == 0)
            return FALSE;
    return TRUE;
}

guint status_user_connections(const StatusStore *store)
{
    guint users = 0;

    for (guint i = 0; i < store->connections->len; i++)
        users += is_user(store->connections->pdata[i]);
    return users;
}

char *status_name_connections(const StatusStore *store)
{
    GString *text = g_string_new(NULL);
    guint named = 0, users = status_user_connections(store);

    for (guint i = 0; i < store->connections->len && named < NAMED_CONNECTIONS; i++) {
        const StatusConnection *connection = store->connections->pdata[i];

        if (!is_user(connection))
            continue;
        g_string_append_printf(text, "%spid %" G_GUINT64_FORMAT " (%s%s%s)", named ? ", " : "",
                               connection->pid, connection->type, connection->name[0] ? ", " : "",
                               connection->name);
        named++;
    }
    if (users > named)
        g_string_append_printf(text, " and %u more", users - named);
    return g_string_free(text, FALSE);
}
