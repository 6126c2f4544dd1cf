#include "timesten/version.h"
#include "timesten/belief.h"
#include "common/text.h"

#include <string.h>

typedef void (*Take)(Version *version, const char *value);

static void take_release(Version *version, const char *value)
{
    g_autofree char *word = g_strndup(value, strcspn(value, " \t("));

    release_parse(word, &version->release, NULL);
}

static void take_key_release(Version *version, const char *value)
{
    take_release(version, value);
    version->keys = version->release.parts > 0;
}

static void take_bits(Version *version, const char *value)
{
    version->bits = g_str_has_prefix(value, "64") ? 64 : g_str_has_prefix(value, "32") ? 32 : 0;
}

static void take_port(Version *version, const char *value)
{
    guint64 port;

    if (text_parse_uint64(value, 1, 65535, &port))
        version->port = port;
}

static void take_string(char **to, const char *value)
{
    if (!value[0])
        return;
    g_free(*to);
    *to = g_strdup(value);
}

static void take_instance(Version *version, const char *value)
{
    take_string(&version->instance, value);
}

static void take_admin(Version *version, const char *value)
{
    take_string(&version->admin, value);
}

static void take_daemon_home(Version *version, const char *value)
{
    take_string(&version->daemon_home, value);
}

/* "TimesTen Release 7.0 (32 bit Linux/x86) (tt70:17000)"; a client has "(name)" alone. */
static void take_banner(Version *version, const char *value)
{
    g_auto(GStrv) groups = g_strsplit(value, "(", 4);

    take_release(version, value);
    for (guint i = 1; groups[0] && groups[i]; i++) {
        char *group = groups[i];
        char *colon;

        group[strcspn(group, ")")] = '\0';
        if (strstr(group, " bit")) {
            take_bits(version, group);
            continue;
        }
        if ((colon = strrchr(group, ':'))) {
            take_port(version, colon + 1);
            *colon = '\0';
        }
        if (belief_is_so(BELIEF_VERSION_BANNER_INSTANCE))
            take_instance(version, group);
    }
}

/* Beginnings of lines, lower case, and what the rest of the line is. */
static const struct {
    const char *begin; /* NULL: a fact that is not known everywhere */
    Take take;
    BeliefId or_begin;
} lines[] = {
    { "version=", take_key_release },
    { "bits=", take_bits },
    { "effective_port=", take_port },
    { "instance=", take_instance },
    { NULL, take_admin, BELIEF_VERSION_KEY_ADMIN },
    { NULL, take_daemon_home, BELIEF_VERSION_KEY_DAEMON_HOME },
    { "timesten release ", take_banner },
    { "instance admin:", take_admin },
    { "daemon home directory:", take_daemon_home },
};

/* -m is made for a shell, so a value may stand in quotes. */
static char *unquote(const char *value)
{
    char *plain = value[0] == '\'' || value[0] == '"' ? g_shell_unquote(value, NULL) : NULL;

    return plain ? plain : g_strdup(value);
}

/* What stands behind the beginning of a row, or NULL. */
static const char *rest_of(const char *line, guint row)
{
    const char *begin = lines[row].begin;

    if (!begin)
        return belief_behind(lines[row].or_begin, line);
    return g_ascii_strncasecmp(line, begin, strlen(begin)) == 0 ? line + strlen(begin) : NULL;
}

Version *version_parse(const char *output)
{
    g_autoptr(Version) version = g_new0(Version, 1);
    g_autofree char *valid = g_utf8_make_valid(output, -1);
    g_auto(GStrv) text = g_strsplit(valid, "\n", -1);

    for (guint i = 0; text[i]; i++) {
        const char *line = g_strstrip(text[i]);

        for (guint l = 0; l < G_N_ELEMENTS(lines); l++) {
            const char *rest = rest_of(line, l);
            g_autofree char *value = NULL;

            if (!rest)
                continue;
            value = unquote(rest + strspn(rest, " \t"));
            lines[l].take(version, value);
        }
    }
    return version->release.parts > 0 ? g_steal_pointer(&version) : NULL;
}

void version_free(Version *version)
{
    if (!version)
        return;
    g_free(version->instance);
    g_free(version->admin);
    g_free(version->daemon_home);
    g_free(version);
}
