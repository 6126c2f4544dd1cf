/* What may stand in instances.d/NAME.conf and servers.d/NAME.conf. Each value is checked where it
 * is read, so that nothing behind this file ever meets a word that a unit file or a command line
 * would misread. */
#include "state/inventory-file.h"
#include "common/error.h"
#include "common/names.h"
#include "common/nick.h"
#include "common/settings.h"
#include "timesten/release.h"
#include "common/text.h"

#include <arpa/inet.h>
#include <string.h>

#define INSTANCE  "Instance"
#define SERVER    "Server"
#define DSN_LIMIT 32 /* SQL_MAX_DSN_LENGTH of ODBC */
#define LONGEST   (24 * 3600 * USEC_PER_SEC)

static const SettingsKey instance_keys[] = {
    { INSTANCE, "Home" },    { INSTANCE, "Admin" },      { INSTANCE, "Unit" },
    { INSTANCE, "Release" }, { INSTANCE, "ServerPort" }, { INSTANCE, "Installation" },
    { NULL, NULL },
};

static const SettingsKey server_keys[] = {
    { SERVER, "Listen" },
    { SERVER, "Databases" },
    { SERVER, "Instance" },
    { SERVER, "Mode" },
    { SERVER, "PrivatePort" },
    { SERVER, "DrainSec" },
    { SERVER, "WorkDirectory" },
    { SERVER, "HoldLimitSec" },
    { SERVER, "OutageLimitSec" },
    { SERVER, "ProxyProtocol" },
    { SERVER, "ReplicationDelaySec" },
    { SERVER, "ReplicationLogFiles" },
    { NULL, NULL },
};

const char *const port_mode_nicks[] = { "relay", "inherit", NULL };

/* A file while it is being read. */
typedef struct {
    const Settings *settings;
    const char *section;
    GPtrArray *problems;
} Reader;

static const char *get(const Reader *reader, const char *key)
{
    return settings_get(reader->settings, reader->section, key);
}

static void complain(const Reader *reader, const char *key, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
static void complain(const Reader *reader, const char *key, const char *format, ...)
{
    g_autofree char *message = NULL;
    GError *error = NULL;
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    settings_complain(reader->settings, reader->section, key, &error, "%s", message);
    g_ptr_array_add(reader->problems, error);
}

/* Absolute, without detours and without what a unit file would read as something else; trailing
 * slashes are dropped. NULL with a problem. */
static char *read_directory(const Reader *reader, const char *key, const char *value)
{
    g_autofree char *path = g_strdup(value);
    gsize length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        path[--length] = '\0';
    for (const char *p = path; *p; p++)
        if (g_ascii_iscntrl(*p) || strchr("\"'\\$%;", *p)) {
            complain(reader, key,
                     "%s=%s has a character that cannot be used here: no quotes, \\, $, %% or ;. "
                     "Give the "
                     "directory another name, or a link to it",
                     key, value);
            return NULL;
        }
    if (path[0] != '/' || strstr(path, "/../") || g_str_has_suffix(path, "/..") || length < 2) {
        complain(
            reader, key,
            "%s=%s is no absolute path of a directory. Write the whole path from / on, without "
            "\"..\"",
            key, value);
        return NULL;
    }
    return g_steal_pointer(&path);
}

/* A port that may be left out; 0 then or with a problem. */
static guint16 read_port(const Reader *reader, const char *key)
{
    const char *value = get(reader, key);
    guint64 port = 0;

    if (value && !text_parse_uint64(value, 1, 65535, &port))
        complain(reader, key, "%s=%s is no port. Write a number from 1 to 65535", key, value);
    return port;
}

static gboolean is_user_name(const char *text)
{
    const gsize length = strlen(text);

    return length <= 32 && (g_ascii_isalpha(text[0]) || text[0] == '_') &&
           strspn(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_.-") == length;
}

static gboolean is_service_name(const char *text)
{
    const gsize length = strlen(text);

    return length < 256 && g_str_has_suffix(text, ".service") && length > strlen(".service") &&
           text[0] != '-' && !g_str_has_suffix(text, "@.service") &&
           strspn(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS ":-_.\\@") == length;
}

/* Two to five numbers with dots. What a release means is known to timesten/; here only the spelling
 * counts. */
static gboolean is_release(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, ".", -1);
    const guint count = g_strv_length(parts);
    guint64 number;

    for (guint i = 0; i < count; i++)
        if (!text_parse_uint64(parts[i], 0, 9999, &number))
            return FALSE;
    return count >= 2 && count <= 5;
}

void inventory_file_complain(const char *path, const char *section, const char *key,
                             GPtrArray *problems, const char *format, ...)
{
    const gboolean server = g_str_equal(section, SERVER);
    g_autoptr(Settings) settings = settings_load(path, server ? server_keys : instance_keys, NULL);
    g_autofree char *message = NULL;
    GError *error = NULL;
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    if (settings)
        settings_complain(settings, section, key, &error, "%s", message);
    else
        g_set_error(&error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION, "%s: %s", path, message);
    g_ptr_array_add(problems, error);
}

/* Its release is that of the installation, whichever the instance runs from now. */
static void read_installation(const Reader *reader, InstanceConfig *instance)
{
    const char *value = get(reader, "Installation");

    if (!value)
        return;
    if (value[0] != '/')
        complain(reader, "Installation",
                 "Installation=%s is no absolute path. Name the directory of the software, such as "
                 "/opt/TimesTen/tt" RELEASE_EXAMPLE,
                 value);
    instance->installation = g_strdup(value);
    if (!instance->release && !(instance->release = release_of_installation(value)))
        complain(reader, "Installation",
                 "The name of %s does not tell its release. Add Release=, as its ttVersion says it",
                 value);
}

InstanceConfig *instance_file_read(const char *path, const char *name, GPtrArray *problems)
{
    GError *error = NULL;
    g_autoptr(Settings) settings = settings_load(path, instance_keys, &error);
    const Reader reader = { settings, INSTANCE, problems };
    const guint before = problems->len;
    InstanceConfig *instance;
    const char *value;

    if (!settings) {
        g_ptr_array_add(problems, error);
        return NULL;
    }
    instance = g_new0(InstanceConfig, 1);
    instance->name = g_strdup(name);
    instance->file = g_strdup(path);
    if ((value = get(&reader, "Home")))
        instance->home = read_directory(&reader, "Home", value);
    else
        complain(&reader, "Home",
                 "Home= is missing. Add Home=DIRECTORY below [Instance], the directory that "
                 "has the instance's bin/");
    if ((value = get(&reader, "Admin")) && !is_user_name(value))
        complain(&reader, "Admin",
                 "Admin=%s cannot be the name of a user. Write the user who owns the "
                 "instance, or leave the line out",
                 value);
    instance->admin = g_strdup(value);
    if ((value = get(&reader, "Unit")) && !is_service_name(value))
        complain(&reader, "Unit",
                 "Unit=%s is no service unit. Write the full name, such as "
                 "tt_%s.service",
                 value, name);
    instance->unit = g_strdup(value);
    if ((value = get(&reader, "Release")) && !is_release(value))
        complain(&reader, "Release",
                 "Release=%s is no release. Write it as ttVersion does, such as "
                 RELEASE_EXAMPLE ", or leave the line out",
                 value);
    instance->release = g_strdup(value);
    read_installation(&reader, instance);
    instance->server_port = read_port(&reader, "ServerPort");
    if (problems->len > before)
        g_clear_pointer(&instance, instance_config_free);
    return instance;
}

guint16 listen_port(const char *listen)
{
    const char *colon = strrchr(listen, ':');
    g_autofree char *address = colon ? g_strndup(listen, colon - listen) : NULL;
    unsigned char binary[sizeof(struct in6_addr)];
    const gsize length = address ? strlen(address) : 0;
    gboolean fine = TRUE;
    guint64 port;

    if (length > 2 && address[0] == '[' && address[length - 1] == ']') {
        g_autofree char *inner = g_strndup(address + 1, length - 2);

        fine = inet_pton(AF_INET6, inner, binary) == 1;
    } else if (address) {
        fine = inet_pton(AF_INET, address, binary) == 1;
    }
    return fine && text_parse_uint64(colon ? colon + 1 : listen, 1, 65535, &port) ? port : 0;
}

static void read_listen(const Reader *reader, ServerConfig *server)
{
    const char *value = get(reader, "Listen");

    server->port = value ? listen_port(value) : 0;
    server->listen = g_strdup(value);
    if (!value)
        complain(reader, "Listen",
                 "Listen= is missing. Add Listen=PORT below [Server], the port that clients "
                 "connect to");
    else if (server->port == 0)
        complain(reader, "Listen",
                 "Listen=%s is no address. Write PORT, ADDRESS:PORT or [IPV6]:PORT with a "
                 "numeric address and a port from 1 to 65535",
                 value);
}

/* The characters that ODBC keeps out of a DSN, and those that a command line or a file name would
 * misread. */
gboolean dsn_is_valid(const char *text)
{
    const gsize length = strlen(text);

    for (const char *p = text; *p; p++)
        if (!g_ascii_isgraph(*p) || strchr("[]{}(),;?*=!@\\/\"'`$<>|&%", *p))
            return FALSE;
    return length >= 1 && length <= DSN_LIMIT && text[0] != '-' && text[0] != '.';
}

static void read_databases(const Reader *reader, ServerConfig *server)
{
    const char *value = get(reader, "Databases");
    g_auto(GStrv) words = g_strsplit_set(value ? value : "", " ,\t", -1);
    g_autoptr(GPtrArray) dsns = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; words[i]; i++) {
        if (!words[i][0])
            continue;
        if (!dsn_is_valid(words[i]))
            complain(reader, "Databases",
                     "Databases= has \"%s\", which cannot be a DSN. Write names from the "
                     "instance's sys.odbc.ini, at most %d characters each",
                     words[i], DSN_LIMIT);
        /* The driver does not tell cases apart. */
        else if (!g_hash_table_add(seen, g_ascii_strdown(words[i], -1)))
            complain(reader, "Databases", "Databases= has %s twice. Remove one", words[i]);
        g_ptr_array_add(dsns, g_strdup(words[i]));
    }
    if (dsns->len == 0)
        complain(reader, "Databases",
                 "Databases= is missing. Add Databases=DSN below [Server], all databases "
                 "that clients of this port use");
    g_ptr_array_add(dsns, NULL);
    server->databases = (char **)g_ptr_array_free(g_steal_pointer(&dsns), FALSE);
}

static void read_mode(const Reader *reader, ServerConfig *server)
{
    const char *value = get(reader, "Mode");
    int mode = MODE_RELAY;

    if (value && !nick_parse(port_mode_nicks, value, &mode))
        complain(reader, "Mode", "Mode=%s is unknown. Write Mode=relay or Mode=inherit, or leave the line out",
                 value);
    server->mode = mode;
}

static gboolean read_proxy(const Reader *reader)
{
    const char *value = get(reader, "ProxyProtocol");

    if (value && !g_str_equal(value, "yes") && !g_str_equal(value, "no"))
        complain(reader, "ProxyProtocol",
                 "ProxyProtocol=%s is neither yes nor no. Leave the line out unless the server "
                 "expects a PROXY header",
                 value);
    return g_strcmp0(value, "yes") == 0;
}

static guint64 read_timespan(const Reader *reader, const char *key, guint64 fallback, guint64 least,
                             gboolean may_be_infinite)
{
    const char *value = get(reader, key);
    guint64 usec;

    if (!value)
        return fallback;
    if (!text_parse_timespan(value, &usec))
        complain(reader, key,
                 "%s=%s is no time span. Write seconds, or a number with ms, s, min or h", key,
                 value);
    else if (usec == USEC_NEVER && !may_be_infinite)
        complain(reader, key,
                 "%s=infinity would let clients hang without end. Write a time span of at most 1d",
                 key);
    else if (!may_be_infinite && usec > LONGEST)
        complain(reader, key, "%s=%s is too long. Write a time span of at most 1d", key, value);
    else if (usec < least)
        complain(reader, key, "%s=%s is too short. Write a time span of at least 1s", key, value);
    else
        return usec;
    return fallback;
}

static guint read_log_files(const Reader *reader)
{
    const char *value = get(reader, "ReplicationLogFiles");
    guint64 files = 64;

    if (value && !text_parse_uint64(value, 2, 100000, &files))
        complain(reader, "ReplicationLogFiles",
                 "ReplicationLogFiles=%s is no number of log files. Write one from 2 to 100000",
                 value);
    return (guint)files;
}

ServerConfig *server_file_read(const char *path, const char *name, GPtrArray *problems)
{
    GError *error = NULL;
    g_autoptr(Settings) settings = settings_load(path, server_keys, &error);
    const Reader reader = { settings, SERVER, problems };
    const guint before = problems->len;
    ServerConfig *server;
    const char *value;

    if (!settings) {
        g_ptr_array_add(problems, error);
        return NULL;
    }
    server = g_new0(ServerConfig, 1);
    server->name = g_strdup(name);
    server->file = g_strdup(path);
    read_listen(&reader, server);
    read_databases(&reader, server);
    read_mode(&reader, server);
    value = get(&reader, "Instance");
    if (!value)
        complain(&reader, "Instance",
                 "Instance= is missing. Add Instance=NAME below [Server], the instance "
                 "that serves the databases today");
    else if (!name_is_valid(value))
        complain(&reader, "Instance",
                 "Instance=%s cannot be the name of an instance. Write the name of a file "
                 "in instances.d without .conf",
                 value);
    server->first_instance = g_strdup(value);
    server->private_port = read_port(&reader, "PrivatePort");
    server->proxy = read_proxy(&reader);
    server->drain_usec = read_timespan(&reader, "DrainSec", 10 * USEC_PER_SEC, 0, FALSE);
    server->hold_limit_usec =
        read_timespan(&reader, "HoldLimitSec", 60 * USEC_PER_SEC, USEC_PER_SEC, FALSE);
    server->outage_limit_usec =
        read_timespan(&reader, "OutageLimitSec", USEC_NEVER, USEC_PER_SEC, TRUE);
    server->outage_limit_given = get(&reader, "OutageLimitSec") != NULL;
    server->replication_delay_usec =
        read_timespan(&reader, "ReplicationDelaySec", 10 * USEC_PER_SEC, 0, FALSE);
    server->replication_log_files = read_log_files(&reader);
    if ((value = get(&reader, "WorkDirectory")))
        server->work_directory = read_directory(&reader, "WorkDirectory", value);
    if (problems->len > before)
        g_clear_pointer(&server, server_config_free);
    return server;
}

void instance_config_free(InstanceConfig *instance)
{
    if (!instance)
        return;
    g_free(instance->name);
    g_free(instance->file);
    g_free(instance->home);
    g_free(instance->admin);
    g_free(instance->unit);
    g_free(instance->release);
    g_free(instance->installation);
    g_free(instance);
}

void server_config_free(ServerConfig *server)
{
    if (!server)
        return;
    g_free(server->name);
    g_free(server->file);
    g_free(server->listen);
    g_free(server->wanted_listen);
    g_strfreev(server->databases);
    g_free(server->first_instance);
    g_free(server->work_directory);
    g_free(server->instance);
    g_free(server->previous_instance);
    g_clear_pointer(&server->backing, backing_free);
    g_free(server);
}
