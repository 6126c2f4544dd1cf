/* Text of statements in, text of utilities out: runs nothing. The words are those of releases 6.0
 * and 7.0; later ones take them too (facts 4.4: "unchanged in 22.1"). */
#include "timesten/replication.h"
#include "timesten/admin.h"
#include "timesten/belief.h"
#include "common/text.h"

#include <string.h>

#define NAME_LIMIT  30 /* characters of an identifier (D) */
#define NAMED_LIMIT 8  /* tables in a message */

const char *const peer_state_words[] = { "start", "pause", "stop", "failed", NULL };

char *replication_store_name(const char *data_store)
{
    g_autofree char *base = g_path_get_basename(data_store);

    return g_ascii_strup(base, -1);
}

gboolean replication_name_is_plain(const char *name)
{
    if (!g_ascii_isalpha(name[0]) || strlen(name) > NAME_LIMIT)
        return FALSE;
    for (const char *p = name; *p; p++)
        if (!g_ascii_isalnum(*p) && *p != '_')
            return FALSE;
    return TRUE;
}

/* --- statements ---------------------------------------------------------------------------------
 */

/* Both ways, because the way back is wanted as much as the way there. FAILTHRESHOLD keeps a peer
 * that is away for ever from filling the disk with log. */
char *replication_create_sql(const ReplicationPair *pair)
{
    return g_strdup_printf(
        "create replication " REPLICATION_SCHEME
        " element FORTH datastore master %s on \"" REPLICATION_HOST
        "\" subscriber %s on \"" REPLICATION_HOST
        "\" element BACK datastore master %s on \"" REPLICATION_HOST
        "\" subscriber %s on \"" REPLICATION_HOST "\" store %s on \"" REPLICATION_HOST
        "\" port %u failthreshold %u store %s on \"" REPLICATION_HOST
        "\" port %u failthreshold %u;",
        pair->old_store, pair->new_store, pair->new_store, pair->old_store, pair->old_store,
        pair->old_port, pair->log_files, pair->new_store, pair->new_port, pair->log_files);
}

char *replication_drop_sql(void)
{
    return g_strdup("drop replication " REPLICATION_SCHEME ";");
}

/* Before 7.0 only TimesTen's own types exist, and have no prefix; from 7.0 on a peer before it
 * takes these only (D). */
char *replication_create_marks_sql(const Release *release)
{
    gboolean prefixed = release->part[0] >= 7;

    return g_strdup_printf("create table " REPLICATION_MARKS
                           " (MARK %svarchar(64) not null primary key);",
                           prefixed ? "tt_" : "");
}

char *replication_drop_marks_sql(void)
{
    return g_strdup("drop table " REPLICATION_MARKS ";");
}

char *replication_has_marks_sql(void)
{
    return g_strdup_printf("select count(*) from %s where %s = '" REPLICATION_OWNER
                           "' and %s = 'MARKS';",
                           belief_word(BELIEF_TABLES_VIEW), belief_word(BELIEF_TABLES_OWNER),
                           belief_word(BELIEF_TABLES_NAME));
}

char *replication_mark_sql(const char *mark)
{
    return g_strdup_printf("insert into " REPLICATION_MARKS " values ('%s');", mark);
}

char *replication_seen_sql(const char *mark)
{
    return g_strdup_printf("select count(*) from " REPLICATION_MARKS " where MARK = '%s';", mark);
}

char *replication_wait_sql(const char *store, guint seconds)
{
    return g_strdup_printf("call ttRepSubscriberWait('ONLINE', '" REPLICATION_OWNER
                           "', '%s', '" REPLICATION_HOST "', %u);",
                           store, seconds);
}

static char *tables_sql(gboolean keyless)
{
    const char *owner = belief_word(BELIEF_TABLES_OWNER);
    GString *sql = g_string_new(NULL);

    g_string_append_printf(sql, "select %s, %s from %s where %s not in (", owner,
                           belief_word(BELIEF_TABLES_NAME), belief_word(BELIEF_TABLES_VIEW), owner);
    for (char **own = belief_phrases(BELIEF_TABLES_OWN_OWNERS); *own; own++) {
        g_autofree char *upper = g_ascii_strup(*own, -1);

        g_string_append_printf(sql, "'%s', ", upper);
    }
    g_string_append(sql, "'" REPLICATION_OWNER "')");
    if (keyless)
        g_string_append_printf(sql, " and %s = 0", belief_word(BELIEF_TABLES_KEY));
    return g_string_free(g_string_append_c(sql, ';'), FALSE);
}

char *replication_tables_sql(void)
{
    return tables_sql(FALSE);
}

char *replication_keyless_sql(void)
{
    return tables_sql(TRUE);
}

/* --- answers ------------------------------------------------------------------------------------
 */

WaitAnswer replication_wait(const char *output)
{
    g_auto(GStrv) rows = isql_rows(output);
    guint count = g_strv_length(rows);
    const char *last = count ? g_strstrip(rows[count - 1]) : "";

    return g_str_equal(last, "00")   ? WAIT_ARRIVED
           : g_str_equal(last, "01") ? WAIT_TIMED_OUT
                                     : WAIT_UNKNOWN;
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **replication_tables(const char *output)
{
    g_auto(GStrv) rows = isql_rows(output);
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (guint i = 0; rows[i]; i++) {
        g_auto(GStrv) parts = g_strsplit(rows[i], ",", 2);

        if (parts[0] && parts[1])
            g_ptr_array_add(names,
                            g_strconcat(g_strstrip(parts[0]), ".", g_strstrip(parts[1]), NULL));
    }
    g_ptr_array_sort(names, by_name);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

char *replication_missing(char **a, char **b)
{
    g_autoptr(GString) text = g_string_new(NULL);
    guint missing = 0;

    for (guint i = 0; a[i]; i++) {
        if (g_strv_contains((const char *const *)b, a[i]))
            continue;
        if (missing < NAMED_LIMIT)
            g_string_append_printf(text, "%s%s", missing ? ", " : "", a[i]);
        missing++;
    }
    if (missing > NAMED_LIMIT)
        g_string_append_printf(text, " and %u more", missing - NAMED_LIMIT);
    return missing ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

static void peer_free(gpointer data)
{
    ReplicationPeer *peer = data;

    g_free(peer->name);
    g_free(peer->host);
    g_free(peer);
}

PeerState replication_state_parse(const char *word)
{
    for (guint i = 0; peer_state_words[i]; i++)
        if (g_ascii_strcasecmp(word, peer_state_words[i]) == 0)
            return (PeerState)i;
    return PEER_UNKNOWN;
}

/* The words of a row, without empty ones; g_strfreev(). */
static char **words_of(const char *line)
{
    g_auto(GStrv) parts = g_strsplit_set(line, " \t", -1);
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();

    for (guint i = 0; parts[i]; i++)
        if (parts[i][0])
            g_strv_builder_add(words, parts[i]);
    return g_strv_builder_end(words);
}

/* Peer name, Host name, Port, State, Proto. */
static void take_peer(GPtrArray *peers, char **words)
{
    ReplicationPeer *peer;
    guint64 port = 0;

    if (g_strv_length(words) < 4)
        return;
    text_parse_uint64(words[2], 1, G_MAXUINT16, &port);
    peer = g_new0(ReplicationPeer, 1);
    *peer = (ReplicationPeer){ g_ascii_strup(words[0], -1), g_strdup(words[1]), (guint16)port,
                               replication_state_parse(words[3]), -1 };
    g_ptr_array_add(peers, peer);
}

/* Its last word is the number of log files. */
static void take_traffic(GPtrArray *peers, guint row, char **words)
{
    guint count = g_strv_length(words);
    guint64 logs;

    if (row < peers->len && count > 1 && text_parse_uint64(words[count - 1], 0, G_MAXINT, &logs))
        ((ReplicationPeer *)peers->pdata[row])->logs = (int)logs;
}

GPtrArray *replication_peers_parse(const char *output)
{
    GPtrArray *peers = g_ptr_array_new_with_free_func(peer_free);
    g_autofree char *valid = g_utf8_make_valid(output, -1);
    g_auto(GStrv) lines = g_strsplit(valid, "\n", -1);
    enum { OUTSIDE, PEERS, TRAFFIC } table = OUTSIDE;
    guint first = 0, row = 0;

    for (guint i = 0; lines[i]; i++) {
        const char *line = g_strstrip(lines[i]);
        g_auto(GStrv) words = words_of(line);

        if (g_ascii_strncasecmp(line, "peer name", strlen("peer name")) == 0) {
            table = PEERS;
            first = peers->len; /* some print both tables once per peer (D 7.0) */
        } else if (g_ascii_strncasecmp(line, "last msg", strlen("last msg")) == 0) {
            table = TRAFFIC;
            row = first;
        } else if (!line[0]) {
            table = OUTSIDE;
        } else if (line[strspn(line, "- \t")] == '\0') {
            continue; /* the ruler */
        } else if (table == PEERS) {
            take_peer(peers, words);
        } else if (table == TRAFFIC) {
            take_traffic(peers, row++, words);
        }
    }
    return peers;
}

const ReplicationPeer *replication_find_peer(const GPtrArray *peers, const char *name)
{
    for (guint i = 0; i < peers->len; i++) {
        const ReplicationPeer *peer = peers->pdata[i];

        if (g_ascii_strcasecmp(peer->name, name) == 0)
            return peer;
    }
    return NULL;
}
