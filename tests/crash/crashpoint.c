/* Kills (or stops) a process just before or just after a chosen call: LD_PRELOAD, for tests only.
 *
 * Whatever another process, the disk or systemd can see of the worker is a point: writes, syncs and
 * renames of the state, questions to PID 1, words to the keeper, READY=1. A point is named by the
 * record's last line and the number of calls since, "SEQ.CALL", because that stays the same from
 * run to run where the number of looks at a slow machine does not.
 *
 * It reads $CRASH_DIRECTORY/SERVER/control, where SERVER is the one that the worker's request names
 * (lines KEY=VALUE: AT=SEQ.CALL or MATCH=TEXT, WHEN=before, after or half, ACTION=kill or stop,
 * TIMES=N), appends each point to log and each shot to fired. Without a control file it does
 * nothing. */
#undef _FILE_OFFSET_BITS /* else pwrite and pwrite64 are one name */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

#define STATE   "/var/lib/timesten-upgrade/"
#define RUNTIME "/run/timesten-upgrade/"

#define REAL(name) ((__typeof__(&name))real_of(#name))

static struct {
    int loaded; /* 1: there is a control file */
    char directory[256];
    char at[64], match[256];
    int when; /* 'b', 'a' or 'h' */
    int stop;
    int times; /* shots left */
    unsigned long seq, call;
    char text[512];  /* of the point at hand */
    char asked[128]; /* the last look at a unit: how often it is repeated is a matter of luck */
} self;

static void *real_of(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (!found)
        abort();
    return found;
}

/* Raw calls: what this library does itself is no point. */
static void append_line(const char *file, const char *line)
{
    char path[512], text[640];
    int fd, length;

    snprintf(path, sizeof path, "%s/%s", self.directory, file);
    length = snprintf(text, sizeof text, "%s\n", line);
    fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    syscall(SYS_write, fd, text, length);
    syscall(SYS_close, fd);
}

static int read_file(const char *directory, const char *file, char *text, size_t size)
{
    char path[512];
    int fd;
    ssize_t count;

    snprintf(path, sizeof path, "%s/%s", directory, file);
    fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    count = syscall(SYS_read, fd, text, size - 1);
    syscall(SYS_close, fd);
    text[count > 0 ? count : 0] = '\0';
    return 1;
}

/* Several jobs may be at work side by side, each on a server and with a point of its own. */
static int find_directory(const char *id)
{
    char request[512], text[4096], *server;

    snprintf(request, sizeof request, STATE "jobs/%s", id);
    if (!getenv("CRASH_DIRECTORY") || !read_file(request, "request", text, sizeof text))
        return 0;
    server = strstr(text, "\nServer=");
    if (!server)
        return 0;
    server += strlen("\nServer=");
    server[strcspn(server, "\n")] = '\0';
    snprintf(self.directory, sizeof self.directory, "%.120s/%.120s", getenv("CRASH_DIRECTORY"),
             server);
    return 1;
}

__attribute__((constructor)) static void load(int argc, char **argv)
{
    char text[1024], fired[4096], *save = NULL;

    if (argc != 2 || !find_directory(argv[1]) ||
        !read_file(self.directory, "control", text, sizeof text))
        return;
    self.loaded = 1;
    self.when = 'b';
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
        else if (strcmp(line, "WHEN") == 0)
            self.when = value[0];
        else if (strcmp(line, "ACTION") == 0)
            self.stop = strcmp(value, "stop") == 0;
        else if (strcmp(line, "TIMES") == 0)
            self.times = atoi(value);
    }
    if (read_file(self.directory, "fired", fired, sizeof fired))
        for (char *c = fired; *c; c++)
            self.times -= *c == '\n';
}

static void shoot(void)
{
    append_line("fired", self.text);
    kill(getpid(), self.stop ? SIGSTOP : SIGKILL);
    self.times--;
}

/* Whether the point at hand is the chosen one. */
static int chosen(int when)
{
    char here[64];

    if (self.times <= 0 || when != self.when)
        return 0;
    snprintf(here, sizeof here, "%lu.%lu", self.seq, self.call);
    return self.at[0] ? strcmp(here, self.at) == 0 : self.match[0] && strstr(self.text, self.match);
}

__attribute__((format(printf, 1, 2))) static void point(const char *format, ...)
{
    va_list args;
    int length;

    self.call++;
    length = snprintf(self.text, sizeof self.text, "%lu.%lu ", self.seq, self.call);
    va_start(args, format);
    vsnprintf(self.text + length, sizeof self.text - length, format, args);
    va_end(args);
    append_line("log", self.text);
    if (chosen('b'))
        shoot();
}

static void passed(void)
{
    int problem = errno;

    if (chosen('a'))
        shoot();
    errno = problem;
}

/* Of the state, or of what lies beside it in /run; the progress is written by a clock, and so is
 * the directory made for it. */
static int is_ours(const char *path)
{
    if (!self.loaded || !path || strstr(path, "progress"))
        return 0;
    return strncmp(path, STATE, strlen(STATE)) == 0 ||
           (strncmp(path, RUNTIME, strlen(RUNTIME)) == 0 &&
            (self.seq == 0 || strchr(path + strlen(RUNTIME "job/"), '/') ||
             strncmp(path, RUNTIME "job/", strlen(RUNTIME "job/")) != 0));
}

static int our_file(int fd, char *path, size_t size)
{
    char link[64];
    ssize_t length;

    if (!self.loaded)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, size - 1);
    path[length > 0 ? length : 0] = '\0';
    return is_ours(path);
}

/* The random part of a temporary file's name would make each run another. */
static const char *plain(char *path)
{
    char *hash = strstr(path, "/.#");

    if (hash && strlen(path) > 6)
        path[strlen(path) - 6] = '\0';
    return path;
}

/* --- files --------------------------------------------------------------------------------------
 */

static ssize_t at_write(int fd, const void *data, size_t length, off64_t offset, int positioned)
{
    char path[512], event[32], step[64];
    unsigned long seq = 0;
    ssize_t done;
    int record;

    if (!our_file(fd, path, sizeof path))
        return positioned ? syscall(SYS_pwrite64, fd, data, length, offset)
                          : syscall(SYS_write, fd, data, length);
    record = sscanf(data, "%*s %lu %*s %31s %63s", &seq, event, step) == 3 &&
             strcmp(strrchr(path, '/'), "/record") == 0;
    if (record)
        point("record %s %s", event, step);
    else
        point("write %s", plain(path));
    if (chosen('h')) { /* as a power cut or a full disk leaves it */
        if (positioned)
            syscall(SYS_pwrite64, fd, data, length / 2, offset);
        else
            syscall(SYS_write, fd, data, length / 2);
        shoot();
    }
    done = positioned ? syscall(SYS_pwrite64, fd, data, length, offset)
                      : syscall(SYS_write, fd, data, length);
    passed();
    if (record) {
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
        int ours = our_file(fd, path, sizeof path), result;                                        \
                                                                                                   \
        if (ours)                                                                                  \
            point(word " %s", plain(path));                                                        \
        result = REAL(name) arguments;                                                             \
        if (ours)                                                                                  \
            passed();                                                                              \
        return result;                                                                             \
    }

ON_FILE(fsync, "sync", (int fd), (fd))
ON_FILE(fdatasync, "sync", (int fd), (fd))
ON_FILE(ftruncate, "truncate", (int fd, off_t length), (fd, length))
ON_FILE(ftruncate64, "truncate", (int fd, off64_t length), (fd, length))

#define ON_PATH(name, parameters, arguments)                                                       \
    int name parameters                                                                            \
    {                                                                                              \
        int ours = is_ours(path), result;                                                          \
                                                                                                   \
        if (ours)                                                                                  \
            point(#name " %s", path);                                                              \
        result = REAL(name) arguments;                                                             \
        if (ours)                                                                                  \
            passed();                                                                              \
        return result;                                                                             \
    }

ON_PATH(unlink, (const char *path), (path))
ON_PATH(rmdir, (const char *path), (path))
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode))
ON_PATH(rename, (const char *from, const char *path), (from, path))

/* --- sockets ------------------------------------------------------------------------------------
 */

static const char *peer_of(int fd, struct sockaddr_un *address)
{
    socklen_t size = sizeof *address;

    memset(address, 0, sizeof *address);
    if (getpeername(fd, (struct sockaddr *)address, &size) < 0 || address->sun_family != AF_UNIX)
        return "";
    return address->sun_path;
}

static const char *find_in(const struct msghdr *message, const char *wanted)
{
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        const char *found = memmem(message->msg_iov[i].iov_base, message->msg_iov[i].iov_len,
                                   wanted, strlen(wanted));

        if (found)
            return found;
    }
    return NULL;
}

/* What is asked of PID 1, and about which unit. */
static void name_question(const struct msghdr *message, char *text, size_t size)
{
    static const char *const members[] = {
        "StartTransientUnit", "StopUnit", "StartUnit", "RestartUnit",         "Reload",
        "ResetFailedUnit",    "GetAll",   "Subscribe", "ListUnitsByPatterns", "AUTH"
    };
    static const char *const units[] = { "timesten-util-", "timesten@", "timesten-server@",
                                         "timesten-upgraded", "timesten_" };
    const char *member = "?", *unit = NULL;

    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (find_in(message, members[i])) {
            member = members[i];
            break;
        }
    for (size_t i = 0; !unit && i < sizeof units / sizeof *units; i++)
        unit = find_in(message, units[i]);
    snprintf(text, size, "pid1 %s %.60s", member, unit ? unit : "");
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct sockaddr_un address;
    char text[128] = "";
    ssize_t done;

    if (self.loaded && strcmp(peer_of(fd, &address), "/run/systemd/private") == 0) {
        name_question(message, text, sizeof text);
        if (strcmp(text, self.asked) == 0)
            text[0] = '\0';
        else
            snprintf(self.asked, sizeof self.asked, "%s", strstr(text, "GetAll") ? text : "");
    } else if (self.loaded && find_in(message, "READY=1"))
        snprintf(text, sizeof text, "notify READY=1");
    if (text[0])
        point("%s", text);
    done = REAL(sendmsg)(fd, message, flags);
    if (text[0])
        passed();
    return done;
}

ssize_t send(int fd, const void *data, size_t length, int flags)
{
    struct sockaddr_un address;
    int ours = self.loaded &&
               strncmp(peer_of(fd, &address), RUNTIME "control/", strlen(RUNTIME "control/")) == 0;
    ssize_t done;

    if (ours)
        point("keeper %.*s", (int)strcspn(data, " \n"), (const char *)data);
    done = REAL(send)(fd, data, length, flags);
    if (ours)
        passed();
    return done;
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    const struct sockaddr_un *local = (const struct sockaddr_un *)address;
    int ours = self.loaded && local->sun_family == AF_UNIX && is_ours(local->sun_path), result;

    if (ours)
        point("connect %s", local->sun_path);
    result = REAL(connect)(fd, address, size);
    if (ours)
        passed();
    return result;
}
