/* Facts as text and back, by one table of fields, so that the two directions cannot drift apart.
 *
 * The text crosses from the administrator's side to ours: whatever it holds, parsing it ends with
 * facts or with an error. Used by instance-helper (format), daemon and worker (parse).
 */
#include "timesten/facts.h"
#include "common/error.h"
#include "common/file.h"
#include "common/text.h"
#include "timesten/options.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#define CONF_LIMIT    (1024 * 1024) /* bytes of a timesten.conf */
#define UNRESERVED    "/:;,+@()[]{}='\"!$&*?<>|~^#"
#define MAX_DATABASES 4096 /* sections; an instance has a handful */

typedef enum { TYPE_STRING, TYPE_UINT64, TYPE_UINT16, TYPE_UINT, TYPE_BOOLEAN, TYPE_RELEASE } Type;

typedef struct {
    const char *key;
    Type type;
    gsize offset;
} Field;

#define INSTANCE(key, type, member)                                                                \
    {                                                                                              \
        key, type, G_STRUCT_OFFSET(InstanceFacts, member)                                          \
    }
#define DATABASE(key, type, member)                                                                \
    {                                                                                              \
        key, type, G_STRUCT_OFFSET(DatabaseFacts, member)                                          \
    }

static const Field instance_fields[] = {
    INSTANCE("Home", TYPE_STRING, home),
    INSTANCE("Release", TYPE_RELEASE, release),
    INSTANCE("ReleaseSource", TYPE_STRING, release_source),
    INSTANCE("InstanceName", TYPE_STRING, instance_name),
    INSTANCE("DaemonHome", TYPE_STRING, daemon_home),
    INSTANCE("Admin", TYPE_STRING, admin),
    INSTANCE("OptionsPath", TYPE_STRING, options_path),
    INSTANCE("OdbcPath", TYPE_STRING, odbc_path),
    INSTANCE("PidFile", TYPE_STRING, pid_file),
    INSTANCE("DaemonPort", TYPE_UINT16, daemon_port),
    INSTANCE("ServerPort", TYPE_UINT16, server_port),
    INSTANCE("BackwardsCompat", TYPE_BOOLEAN, backwards_compat),
    INSTANCE("OptionsWritable", TYPE_BOOLEAN, options_writable),
    INSTANCE("ClientSql", TYPE_BOOLEAN, client_sql),
    INSTANCE("PreloadProblem", TYPE_STRING, preload_problem),
    INSTANCE("PreloadMissing", TYPE_BOOLEAN, preload_missing),
    INSTANCE("Bits", TYPE_UINT, bits),
};

static const Field database_fields[] = {
    DATABASE("Dsn", TYPE_STRING, dsn),
    DATABASE("DataStore", TYPE_STRING, data_store),
    DATABASE("LogDirectory", TYPE_STRING, log_directory),
    DATABASE("Exists", TYPE_BOOLEAN, exists),
    DATABASE("Size", TYPE_UINT64, size),
    DATABASE("FreeBytes", TYPE_UINT64, free_bytes),
    DATABASE("FreeInodes", TYPE_UINT64, free_inodes),
    DATABASE("Writable", TYPE_BOOLEAN, writable),
    DATABASE("Network", TYPE_BOOLEAN, network),
    DATABASE("CharacterSet", TYPE_STRING, character_set),
};

#define MEMBER(base, field, type) G_STRUCT_MEMBER(type, base, (field)->offset)

static void free_strings(gpointer base, const Field *fields, gsize count)
{
    for (gsize i = 0; i < count; i++)
        if (fields[i].type == TYPE_STRING)
            g_free(MEMBER(base, &fields[i], char *));
    g_free(base);
}

static void database_free(gpointer database)
{
    free_strings(database, database_fields, G_N_ELEMENTS(database_fields));
}

InstanceFacts *facts_new(void)
{
    InstanceFacts *facts = g_new0(InstanceFacts, 1);

    facts->databases = g_ptr_array_new_with_free_func(database_free);
    return facts;
}

void facts_free(InstanceFacts *facts)
{
    if (!facts)
        return;
    g_ptr_array_unref(facts->databases);
    free_strings(facts, instance_fields, G_N_ELEMENTS(instance_fields));
}

/* A value as text; NULL for a string that is not there. Every byte but plain ones is escaped with
 * %XX, so a value is always one line of ASCII. */
static char *format_value(gconstpointer base, const Field *field)
{
    switch (field->type) {
    case TYPE_STRING: {
        const char *text = MEMBER(base, field, const char *);

        return text ? g_uri_escape_string(text, UNRESERVED, FALSE) : NULL;
    }
    case TYPE_UINT64:
        return g_strdup_printf("%" G_GUINT64_FORMAT, MEMBER(base, field, const guint64));
    case TYPE_UINT16:
        return g_strdup_printf("%u", MEMBER(base, field, const guint16));
    case TYPE_UINT:
        return g_strdup_printf("%u", MEMBER(base, field, const guint));
    case TYPE_BOOLEAN:
        return g_strdup(MEMBER(base, field, const gboolean) ? "yes" : "no");
    case TYPE_RELEASE:
        return release_format(&MEMBER(base, field, const Release));
    }
    return NULL;
}

static void format_section(GString *text, const char *section, gconstpointer base,
                           const Field *fields, gsize count)
{
    g_string_append_printf(text, "[%s]\n", section);
    for (gsize i = 0; i < count; i++) {
        g_autofree char *value = format_value(base, &fields[i]);

        if (value)
            g_string_append_printf(text, "%s=%s\n", fields[i].key, value);
    }
}

static char *format_instance(const InstanceFacts *facts)
{
    GString *text = g_string_new(NULL);

    format_section(text, "Instance", facts, instance_fields, G_N_ELEMENTS(instance_fields));
    return g_string_free(text, FALSE);
}

char *facts_format_databases(const InstanceFacts *facts)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < facts->databases->len; i++)
        format_section(text, "Database", facts->databases->pdata[i], database_fields,
                       G_N_ELEMENTS(database_fields));
    return g_string_free(text, FALSE);
}

char *facts_format(const InstanceFacts *facts)
{
    g_autofree char *instance = format_instance(facts);
    g_autofree char *databases = facts_format_databases(facts);

    return g_strconcat(instance, databases, NULL);
}

static gboolean parse_number(const char *value, guint64 max, guint64 *ret)
{
    return text_parse_uint64(value, 0, max, ret);
}

static gboolean parse_string(const char *value, char **to)
{
    char *plain = g_uri_unescape_string(value, NULL);

    if (!plain)
        return FALSE;
    g_free(*to);
    *to = plain;
    return TRUE;
}

static gboolean parse_value(gpointer base, const Field *field, const char *value)
{
    guint64 number = 0;

    switch (field->type) {
    case TYPE_STRING:
        return parse_string(value, &MEMBER(base, field, char *));
    case TYPE_UINT64:
        return parse_number(value, G_MAXUINT64, &MEMBER(base, field, guint64));
    case TYPE_UINT16:
        if (!parse_number(value, G_MAXUINT16, &number))
            return FALSE;
        MEMBER(base, field, guint16) = number;
        return TRUE;
    case TYPE_UINT:
        if (!parse_number(value, G_MAXUINT, &number))
            return FALSE;
        MEMBER(base, field, guint) = number;
        return TRUE;
    case TYPE_BOOLEAN:
        MEMBER(base, field, gboolean) = g_str_equal(value, "yes");
        return g_str_equal(value, "yes") || g_str_equal(value, "no");
    case TYPE_RELEASE:
        return release_parse(value, &MEMBER(base, field, Release), NULL);
    }
    return FALSE;
}

/* The section that is being read. */
typedef struct {
    gpointer base;
    const Field *fields;
    gsize count;
} Section;

static gboolean parse_line(const Section *section, char *line)
{
    char *equals = strchr(line, '=');

    if (!section->base || !equals)
        return FALSE;
    *equals = '\0';
    for (gsize i = 0; i < section->count; i++)
        if (g_str_equal(section->fields[i].key, line))
            return parse_value(section->base, &section->fields[i], equals + 1);
    return FALSE;
}

static gboolean begin_section(InstanceFacts *facts, Section *section, const char *line)
{
    if (g_str_equal(line, "[Instance]") && !section->base) {
        *section = (Section){ facts, instance_fields, G_N_ELEMENTS(instance_fields) };
    } else if (g_str_equal(line, "[Database]") && section->base &&
               facts->databases->len < MAX_DATABASES) {
        *section =
            (Section){ g_new0(DatabaseFacts, 1), database_fields, G_N_ELEMENTS(database_fields) };
        g_ptr_array_add(facts->databases, section->base);
    } else {
        return FALSE;
    }
    return TRUE;
}

/* What every reader relies on being there. */
static gboolean is_complete(const InstanceFacts *facts)
{
    for (guint i = 0; i < facts->databases->len; i++) {
        const DatabaseFacts *database = facts->databases->pdata[i];

        if (!database->dsn || !database->data_store || !database->log_directory)
            return FALSE;
    }
    return facts->home && facts->release.parts > 0 && facts->release_source && facts->daemon_home &&
           facts->admin && facts->options_path && facts->odbc_path && facts->pid_file;
}

InstanceFacts *facts_parse(const char *text, GError **error)
{
    g_autoptr(InstanceFacts) facts = facts_new();
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    Section section = { 0 };

    for (guint i = 0; lines[i]; i++) {
        gboolean good =
            lines[i][0] == '\0' || (lines[i][0] == '[' ? begin_section(facts, &section, lines[i])
                                                       : parse_line(&section, lines[i]));
        g_autofree char *shown = NULL;

        if (good)
            continue;
        shown = text_one_line(lines[i], 100);
        g_set_error(error, TU_ERROR, TU_ERROR_FAILED,
                    "The facts about an instance cannot be read, line %u: \"%s\". Run "
                    "instance-helper probe by hand to see what it prints",
                    i + 1, shown);
        return NULL;
    }
    if (!is_complete(facts)) {
        g_set_error(error, TU_ERROR, TU_ERROR_FAILED,
                    "The facts about an instance are not complete. Run instance-helper probe by "
                    "hand to see what it prints");
        return NULL;
    }
    return g_steal_pointer(&facts);
}

InstanceFacts *facts_with_databases(const InstanceFacts *facts, const char *text, GError **error)
{
    g_autofree char *instance = format_instance(facts);
    /* What is no section of its own must not go on with that of the instance. */
    g_autofree char *whole =
        g_strconcat(instance, text[0] == '\0' || text[0] == '[' ? "" : "[]\n", text, NULL);

    return facts_parse(whole, error);
}

const DatabaseFacts *facts_find_database(const InstanceFacts *facts, const char *dsn)
{
    for (guint i = 0; dsn && i < facts->databases->len; i++) {
        const DatabaseFacts *database = facts->databases->pdata[i];

        if (g_ascii_strcasecmp(database->dsn, dsn) == 0)
            return database;
    }
    return NULL;
}

/* Owner of HOME/BELOW, not following a link. */
static gboolean owner_of(const char *home, const char *below, uid_t *ret)
{
    g_autofree char *path = g_build_filename(home, below, NULL);
    struct stat status;

    if (lstat(path, &status) < 0 || S_ISLNK(status.st_mode))
        return FALSE;
    *ret = status.st_uid;
    return TRUE;
}

static char *user_name(uid_t uid)
{
    struct passwd entry, *found = NULL;
    char buffer[16384];

    if (getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) != 0 || !found)
        return NULL;
    return g_strdup(found->pw_name);
}

/* admin_user= of a timesten.conf that only root can have written. A file of anybody else is not
 * believed: it could name root, and the programs that would then run as root are its owner's. */
static char *admin_of_conf(const char *home, uid_t owner)
{
    g_autofree char *path = g_build_filename(home, "conf/timesten.conf", NULL);
    g_autofree char *text = owner == 0 ? file_read(path, CONF_LIMIT, NULL, NULL) : NULL;
    g_autoptr(OptionsFile) options = text ? options_parse(text, ERA_ENVIRONMENT) : NULL;
    const char *name = options ? options_value(options, "admin_user") : NULL;

    return name && name[0] ? g_strdup(name) : NULL;
}

char *facts_guess_admin(const char *home, GError **error)
{
    uid_t programs, state;
    gboolean environment = owner_of(home, "conf/timesten.conf", &state);
    char *name;

    if (!owner_of(home, "bin", &programs)) {
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION,
                    "%s/bin cannot be looked at (%s), so this is no TimesTen instance. Correct "
                    "Home= of the instance",
                    home, g_strerror(errno));
        return NULL;
    }
    if (!environment && !owner_of(home, "info", &state))
        state = programs; /* a root install, whose state lies in /var/TimesTen */
    if (environment && (name = admin_of_conf(home, state)))
        return name;
    /* Programs of one user are never run as another one, unless that user is root. */
    if (programs != 0 && state != programs) {
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION,
                    "The programs and the state of %s belong to different users (%u and %u). Name "
                    "the instance administrator with Admin= of the instance",
                    home, programs, state);
        return NULL;
    }
    if (!(name = user_name(state)))
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION,
                    "The owner of %s, user id %u, has no name. Name the instance administrator "
                    "with Admin= of the instance",
                    home, state);
    return name;
}
