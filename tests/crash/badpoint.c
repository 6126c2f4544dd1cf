/* Lets chosen calls on the state fail with a chosen errno, and moves the clock: LD_PRELOAD, for
 * tests only.
 *
 * A point is named as in crashpoint.c, "SEQ.CALL": the number of the record's last line, and the
 * calls on files of the state since. It reads $CRASH_DIRECTORY/control (AT=SEQ.CALL or MATCH=TEXT,
 * ERRNO=NUMBER, TIMES=N calls from there on, at most until the file is gone) when a process begins,
 * appends each point to log and each failure to fired. $CRASH_DIRECTORY/clock, seconds by which the
 * time of day is wrong, is read with each look at the clock. */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define STATE "/var/lib/timesten-upgrade/"

static struct {
    int armed;
    char at[64], match[256];
    int problem, times;
    int begun; /* the chosen point was met */
    unsigned long seq, call;
} self;

static void *real_of(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (!found)
        abort();
    return found;
}
#define REAL(name) ((__typeof__(&name))real_of(#name))

/* Raw calls: what this library does itself is no point. */
static int open_ours(const char *file, int flags)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", getenv("CRASH_DIRECTORY"), file);
    return syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0644);
}

static void append_line(const char *file, const char *line)
{
    char text[640];
    int fd = open_ours(file, O_WRONLY | O_APPEND | O_CREAT);
    int length = snprintf(text, sizeof text, "%s\n", line);

    if (fd < 0)
        return;
    syscall(SYS_write, fd, text, length);
    syscall(SYS_close, fd);
}

static int read_ours(const char *file, char *text, size_t size)
{
    int fd = getenv("CRASH_DIRECTORY") ? open_ours(file, O_RDONLY) : -1;
    ssize_t count;

    if (fd < 0)
        return 0;
    count = syscall(SYS_read, fd, text, size - 1);
    syscall(SYS_close, fd);
    text[count > 0 ? count : 0] = '\0';
    return 1;
}

static int is_there(const char *file)
{
    int fd = open_ours(file, O_RDONLY);

    if (fd >= 0)
        syscall(SYS_close, fd);
    return fd >= 0;
}

__attribute__((constructor)) static void load(void)
{
    char text[1024], fired[65536], *save = NULL;

    if (!read_ours("control", text, sizeof text))
        return;
    self.armed = 1;
    self.times = 1;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *value = strchr(line, '=');

        if (!value)
            continue;
        *value++ = '\0';
        if (strcmp(line, "AT") == 0)
            snprintf(self.at, sizeof self.at, "%s", value);
        else if (strcmp(line, "MATCH") == 0)
            snprintf(self.match, sizeof self.match, "%s", value);
        else if (strcmp(line, "ERRNO") == 0)
            self.problem = atoi(value);
        else if (strcmp(line, "TIMES") == 0)
            self.times = atoi(value);
    }
    if (read_ours("fired", fired, sizeof fired))
        for (char *c = fired; *c; c++)
            if (*c == '\n') {
                self.times--;
                self.begun = 1;
            }
}

/* Counts a call and says whether it is to fail. */
__attribute__((format(printf, 1, 2))) static int fails(const char *format, ...)
{
    char text[512], here[64];
    va_list args;
    int length = snprintf(text, sizeof text, "%lu.%lu ", self.seq, ++self.call);

    va_start(args, format);
    vsnprintf(text + length, sizeof text - length, format, args);
    va_end(args);
    append_line("log", text);
    snprintf(here, sizeof here, "%lu.%lu", self.seq, self.call);
    self.begun |=
        self.at[0] ? strcmp(here, self.at) == 0 : self.match[0] && strstr(text, self.match) != NULL;
    if (!self.problem || !self.begun || self.times <= 0 || !is_there("control"))
        return 0;
    self.times--;
    append_line("fired", text);
    errno = self.problem;
    return 1;
}

static int is_ours(const char *path)
{
    return self.armed && path && strncmp(path, STATE, strlen(STATE)) == 0;
}

static int our_file(int fd, char *path, size_t size)
{
    char link[64];
    ssize_t length;

    if (!self.armed)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, size - 1);
    path[length > 0 ? length : 0] = '\0';
    return is_ours(path);
}

/* The random part of a temporary file's name would make each run another. */
static const char *plain(char *path)
{
    if (strstr(path, "/.#") && strlen(path) > 6)
        path[strlen(path) - 6] = '\0';
    return path;
}

/* --- files --------------------------------------------------------------------------------------
 */

static ssize_t at_write(int fd, const void *data, size_t length, off64_t offset, int positioned)
{
    char path[512], event[32] = "", step[64] = "";
    unsigned long seq = 0;
    int ours = our_file(fd, path, sizeof path);
    int record = ours && strcmp(strrchr(path, '/'), "/record") == 0 &&
                 sscanf(data, "%*s %lu %*s %31s %63s", &seq, event, step) == 3;
    ssize_t done;

    if (ours && (record ? fails("record %s %s", event, step) : fails("write %s", plain(path))))
        return -1;
    done = positioned ? syscall(SYS_pwrite64, fd, data, length, offset)
                      : syscall(SYS_write, fd, data, length);
    if (record && done > 0) {
        self.seq = seq;
        self.call = 0;
    }
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
                                                                                                   \
        if (our_file(fd, path, sizeof path) && fails(word " %s", plain(path)))                     \
            return -1;                                                                             \
        return REAL(name) arguments;                                                               \
    }

ON_FILE(fsync, "sync", (int fd), (fd))
ON_FILE(fdatasync, "sync", (int fd), (fd))
ON_FILE(ftruncate, "truncate", (int fd, off_t length), (fd, length))
ON_FILE(ftruncate64, "truncate", (int fd, off64_t length), (fd, length))

#define ON_PATH(name, parameters, arguments)                                                       \
    int name parameters                                                                            \
    {                                                                                              \
        if (is_ours(path) && fails(#name " %s", path))                                             \
            return -1;                                                                             \
        return REAL(name) arguments;                                                               \
    }

ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode))
ON_PATH(rename, (const char *from, const char *path), (from, path))

static int at_open(const char *path, int flags, mode_t mode)
{
    char copy[512];

    snprintf(copy, sizeof copy, "%s", path);
    if (is_ours(path) && (flags & O_ACCMODE) != O_RDONLY && fails("open %s", plain(copy)))
        return -1;
    return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return at_open(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return at_open(path, flags | O_LARGEFILE, mode);
}

/* --- the time of day ----------------------------------------------------------------------------
 */

static long wrong_by(void)
{
    char text[64];

    return read_ours("clock", text, sizeof text) ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = syscall(SYS_clock_gettime, clock, now);

    if (result == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += wrong_by();
    return result;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec exact;
    int result = clock_gettime(CLOCK_REALTIME, &exact);

    *now = (struct timeval){ exact.tv_sec, exact.tv_nsec / 1000 };
    return result;
}

time_t time(time_t *now)
{
    struct timespec exact;

    clock_gettime(CLOCK_REALTIME, &exact);
    if (now)
        *now = exact.tv_sec;
    return exact.tv_sec;
}
