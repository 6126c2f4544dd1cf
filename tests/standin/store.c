#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"

#define RESERVE_SIZE 65536

static sqlite3_vfs log_vfs; /* the unix one, but "X.ds0-wal" is called "X.log0" */
static sqlite3_vfs *unix_vfs;

static char *file_of(const char *path, const char *extension)
{
    return g_strconcat(path, extension, NULL);
}

static GKeyFile *read_stamp(const char *path)
{
    g_autofree char *file = file_of(path, ".ds1");
    g_autoptr(GKeyFile) stamp = g_key_file_new();

    return g_key_file_load_from_file(stamp, file, G_KEY_FILE_NONE, NULL) ? g_steal_pointer(&stamp)
                                                                         : NULL;
}

static char *stamp_value(const char *path, const char *name)
{
    g_autoptr(GKeyFile) stamp = read_stamp(path);

    return stamp ? g_key_file_get_string(stamp, "store", name, NULL) : NULL;
}

/* Where the logs of a store are, as a path without extension. */
static char *log_path(const char *path)
{
    g_autofree char *directory = stamp_value(path, "logdir");
    g_autofree char *base = g_path_get_basename(path);

    return directory && *directory ? g_build_filename(directory, base, NULL) : g_strdup(path);
}

/* Interned, because SQLite keeps the pointer as long as the file is open. */
static const char *map_name(const char *name)
{
    g_autofree char *store = NULL;
    g_autofree char *logs = NULL;
    g_autofree char *log = NULL;

    if (!name || !g_str_has_suffix(name, ".ds0-wal"))
        return name;
    store = g_strndup(name, strlen(name) - strlen(".ds0-wal"));
    logs = log_path(store);
    log = file_of(logs, ".log0");
    return g_intern_string(log);
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    return unix_vfs->xOpen(unix_vfs, map_name(name), file, flags, out);
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    return unix_vfs->xDelete(unix_vfs, map_name(name), sync_directory);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    return unix_vfs->xAccess(unix_vfs, map_name(name), flags, out);
}

static void register_vfs(void)
{
    static gsize once;

    if (!g_once_init_enter(&once))
        return;
    unix_vfs = sqlite3_vfs_find("unix");
    log_vfs = *unix_vfs;
    log_vfs.zName = "timesten";
    log_vfs.xOpen = vfs_open;
    log_vfs.xDelete = vfs_delete;
    log_vfs.xAccess = vfs_access;
    sqlite3_vfs_register(&log_vfs, 0);
    g_once_init_leave(&once, 1);
}

void store_close(sqlite3 *database)
{
    sqlite3_close_v2(database);
}

gboolean store_exists(const char *path)
{
    g_autofree char *first = file_of(path, ".ds0");
    g_autofree char *second = file_of(path, ".ds1");

    return g_file_test(first, G_FILE_TEST_EXISTS) || g_file_test(second, G_FILE_TEST_EXISTS);
}

gboolean store_execute(sqlite3 *database, const char *sql, GError **error)
{
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK)
        return TRUE;
    failure_set(error, TT_ENGINE, "%s", sqlite3_errmsg(database));
    return FALSE;
}

static sqlite3 *open_file(const char *path, int flags, GError **error)
{
    g_autofree char *file = file_of(path, ".ds0");
    sqlite3 *database = NULL;

    register_vfs();
    if (sqlite3_open_v2(file, &database, flags, "timesten") != SQLITE_OK) {
        failure_set(error, TT_FILE, "Cannot open data store file %s: %s", file,
                    database ? sqlite3_errmsg(database) : "no memory");
        sqlite3_close(database);
        return NULL;
    }
    sqlite3_busy_timeout(database, 10000); /* LockWait's default */
    /* A data store always has a log file, so the last one to close leaves it there. */
    sqlite3_file_control(database, "main", SQLITE_FCNTL_PERSIST_WAL, &(int){ 1 });
    return database;
}

static gboolean write_reserve(const char *path, GError **error)
{
    g_autofree char *logs = log_path(path);
    g_autofree char *file = file_of(logs, ".res0");
    g_autofree char *zeroes = g_malloc0(RESERVE_SIZE);

    return g_file_set_contents_full(file, zeroes, RESERVE_SIZE, G_FILE_SET_CONTENTS_NONE, 0660,
                                    error);
}

gboolean store_create(const char *path, const char *log_dir, const char *release, GError **error)
{
    g_autofree char *stamp =
        g_strdup_printf("[store]\nrelease=%s\nlogdir=%s\n", release, log_dir ? log_dir : "");
    g_autofree char *file = file_of(path, ".ds1");
    g_autofree char *first = file_of(path, ".ds0");
    g_autoptr(sqlite3) database = NULL;

    if (!g_file_set_contents_full(file, stamp, -1, G_FILE_SET_CONTENTS_NONE, 0660, error) ||
        !write_reserve(path, error))
        return FALSE;
    database = open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error);
    if (!database || !store_execute(database,
                                    "PRAGMA journal_mode=WAL;"
                                    "CREATE TABLE \"TT META\" (name TEXT PRIMARY KEY, value TEXT);",
                                    error))
        return FALSE;
    if (chmod(first, 0660) < 0) {
        failure_set(error, TT_FILE, "Cannot create %s: %s", first, g_strerror(errno));
        return FALSE;
    }
    return store_set(database, "release", release, error);
}

void store_sync(const char *path)
{
    static const char *const names[] = { ".ds0", ".ds1" };
    g_autofree char *directory = g_path_get_dirname(path);

    for (guint i = 0; i <= G_N_ELEMENTS(names); i++) {
        g_autofree char *file =
            i < G_N_ELEMENTS(names) ? file_of(path, names[i]) : g_strdup(directory);
        int fd = open(file, O_RDONLY | O_CLOEXEC);

        if (fd >= 0) {
            fsync(fd);
            close(fd);
        }
    }
}

char *store_get(sqlite3 *database, const char *name)
{
    sqlite3_stmt *statement = NULL;
    char *value = NULL;

    if (sqlite3_prepare_v2(database, "SELECT value FROM \"TT META\" WHERE name = ?", -1, &statement,
                           NULL) != SQLITE_OK)
        return NULL;
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    if (sqlite3_step(statement) == SQLITE_ROW)
        value = g_strdup((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return value;
}

gboolean store_set(sqlite3 *database, const char *name, const char *value, GError **error)
{
    char *sql = value ? sqlite3_mprintf("REPLACE INTO \"TT META\" VALUES (%Q, %Q)", name, value)
                      : sqlite3_mprintf("DELETE FROM \"TT META\" WHERE name = %Q", name);
    gboolean done = store_execute(database, sql, error);

    sqlite3_free(sql);
    return done;
}

sqlite3 *store_open(const char *path, const Version *version, GError **error)
{
    g_autoptr(sqlite3) database = open_file(path, SQLITE_OPEN_READWRITE, error);
    g_autofree char *release = NULL;
    Version found;

    if (!database)
        return NULL;
    release = store_get(database, "release");
    if (!release || !version_parse(release, &found)) {
        failure_set(error, TT_NO_CHECKPOINT,
                    "No readable checkpoint files. OS error: '%s'. Consider connecting with "
                    "Overwrite=1 to create new data store",
                    sqlite3_errmsg(database));
        return NULL;
    }
    if (version && version_compare_major(&found, version) != 0) {
        failure_set(error, TT_OTHER_RELEASE, "Data store %s was created by TimesTen release %s",
                    path, release);
        return NULL;
    }
    if (!store_execute(database, "PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;", error))
        return NULL;
    return g_steal_pointer(&database);
}

int store_lock(const char *path, GError **error)
{
    g_autofree char *file = file_of(path, ".ds1");
    int lock = open(file, O_RDONLY | O_CLOEXEC);

    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0)
        return lock;
    failure_set(error, TT_IN_USE, "Data store %s is in use by another instance", path);
    if (lock >= 0)
        close(lock);
    return -1;
}

void store_unlock(int lock)
{
    close(lock);
}

char *store_release(const char *path)
{
    return stamp_value(path, "release");
}

/* PATH's files: fixed extensions, and .logN and .resN in the directory of the logs. g_strfreev().
 */
static char **store_files(const char *path)
{
    static const char *const fixed[] = { ".ds0-shm", ".ds0-journal", ".ds0", ".ds1" };
    g_autoptr(GStrvBuilder) files = g_strv_builder_new();
    g_autofree char *logs = log_path(path);
    g_autofree char *directory = g_path_get_dirname(logs);
    g_autofree char *base = g_path_get_basename(logs);
    g_autoptr(GDir) listing = g_dir_open(directory, 0, NULL);
    const char *name;

    while (listing && (name = g_dir_read_name(listing))) {
        const char *rest = g_str_has_prefix(name, base) ? name + strlen(base) : "";
        g_autofree char *file = g_build_filename(directory, name, NULL);

        if ((g_str_has_prefix(rest, ".log") || g_str_has_prefix(rest, ".res")) &&
            g_ascii_isdigit(rest[4]))
            g_strv_builder_add(files, file);
    }
    for (guint i = 0; i < G_N_ELEMENTS(fixed); i++) {
        g_autofree char *file = file_of(path, fixed[i]);

        if (g_file_test(file, G_FILE_TEST_EXISTS))
            g_strv_builder_add(files, file);
    }
    return g_strv_builder_end(files);
}

gboolean store_destroy(const char *path, GError **error)
{
    g_auto(GStrv) files = store_files(path);

    for (guint i = 0; files[i]; i++) {
        if (unlink(files[i]) < 0 && errno != ENOENT) {
            failure_set(error, TT_FILE, "Cannot remove %s: %s", files[i], g_strerror(errno));
            return FALSE;
        }
    }
    return TRUE;
}

guint64 store_size(const char *path)
{
    g_auto(GStrv) files = store_files(path);
    guint64 size = 0;

    for (guint i = 0; files[i]; i++) {
        struct stat status;

        if (stat(files[i], &status) == 0)
            size += (guint64)status.st_size;
    }
    return size;
}

int store_open_log(const char *path)
{
    g_autofree char *logs = log_path(path);
    g_autofree char *file = file_of(logs, ".log0");

    return open(file, O_RDWR | O_CLOEXEC);
}

static char *numbered_log(const char *path, gint64 number)
{
    g_autofree char *logs = log_path(path);

    return g_strdup_printf("%s.log%" G_GINT64_FORMAT, logs, number);
}

void store_keep_logs(const char *path, gint64 first, gint64 last, gboolean purge)
{
    gint64 number = MAX(last, 1);

    /* From the newest one back to the first that is there already. */
    for (; number >= MAX(first, 1) && last > 0; number--) {
        g_autofree char *file = numbered_log(path, number);
        int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0660);

        if (fd < 0)
            break;
        close(fd);
    }
    for (number = first - 1; purge && number >= 1; number--) {
        g_autofree char *file = numbered_log(path, number);

        if (unlink(file) < 0)
            break;
    }
}

gboolean store_copy(sqlite3 *from, sqlite3 *to, GError **error)
{
    sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
    gboolean done = copy && sqlite3_backup_step(copy, -1) == SQLITE_DONE;

    if (!done)
        failure_set(error, TT_FILE, "Cannot copy the data store: %s", sqlite3_errmsg(to));
    if (copy)
        sqlite3_backup_finish(copy);
    return done;
}
