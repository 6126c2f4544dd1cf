#include "common/file.h"
#include "common/error.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <glib/gstdio.h>

/* .#NAMEXXXXXX, where the X are as random as mkstemp makes them. */
#define TEMPORARY ".#"
#define RANDOM    "XXXXXX"

gboolean directory_sync(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int saved;

    if (fd < 0)
        return tu_error_errno(error, errno, "Cannot open directory %s", path);
    saved = fsync(fd) < 0 ? errno : 0;
    close(fd);
    return saved == 0 || tu_error_errno(error, saved, "Cannot sync directory %s", path);
}

static int write_all(int fd, const char *content, gsize length)
{
    while (length > 0) {
        ssize_t written = write(fd, content, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        content += written;
        length -= written;
    }
    return 0;
}

/* Writes and renames; SYNC decides whether it also survives a power cut. */
static gboolean replace(const char *path, const char *content, gssize length, mode_t mode,
                        gboolean sync, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *temporary =
        g_strconcat(directory, "/" TEMPORARY, strrchr(path, '/') + 1, RANDOM, NULL);
    int fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, mode);
    int problem = 0;

    if (fd < 0)
        return tu_error_errno(error, errno, "Cannot create a file in %s", directory);

    problem = write_all(fd, content, length < 0 ? strlen(content) : (gsize)length);
    if (problem == 0 && fchmod(fd, mode) < 0) /* past the umask */
        problem = errno;
    if (problem == 0 && sync && fsync(fd) < 0)
        problem = errno;
    if (close(fd) < 0 && problem == 0)
        problem = errno;
    if (problem == 0 && rename(temporary, path) < 0)
        problem = errno;
    if (problem != 0) {
        unlink(temporary);
        return tu_error_errno(error, problem, "Cannot write %s", path);
    }
    return !sync || directory_sync(directory, error);
}

gboolean file_replace_synced(const char *path, const char *content, gssize length, mode_t mode,
                             GError **error)
{
    return replace(path, content, length, mode, TRUE, error);
}

gboolean file_replace(const char *path, const char *content, gssize length, mode_t mode,
                      GError **error)
{
    return replace(path, content, length, mode, FALSE, error);
}

void file_forget_unfinished(const char *path)
{
    g_autofree char *above = g_path_get_dirname(path);
    g_autofree char *prefix = g_strconcat(TEMPORARY, strrchr(path, '/') + 1, NULL);
    gsize length = strlen(prefix) + strlen(RANDOM);
    g_autoptr(GDir) entries = g_dir_open(above, 0, NULL);

    for (const char *name; entries && (name = g_dir_read_name(entries));) {
        g_autofree char *found = g_build_filename(above, name, NULL);

        /* By length: "mainly" is no name that begins with "main". */
        if (g_str_has_prefix(name, prefix) && strlen(name) == length)
            unlink(found);
    }
}

gboolean directory_make_synced(const char *path, mode_t mode, GError **error)
{
    g_autofree char *above = g_path_get_dirname(path);

    if (mkdir(path, mode) < 0)
        return errno == EEXIST || tu_error_errno(error, errno, "Cannot create directory %s", path);
    return directory_sync(above, error);
}

char *file_read(const char *path, gsize limit, gboolean *ret_missing, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    g_autoptr(GString) content = g_string_new(NULL);
    char block[16384];
    ssize_t count;

    if (ret_missing)
        *ret_missing = fd < 0 && errno == ENOENT;
    if (fd < 0) {
        if (!ret_missing || !*ret_missing)
            tu_error_errno(error, errno, "Cannot open %s", path);
        return NULL;
    }
    while ((count = read(fd, block, sizeof block)) != 0 && content->len <= limit) {
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            tu_error_errno(error, errno, "Cannot read %s", path);
            close(fd);
            return NULL;
        }
        g_string_append_len(content, block, count);
    }
    close(fd);
    if (content->len > limit) {
        g_set_error(error, TU_ERROR, TU_ERROR_FAILED,
                    "%s is larger than %" G_GSIZE_FORMAT " bytes, which no file of its kind is",
                    path, limit);
        return NULL;
    }
    return g_string_free(g_steal_pointer(&content), FALSE);
}
