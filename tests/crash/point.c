/* Kills or stops a process just before or just after a chosen call, or lets the call fail:
 * LD_PRELOAD, for tests only. files.c and sockets.c have the calls.
 *
 * A point is named by the record's last line and the number of calls since, "SEQ.CALL", because
 * that stays the same from run to run where the number of looks at a slow machine does not.
 *
 * It reads $CRASH_DIRECTORY/NAME/control, where NAME is $CRASH_NAME or else the server that the
 * worker's request names (lines KEY=VALUE: AT=SEQ.CALL or MATCH=TEXT, WHEN=before, after or half,
 * ACTION=kill, stop or fail, TIMES=N, ERRNO=N), appends each point to log and each shot to fired.
 * From its point on N calls fail, at most until the control file is gone. Without such a file it
 * does nothing. */
#include "point.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct Points points;

static struct {
    char directory[256];
    char at[64], match[256];
    int when;       /* 'b', 'a' or 'h' */
    int action;     /* 'k', 's' or 'f' */
    int times;      /* shots left */
    int problem;    /* errno of calls that fail */
    int begun;      /* they do from here on */
    char text[512]; /* of the point at hand */
} self;

void *point_real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (!found)
        abort();
    return found;
}

/* Raw calls: what this library does itself is no point. */
static int open_file(const char *directory, const char *file, int flags)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", directory, file);
    return syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0644);
}

static void append_line(const char *file, const char *line)
{
    char text[640];
    int length = snprintf(text, sizeof text, "%s\n", line);
    int fd = open_file(self.directory, file, O_WRONLY | O_APPEND | O_CREAT);

    if (fd < 0)
        return;
    syscall(SYS_write, fd, text, length);
    syscall(SYS_close, fd);
}

static int read_file(const char *directory, const char *file, char *text, size_t size)
{
    int fd = open_file(directory, file, O_RDONLY);
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
    int fd = open_file(self.directory, file, O_RDONLY);

    if (fd >= 0)
        syscall(SYS_close, fd);
    return fd >= 0;
}

/* Several jobs may be at work side by side, each on a server and with a point of its own. */
static int find_directory(int argc, char **argv)
{
    char request[512], text[4096], *server = getenv("CRASH_NAME");

    if (!getenv("CRASH_DIRECTORY"))
        return 0;
    if (!server) {
        if (argc != 2)
            return 0;
        snprintf(request, sizeof request, STATE "jobs/%s", argv[1]);
        server =
            read_file(request, "request", text, sizeof text) ? strstr(text, "\nServer=") : NULL;
        if (!server)
            return 0;
        server += strlen("\nServer=");
        server[strcspn(server, "\n")] = '\0';
    }
    snprintf(self.directory, sizeof self.directory, "%.120s/%.120s", getenv("CRASH_DIRECTORY"),
             server);
    return 1;
}

static void take_line(const char *key, const char *value)
{
    if (strcmp(key, "AT") == 0)
        snprintf(self.at, sizeof self.at, "%s", value);
    else if (strcmp(key, "MATCH") == 0)
        snprintf(self.match, sizeof self.match, "%s", value);
    else if (strcmp(key, "WHEN") == 0)
        self.when = value[0];
    else if (strcmp(key, "ACTION") == 0)
        self.action = value[0];
    else if (strcmp(key, "TIMES") == 0)
        self.times = atoi(value);
    else if (strcmp(key, "ERRNO") == 0)
        self.problem = atoi(value);
}

__attribute__((constructor)) static void load(int argc, char **argv)
{
    char text[1024], fired[65536], *save = NULL;

    if (!find_directory(argc, argv) || !read_file(self.directory, "control", text, sizeof text))
        return;
    points.loaded = 1;
    self.when = 'b';
    self.times = 1;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *value = strchr(line, '=');

        if (!value)
            continue;
        *value++ = '\0';
        take_line(line, value);
    }
    /* A daemon's other calls come as its callers do; what fails is the disk. */
    points.durable = getenv("CRASH_NAME") || self.action == 'f';
    if (read_file(self.directory, "fired", fired, sizeof fired))
        for (char *c = fired; *c; c++)
            self.times -= *c == '\n';
    self.begun = self.action == 'f' && is_there("fired");
}

static void shoot(void)
{
    append_line("fired", self.text);
    self.times--;
    if (self.action != 'f')
        kill(getpid(), self.action == 's' ? SIGSTOP : SIGKILL);
}

/* Whether the point at hand is the chosen one. */
static int chosen(int when)
{
    char here[64];

    if (self.times <= 0 || when != self.when)
        return 0;
    snprintf(here, sizeof here, "%lu.%lu", points.seq, points.call);
    return self.at[0] ? strcmp(here, self.at) == 0 : self.match[0] && strstr(self.text, self.match);
}

int point(const char *format, ...)
{
    va_list args;
    int length;

    points.call++;
    length = snprintf(self.text, sizeof self.text, "%lu.%lu ", points.seq, points.call);
    va_start(args, format);
    vsnprintf(self.text + length, sizeof self.text - length, format, args);
    va_end(args);
    append_line("log", self.text);
    if (self.action == 'f') {
        self.begun |= chosen('b');
        if (!self.begun || self.times <= 0 || !is_there("control"))
            return 0;
        shoot();
        errno = self.problem;
        return -1;
    }
    if (chosen('b'))
        shoot();
    return 0;
}

void point_passed(void)
{
    int problem = errno;

    if (chosen('a'))
        shoot();
    errno = problem;
}

int point_halves(void)
{
    return chosen('h');
}

void point_half_done(void)
{
    shoot();
}

void point_record(unsigned long seq)
{
    points.seq = seq;
    points.call = 0;
}
