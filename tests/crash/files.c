/* Points on files: writes, syncs, renames and the like of the state, and of what lies beside it in
 * /run. point.c says what becomes of them. */
#undef _FILE_OFFSET_BITS /* else pwrite and pwrite64 are one name */
#include "point.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The progress is written by a clock, and so is the directory made for it. */
int files_are_ours(const char *path)
{
    if (!points.loaded || !path || strstr(path, "progress"))
        return 0;
    return starts_with(path, STATE) ||
           (!points.durable && starts_with(path, RUNTIME) &&
            (points.seq == 0 || strchr(path + strlen(RUNTIME "job/"), '/') ||
             !starts_with(path, RUNTIME "job/")));
}

static int our_file(int fd, char *path, size_t size)
{
    char link[64];
    ssize_t length;

    if (!points.loaded)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, size - 1);
    path[length > 0 ? length : 0] = '\0';
    return files_are_ours(path);
}

/* The random part of a temporary file's name would make each run another. */
static const char *plain(char *path)
{
    if (strstr(path, "/.#") && strlen(path) > 6)
        path[strlen(path) - 6] = '\0';
    return path;
}

static ssize_t write_now(int fd, const void *data, size_t length, off64_t offset, int positioned)
{
    return positioned ? syscall(SYS_pwrite64, fd, data, length, offset)
                      : syscall(SYS_write, fd, data, length);
}

static ssize_t at_write(int fd, const void *data, size_t length, off64_t offset, int positioned)
{
    char path[512], event[32], step[64];
    unsigned long seq = 0;
    ssize_t done;
    int record;

    if (!our_file(fd, path, sizeof path))
        return write_now(fd, data, length, offset, positioned);
    record = strcmp(strrchr(path, '/'), "/record") == 0 &&
             sscanf(data, "%*s %lu %*s %31s %63s", &seq, event, step) == 3;
    if (record ? point("record %s %s", event, step) : point("write %s", plain(path)))
        return -1;
    if (point_halves()) {
        write_now(fd, data, length / 2, offset, positioned);
        point_half_done();
    }
    done = write_now(fd, data, length, offset, positioned);
    point_passed();
    if (record && done > 0)
        point_record(seq);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset)
{
    return at_write(fd, data, length, offset, 1);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
    return at_write(fd, data, length, offset, 1);
}

ssize_t write(int fd, const void *data, size_t length)
{
    return at_write(fd, data, length, 0, 0);
}

#define ON_FILE(name, word, parameters, arguments)                                                 \
    int name parameters                                                                            \
    {                                                                                              \
        char path[512];                                                                            \
        int ours = our_file(fd, path, sizeof path), result;                                        \
                                                                                                   \
        if (ours && point(word " %s", plain(path)))                                                \
            return -1;                                                                             \
        result = REAL(name) arguments;                                                             \
        if (ours)                                                                                  \
            point_passed();                                                                        \
        return result;                                                                             \
    }

ON_FILE(fsync, "sync", (int fd), (fd))
ON_FILE(fdatasync, "sync", (int fd), (fd))
ON_FILE(ftruncate, "truncate", (int fd, off_t length), (fd, length))
ON_FILE(ftruncate64, "truncate", (int fd, off64_t length), (fd, length))

#define ON_PATH(name, parameters, arguments)                                                       \
    int name parameters                                                                            \
    {                                                                                              \
        int ours = files_are_ours(path), result;                                                   \
                                                                                                   \
        if (ours && point(#name " %s", path))                                                      \
            return -1;                                                                             \
        result = REAL(name) arguments;                                                             \
        if (ours)                                                                                  \
            point_passed();                                                                        \
        return result;                                                                             \
    }

ON_PATH(unlink, (const char *path), (path))
ON_PATH(rmdir, (const char *path), (path))
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode))
ON_PATH(rename, (const char *from, const char *path), (from, path))

/* An empty file is nothing that a kill behind it would not meet before the write. */
#define ON_OPEN(name, more)                                                                        \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        int ours = points.durable && (flags & O_ACCMODE) != O_RDONLY && files_are_ours(path), fd;  \
        char copy[512];                                                                            \
        va_list args;                                                                              \
        mode_t mode;                                                                               \
                                                                                                   \
        va_start(args, flags);                                                                     \
        mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;                           \
        va_end(args);                                                                              \
        snprintf(copy, sizeof copy, "%s", path);                                                   \
        if (ours && point("open %s", plain(copy)))                                                 \
            return -1;                                                                             \
        fd = syscall(SYS_openat, AT_FDCWD, path, flags | (more), mode);                            \
        if (ours)                                                                                  \
            point_passed();                                                                        \
        return fd;                                                                                 \
    }

ON_OPEN(open, 0)
ON_OPEN(open64, O_LARGEFILE)
