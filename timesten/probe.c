/* Looks at an installation as its administrator: ttVersion, option file, sys.odbc.ini, the data
 * stores' directories. Changes nothing, and reads no more of a file or an output than a bounded
 * amount. Called by instance-helper, never by daemon or worker, which may not read these files.
 */
#include "timesten/probe.h"
#include "common/error.h"
#include "common/file.h"
#include "common/text.h"
#include "timesten/belief.h"
#include "timesten/capture.h"
#include "timesten/odbc.h"
#include "timesten/options.h"
#include "timesten/preload.h"
#include "timesten/utility.h"
#include "timesten/version.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FILE_LIMIT    (1024 * 1024) /* bytes of an option file or sys.odbc.ini */
#define VERSION_LIMIT (64 * 1024)   /* bytes that ttVersion may print */
#define ENTRY_LIMIT   100000        /* names in a directory that are looked at */
#define DATABASES     1024          /* DSNs of one instance */

/* File systems on which checkpoint and log files are a matter of the network (facts 2.1). */
static const guint32 network_types[] = {
    NFS_SUPER_MAGIC, SMB_SUPER_MAGIC,  CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, AFS_SUPER_MAGIC,
    AFS_FS_MAGIC,    CEPH_SUPER_MAGIC, CODA_SUPER_MAGIC, V9FS_MAGIC,       0x0bd00bd0, /* Lustre */
    0x47504653,                                                                        /* GPFS */
};

/* Releases as which ttVersion is tried while the release is not known yet: the words of its command
 * line differ, and the first that answers with a release is taken. */
static const struct {
    EraKind kind;
    const char *release;
    const char *source; /* what InstanceFacts.release_source then says */
} tries[] = {
    { ERA_ENVIRONMENT, "22.1", "ttVersion -m" },
    { ERA_PATH, "11.2.2", "ttVersion -m" },
    { ERA_PATH, "6.0", "ttVersion" },
};

EraKind probe_kind(const char *home)
{
    g_autofree char *conf = g_build_filename(home, "conf/timesten.conf", NULL);

    return g_file_test(conf, G_FILE_TEST_EXISTS) ? ERA_ENVIRONMENT : ERA_PATH;
}

/* One way of asking. NULL with an error that has what ttVersion printed. */
static Version *ask_version(const char *home, const char *text, GError **error)
{
    Release release;
    g_auto(GStrv) argv = NULL, environment = NULL;
    g_autofree char *output = NULL, *reason = NULL;
    g_autoptr(Version) version = NULL;
    int status;

    if (!release_parse(text, &release, error) ||
        !(argv = utility_argv(UTILITY_VERSION, home, &release, NULL, error)))
        return NULL;
    environment = utility_environment(UTILITY_VERSION, home, &release);
    if (!capture_run(argv, environment, utility_limit_usec(UTILITY_VERSION), VERSION_LIMIT, &output,
                     &status, error))
        return NULL;
    version = version_parse(output);
    if (status == 0 && version)
        return g_steal_pointer(&version);
    reason = text_one_line(output, 200);
    g_set_error(error, TU_ERROR, TU_ERROR_UTILITY_FAILED,
                "%s ended with exit status %d and printed no release: \"%s\"", argv[0], status,
                reason);
    return NULL;
}

static Version *find_version(const char *home, const char **ret_source, GError **error)
{
    g_autoptr(GError) problem = NULL;
    EraKind kind = probe_kind(home);

    for (guint i = 0; i < G_N_ELEMENTS(tries); i++) {
        Version *version;

        if (tries[i].kind != kind)
            continue;
        g_clear_error(&problem);
        if ((version = ask_version(home, tries[i].release, &problem))) {
            /* A banner may come as the answer to -m too. */
            *ret_source = version->keys ? tries[i].source : "ttVersion";
            return version;
        }
        if (problem->code == TU_ERROR_DEADLINE_PASSED)
            break; /* it would hang again */
    }
    g_set_error(error, TU_ERROR, problem->code,
                "%s. Correct Home=, or name the release with Release= of the instance",
                problem->message);
    return NULL;
}

static char *first_existing(const char *const *paths)
{
    for (guint i = 0; paths[i]; i++)
        if (g_file_test(paths[i], G_FILE_TEST_EXISTS))
            return g_strdup(paths[i]);
    return g_strdup(paths[0]);
}

/* sys.odbc.ini: HOME/info (or conf), else the daemon home, else the directory above it, which is
 * /var/TimesTen for a root install. */
static char *find_odbc(const InstanceFacts *facts, const Era *era)
{
    g_autofree char *own = g_build_filename(facts->home, era->odbc_ini, NULL);
    g_autofree char *daemon = g_build_filename(facts->daemon_home, "sys.odbc.ini", NULL);
    g_autofree char *above = g_path_get_dirname(facts->daemon_home);
    g_autofree char *shared = g_build_filename(above, "sys.odbc.ini", NULL);

    gboolean look_above = era->kind == ERA_PATH && belief_is_so(BELIEF_SHARED_ODBC_INI);

    return first_existing((const char *const[]){ own, daemon, look_above ? shared : NULL, NULL });
}

/* Whether the option file can be replaced: a new file is renamed over it. */
static gboolean can_replace(const char *path)
{
    g_autofree char *real = g_strdup(path);
    char *resolved = realpath(path, NULL);
    g_autofree char *directory = g_path_get_dirname(resolved ? resolved : real);
    gboolean writable = access(path, W_OK) == 0 && access(directory, W_OK | X_OK) == 0;

    free(resolved);
    return writable;
}

static guint16 port_option(const OptionsFile *options, const char *name)
{
    guint64 port;

    return name && text_parse_uint64(options_value(options, name), 1, 65535, &port) ? port : 0;
}

/* An instance of 18.1 and later takes its programs from the installation that it links to (D). */
static gboolean has_client_sql(const char *home, const Era *era)
{
    const char *name = belief_word(BELIEF_CLIENT_SQL_PROGRAM);
    g_autofree char *own = g_build_filename(home, "bin", name, NULL);
    g_autofree char *installed = g_build_filename(home, "install/bin", name, NULL);

    if (!name)
        return FALSE;
    return access(own, X_OK) == 0 || (era->kind == ERA_ENVIRONMENT && access(installed, X_OK) == 0);
}

static gboolean read_options(InstanceFacts *facts, const Era *era, GError **error)
{
    g_autofree char *text = file_read(facts->options_path, FILE_LIMIT, NULL, error);
    g_autoptr(OptionsFile) options = NULL;

    if (!text) {
        g_prefix_error(error, "The option file of the instance in %s: ", facts->home);
        return FALSE;
    }
    options = options_parse(text, era->kind);
    facts->server_port = options_server_port(options);
    facts->backwards_compat = options_backwards_compat(options);
    if (facts->daemon_port == 0)
        facts->daemon_port =
            port_option(options, era->kind == ERA_PATH ? belief_word(BELIEF_DAEMON_PORT_OPTION)
                                                       : "daemon_port");
    if (!facts->instance_name)
        facts->instance_name = g_strdup(options_value(options, "instance_name"));
    facts->options_writable = can_replace(facts->options_path);
    return TRUE;
}

static gboolean find_release(InstanceFacts *facts, const Version *version, const char *source,
                             const char *override, GError **error)
{
    if (override) {
        facts->release_source = g_strdup("configuration");
        return release_parse(override, &facts->release, error);
    }
    facts->release = version->release;
    facts->release_source = g_strdup(source);
    return TRUE;
}

InstanceFacts *probe_files(const char *home, const char *release_override, GError **error)
{
    g_autoptr(InstanceFacts) facts = facts_new();
    g_autoptr(GError) problem = NULL;
    g_autoptr(Version) version = NULL;
    const char *source = NULL;
    const Era *era;

    if (home[0] != '/' || !g_file_test(home, G_FILE_TEST_IS_DIR)) {
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION,
                    "%s is no directory. Correct Home= of the instance", home);
        return NULL;
    }
    facts->home = g_strdup(home);
    /* With a release from the configuration, a ttVersion that fails costs only what it alone knows.
     */
    version = find_version(home, &source, &problem);
    if (!version && !release_override) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    if (!find_release(facts, version, source, release_override, error))
        return NULL;
    era = release_era(&facts->release);
    if (version) {
        facts->instance_name = g_strdup(version->instance);
        facts->daemon_home = g_strdup(version->daemon_home);
        facts->admin = g_strdup(version->admin);
        facts->daemon_port = version->port;
        facts->bits = version->bits;
    }
    if (!facts->daemon_home || facts->daemon_home[0] != '/') {
        g_free(facts->daemon_home);
        facts->daemon_home = g_build_filename(home, "info", NULL);
    }
    if (!facts->admin && !(facts->admin = facts_guess_admin(home, error)))
        return NULL;
    facts->options_path = g_build_filename(era->kind == ERA_PATH ? facts->daemon_home : home,
                                           era->options_file, NULL);
    facts->odbc_path = find_odbc(facts, era);
    facts->pid_file = g_build_filename(facts->daemon_home, "timestend.pid", NULL);
    facts->client_sql = has_client_sql(home, era);
    facts->preload_problem = preload_find_problem(home);
    facts->preload_missing = preload_is_missing(facts->pid_file);
    return read_options(facts, era, error) ? g_steal_pointer(&facts) : NULL;
}

/* Whether a name in a directory is a file of the data store NAME: .ds0 .ds1 .logN .resN. */
static gboolean is_store_file(const char *entry, const char *name)
{
    static const char *const kinds[] = { ".ds", ".log", ".res" };
    gsize length = strlen(name);

    if (strncmp(entry, name, length) != 0)
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        const char *number = entry + length + strlen(kinds[i]);

        if (g_str_has_prefix(entry + length, kinds[i]) && number[0] &&
            number[strspn(number, G_CSET_DIGITS)] == '\0')
            return TRUE;
    }
    return FALSE;
}

/* Bytes of the store's files in one directory. */
static guint64 files_size(const char *directory, const char *name, gboolean *ret_checkpoint)
{
    DIR *stream = opendir(directory);
    struct dirent *entry;
    guint64 size = 0;
    guint seen = 0;

    while (stream && (entry = readdir(stream)) && seen++ < ENTRY_LIMIT) {
        struct stat status;

        if (!is_store_file(entry->d_name, name) ||
            fstatat(dirfd(stream), entry->d_name, &status, 0) < 0 || !S_ISREG(status.st_mode))
            continue;
        size += status.st_size;
        if (g_str_has_prefix(entry->d_name + strlen(name), ".ds"))
            *ret_checkpoint = TRUE;
    }
    if (stream)
        closedir(stream);
    return size;
}

static gboolean is_network(const char *directory)
{
    struct statfs status;

    if (statfs(directory, &status) < 0)
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(network_types); i++)
        if ((guint32)status.f_type == network_types[i])
            return TRUE;
    return FALSE;
}

static DatabaseFacts *look_at_database(const Dsn *dsn)
{
    DatabaseFacts *facts = g_new0(DatabaseFacts, 1);
    g_autofree char *directory = g_path_get_dirname(dsn->data_store);
    g_autofree char *name = g_path_get_basename(dsn->data_store);
    gboolean unused = FALSE;
    struct statvfs status;

    facts->dsn = g_strdup(dsn->name);
    facts->data_store = g_strdup(dsn->data_store);
    facts->log_directory = g_strdup(dsn->log_directory ? dsn->log_directory : directory);
    facts->character_set = g_strdup(g_hash_table_lookup(dsn->attributes, "databasecharacterset"));
    facts->size = files_size(directory, name, &facts->exists);
    if (!g_str_equal(facts->log_directory, directory))
        facts->size += files_size(facts->log_directory, name, &unused);
    facts->writable = access(directory, W_OK | X_OK) == 0;
    facts->network = is_network(directory) || is_network(facts->log_directory);
    if (statvfs(directory, &status) == 0) {
        facts->free_bytes = (guint64)status.f_bavail * status.f_frsize;
        /* Some file systems make inodes as they need them and say 0. */
        facts->free_inodes = status.f_files ? status.f_favail : G_MAXUINT64;
    }
    return facts;
}

gboolean facts_probe_databases(InstanceFacts *facts, GError **error)
{
    gboolean missing;
    g_autofree char *text = file_read(facts->odbc_path, FILE_LIMIT, &missing, error);
    g_autoptr(GPtrArray) dsns = NULL;

    if (!text && !missing) {
        g_prefix_error(error, "The DSNs of the instance in %s: ", facts->home);
        return FALSE;
    }
    dsns = odbc_parse(text ? text : "");
    g_ptr_array_set_size(facts->databases, 0);
    for (guint i = 0; i < dsns->len && facts->databases->len < DATABASES; i++) {
        const Dsn *dsn = dsns->pdata[i];

        /* Of two sections of one name the driver manager sees the first only. */
        if (dsn->data_store && !facts_find_database(facts, dsn->name))
            g_ptr_array_add(facts->databases, look_at_database(dsn));
    }
    return TRUE;
}

InstanceFacts *facts_probe(const char *home, const char *release_override, GError **error)
{
    g_autoptr(InstanceFacts) facts = probe_files(home, release_override, error);

    return facts && facts_probe_databases(facts, error) ? g_steal_pointer(&facts) : NULL;
}
