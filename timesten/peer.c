#include "timesten/peer.h"
#include "timesten/admin.h"
#include "common/error.h"
#include "common/text.h"

#include <string.h>

#define HOST_LIMIT 253 /* characters of a host's name */
#define COLUMNS    8

static gboolean is_host(const char *text)
{
    if (!g_ascii_isalnum(text[0]) || strlen(text) > HOST_LIMIT)
        return FALSE;
    for (const char *p = text; *p; p++)
        if (!g_ascii_isalnum(*p) && *p != '.' && *p != '-')
            return FALSE;
    return TRUE;
}

gboolean peer_address_parse(const char *text, char **ret_host, guint16 *ret_port, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", 2);
    guint64 port = 0;

    if (!parts[0] || !is_host(parts[0]) ||
        (parts[1] && !text_parse_uint64(parts[1], 1, G_MAXUINT16, &port))) {
        g_autofree char *shown = text_one_line(text, 64);

        return tu_error_set(error, TU_ERROR_INVALID_OPTION,
                            "Option peer is \"%s\", but must be a host as the replication scheme "
                            "names it, if need be with :PORT of its TimesTen Server",
                            shown);
    }
    *ret_host = g_strdup(parts[0]);
    *ret_port = (guint16)port;
    return TRUE;
}

void peer_link_free(PeerLink *link)
{
    if (!link)
        return;
    g_free(link->store);
    g_free(link->host);
    g_free(link->scheme);
    g_free(link->owner);
    g_free(link);
}

/* subscriber, hostName, port, pState, logs, lastMsg, replicationName, replicationOwner (D). */
static PeerLink *parse_link(const char *row)
{
    g_auto(GStrv) words = g_strsplit(row, ",", COLUMNS);
    g_autoptr(PeerLink) link = NULL;
    guint64 port = 0;

    if (g_strv_length(words) < COLUMNS)
        return NULL;
    for (guint i = 0; i < COLUMNS; i++)
        g_strstrip(words[i]);
    if (!is_host(words[1]))
        return NULL;
    text_parse_uint64(words[2], 1, G_MAXUINT16, &port);
    link = g_new0(PeerLink, 1);
    link->store = g_ascii_strup(words[0], -1);
    link->host = g_strdup(words[1]);
    link->port = (guint16)port;
    link->state = replication_state_parse(words[3]);
    link->scheme = g_strdup(words[6]);
    link->owner = g_strdup(words[7]);
    return g_steal_pointer(&link);
}

GPtrArray *peer_links_parse(const char *output)
{
    GPtrArray *links = g_ptr_array_new_with_free_func((GDestroyNotify)peer_link_free);
    g_auto(GStrv) rows = isql_rows(output);

    for (guint i = 0; rows[i]; i++) {
        PeerLink *link = parse_link(rows[i]);

        if (link)
            g_ptr_array_add(links, link);
    }
    return links;
}

gboolean peer_link_is_to(const PeerLink *link, const char *host)
{
    return g_ascii_strcasecmp(link->host, host) == 0;
}

static char *quote(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "'", -1);

    return g_strjoinv("''", parts);
}

char *peer_wait_sql(const PeerLink *link, guint seconds)
{
    g_autofree char *scheme = quote(link->scheme), *owner = quote(link->owner),
                    *store = quote(link->store);

    return g_strdup_printf("call ttRepSubscriberWait('%s', '%s', '%s', '%s', %u);", scheme, owner,
                           store, link->host, seconds);
}
