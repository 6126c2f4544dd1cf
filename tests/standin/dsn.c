#include "dsn.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "failure.h"

void target_free(Target *target)
{
    if (!target)
        return;
    g_free(target->dsn);
    g_free(target->data_store);
    g_free(target->log_dir);
    g_free(target->uid);
    g_free(target->charset);
    g_free(target);
}

static GHashTable *attributes_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

/* Later values do not replace earlier ones: the connection string wins over the DSN. */
static void attribute_add(GHashTable *attributes, const char *name, const char *value)
{
    g_autofree char *key = g_ascii_strdown(g_strstrip(g_strdup(name)), -1);

    if (!g_hash_table_contains(attributes, key))
        g_hash_table_insert(attributes, g_steal_pointer(&key), g_strstrip(g_strdup(value)));
}

static gboolean read_section(const char *path, const char *dsn, GHashTable *attributes)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    gboolean inside = FALSE;
    gboolean found = FALSE;

    if (!path || !g_file_get_contents(path, &text, NULL, NULL))
        return FALSE;
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        char *line = g_strstrip(lines[i]);
        char *equals = strchr(line, '=');

        if (*line == '[') {
            char *end = strchr(line, ']');

            if (end)
                *end = '\0';
            inside = g_ascii_strcasecmp(g_strstrip(line + 1), dsn) == 0;
            found |= inside;
        } else if (inside && equals && *line != '#' && *line != ';') {
            *equals = '\0';
            attribute_add(attributes, line, equals + 1);
        }
    }
    return found;
}

static char *system_ini(const Instance *instance)
{
    const char *override = g_getenv("SYSODBCINI");

    return override && *override ? g_strdup(override) : g_strdup(instance->odbc_path);
}

static char *user_ini(void)
{
    const char *override = g_getenv("ODBCINI");

    return override && *override ? g_strdup(override)
                                 : g_build_filename(g_get_home_dir(), ".odbc.ini", NULL);
}

static gboolean attribute_flag(GHashTable *attributes, const char *name, gboolean fallback)
{
    const char *value = g_hash_table_lookup(attributes, name);

    return value ? strcmp(value, "0") != 0 : fallback;
}

static guint attribute_number(GHashTable *attributes, const char *name, guint fallback)
{
    const char *value = g_hash_table_lookup(attributes, name);

    return value ? (guint)g_ascii_strtoull(value, NULL, 10) : fallback;
}

static gboolean authenticate(GHashTable *attributes, GError **error)
{
    const char *uid = g_hash_table_lookup(attributes, "uid");
    struct termios settings;
    struct termios quiet;
    char buffer[256];
    gboolean given;

    if (!uid || g_hash_table_contains(attributes, "pwd") ||
        g_hash_table_contains(attributes, "pwdcrypt"))
        return TRUE;
    if (!isatty(STDIN_FILENO)) {
        failure_set(error, TT_AUTHENTICATION, "User authentication failed: no password for %s",
                    uid);
        return FALSE;
    }
    fprintf(stderr, "Enter password for '%s': ", uid);
    tcgetattr(STDIN_FILENO, &settings);
    quiet = settings;
    quiet.c_lflag &= (tcflag_t)~ECHO;
    tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    given = fgets(buffer, sizeof buffer, stdin) != NULL;
    tcsetattr(STDIN_FILENO, TCSANOW, &settings);
    fputc('\n', stderr);
    if (!given)
        failure_set(error, TT_AUTHENTICATION, "User authentication failed");
    return given;
}

static Target *target_of_attributes(GHashTable *attributes, const char *dsn, GError **error)
{
    const char *data_store = g_hash_table_lookup(attributes, "datastore");
    Target *target;

    if (!data_store || !g_path_is_absolute(data_store)) {
        failure_set(error, TT_BAD_VALUE, "%s: attribute DataStore %s", dsn,
                    data_store ? "must be an absolute path" : "is missing");
        return NULL;
    }
    target = g_new0(Target, 1);
    target->dsn = g_strdup(dsn);
    target->data_store = g_strdup(data_store);
    target->log_dir = g_strdup(g_hash_table_lookup(attributes, "logdir"));
    target->uid = g_strdup(g_hash_table_lookup(attributes, "uid"));
    target->charset = g_strdup(g_hash_table_lookup(attributes, "databasecharacterset"));
    if (g_hash_table_lookup(attributes, "logfilesize"))
        target->log_file_size =
            (gint64)(g_ascii_strtod(g_hash_table_lookup(attributes, "logfilesize"), NULL) *
                     (1 << 20));
    target->segment_mb = attribute_number(attributes, "permsize", 32) +
                         attribute_number(attributes, "tempsize", 32) +
                         attribute_number(attributes, "logbufmb", 64);
    target->force_disconnect = attribute_flag(attributes, "forcedisconnectenabled", FALSE);
    target->auto_create = attribute_flag(attributes, "autocreate", TRUE);
    target->durable = attribute_flag(attributes, "durablecommits", FALSE);
    return target;
}

/* The attributes of a connection string; a bare word is a DSN. */
static GHashTable *parse_connection(const char *text)
{
    GHashTable *attributes = attributes_new();
    g_auto(GStrv) parts = g_strsplit(text, ";", -1);

    if (!strchr(text, '='))
        attribute_add(attributes, "dsn", text);
    for (guint i = 0; parts[i]; i++) {
        char *equals = strchr(parts[i], '=');

        if (!equals)
            continue;
        *equals = '\0';
        attribute_add(attributes, parts[i], equals + 1);
    }
    return attributes;
}

Target *target_find(const Instance *instance, const char *text, gboolean system_only,
                    GError **error)
{
    g_autoptr(GHashTable) attributes = parse_connection(text);
    g_autofree char *mine = system_only ? NULL : user_ini();
    g_autofree char *shared = system_ini(instance);
    g_autofree char *dsn = g_strdup(g_hash_table_lookup(attributes, "dsn"));

    if (!dsn || !*dsn ||
        (!read_section(mine, dsn, attributes) && !read_section(shared, dsn, attributes))) {
        failure_set(error, TT_NO_DSN, "Data source name not found and no default driver specified");
        return NULL;
    }
    if (!authenticate(attributes, error))
        return NULL;
    return target_of_attributes(attributes, dsn, error);
}

Target *target_of_path(const char *path)
{
    Target *target = g_new0(Target, 1);

    target->dsn = g_strdup("");
    target->data_store = g_strdup(path);
    return target;
}

void remote_free(Remote *remote)
{
    if (!remote)
        return;
    g_free(remote->host);
    g_free(remote->dsn);
    g_free(remote);
}

Remote *remote_find(const Instance *instance, const char *text, GError **error)
{
    g_autoptr(GHashTable) attributes = parse_connection(text);
    g_autofree char *mine = user_ini();
    g_autofree char *shared = system_ini(instance);
    const char *dsn = g_hash_table_lookup(attributes, "dsn");
    const char *host, *port, *timeout;
    g_autoptr(Remote) remote = g_new0(Remote, 1);
    guint64 number = 0;

    if (dsn && !read_section(mine, dsn, attributes) && !read_section(shared, dsn, attributes)) {
        failure_set(error, TT_NO_DSN, "Data source name not found and no default driver specified");
        return NULL;
    }
    host = g_hash_table_lookup(attributes, "ttc_server");
    port = g_hash_table_lookup(attributes, "tcp_port");
    timeout = g_hash_table_lookup(attributes, "ttc_timeout");
    remote->host = g_strdup(host);
    remote->dsn = g_strdup(g_hash_table_lookup(attributes, "ttc_server_dsn"));
    remote->timeout_s = timeout ? (guint)g_ascii_strtoull(timeout, NULL, 10) : 60;
    if (!host || !remote->dsn || !port ||
        !g_ascii_string_to_unsigned(port, 10, 1, G_MAXUINT16, &number, NULL)) {
        failure_set(error, TT_BAD_VALUE,
                    "A client needs TTC_Server, TTC_Server_DSN and a TCP_Port of 1 to 65535");
        return NULL;
    }
    remote->port = (guint16)number;
    return g_steal_pointer(&remote);
}
