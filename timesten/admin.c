/* Reads what ttAdmin, ttRepAdmin and ttIsql print. Text in, structs out; nothing here fails or runs
 * anything. */
#include "timesten/admin.h"
#include "timesten/belief.h"

#include <string.h>

/* The value of a "Key : value" line, or NULL. */
static const char *value_of(const char *line, BeliefId key)
{
    const char *p = belief_behind(key, line);

    if (!p)
        return NULL;
    p += strspn(p, " \t");
    return *p == ':' ? p + 1 + strspn(p + 1, " \t") : NULL;
}

static void take_word(char **to, const char *value)
{
    if (!value)
        return;
    g_free(*to);
    *to = g_strdup(value);
}

static void take_true(gboolean *to, const char *value, const char *word)
{
    if (value)
        *to = g_ascii_strcasecmp(value, word) == 0;
}

static void take_number(guint *to, const char *value)
{
    guint64 number;

    if (value && g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT, &number, NULL))
        *to = number;
}

AdminState *admin_parse(const char *output)
{
    AdminState *state = g_new0(AdminState, 1);
    g_autofree char *valid = g_utf8_make_valid(output, -1);
    g_auto(GStrv) lines = g_strsplit(valid, "\n", -1);

    for (guint i = 0; lines[i]; i++) {
        const char *line = g_strstrip(lines[i]);

        take_word(&state->ram_policy, value_of(line, BELIEF_QUERY_RAM_POLICY));
        take_number(&state->ram_grace, value_of(line, BELIEF_QUERY_RAM_GRACE));
        take_true(&state->manually_loaded, value_of(line, BELIEF_QUERY_LOADED), "true");
        take_word(&state->replication_policy, value_of(line, BELIEF_QUERY_REPLICATION_POLICY));
        take_true(&state->replication_started, value_of(line, BELIEF_QUERY_REPLICATION), "true");
        take_true(&state->cache_started, value_of(line, BELIEF_QUERY_CACHE), "true");
        take_true(&state->closed, value_of(line, BELIEF_QUERY_STATE), "closed");
    }
    return state;
}

void admin_free(AdminState *state)
{
    if (!state)
        return;
    g_free(state->ram_policy);
    g_free(state->replication_policy);
    g_free(state);
}

static gboolean is_ruler(const char *line)
{
    return line[0] == '-' && line[strspn(line, "- \t")] == '\0';
}

guint replication_peers(const char *output)
{
    g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
    gboolean in_peers = FALSE;
    guint peers = 0;

    for (guint i = 0; lines[i]; i++) {
        const char *line = g_strstrip(lines[i]);

        if (g_ascii_strncasecmp(line, "peer name", strlen("peer name")) == 0)
            in_peers = TRUE;
        else if (!line[0] || g_ascii_strncasecmp(line, "last msg", strlen("last msg")) == 0)
            in_peers = FALSE;
        else if (in_peers && !is_ruler(line))
            peers++;
    }
    return peers;
}

char *isql_first_error(const char *output)
{
    for (const char *line = output; line && *line;) {
        gsize blanks = strspn(line, " ");
        gsize digits = strspn(line + blanks, G_CSET_DIGITS);
        const char *end = strchrnul(line, '\n');

        /* Numbers are set flush right, so only long ones begin a line. */
        if (digits > 0 && (blanks > 0 || digits >= belief_number(BELIEF_SQL_ERROR_WIDTH)) &&
            line[blanks + digits] == ':') {
            g_autofree char *text = g_strndup(line, end - line);
            g_autofree char *valid = g_utf8_make_valid(text, -1);

            return g_strdup(g_strstrip(valid));
        }
        line = *end ? end + 1 : NULL;
    }
    return NULL;
}

char **isql_rows(const char *output)
{
    g_autoptr(GStrvBuilder) rows = g_strv_builder_new();
    g_autofree char *valid = g_utf8_make_valid(output, -1);
    g_auto(GStrv) lines = g_strsplit(valid, "\n", -1);

    for (guint i = 0; lines[i]; i++) {
        char *line = g_strstrip(lines[i]);
        gsize length = strlen(line);

        if (length < 2 || line[0] != '<' || line[length - 1] != '>')
            continue;
        line[length - 1] = '\0';
        g_strv_builder_add(rows, g_strstrip(line + 1));
    }
    return g_strv_builder_end(rows);
}
