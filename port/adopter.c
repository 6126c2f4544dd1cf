/* port-adopter: finds the sockets at which a running server listens, and gives them to its keeper.
 *
 * The only program of the project that needs a right over other people's processes
 * (CAP_SYS_PTRACE, for pidfd_getfd(2)), and therefore a small one. It never stops or changes the
 * server. Run by the worker as a transient unit of root with that one capability.
 */
#include "port/keeper.h"
#include "port/parcel.h"
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"
#include "common/text.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TABLE_LIMIT  (64 * 1024 * 1024)
#define ANSWER_LIMIT 2048
#define ANSWER_MSEC  10000
#define LISTENING    0x0A /* TCP_LISTEN, as /proc/net/tcp writes it */

typedef struct {
    guint16 port;
    guint32 pid; /* of the server; 0: it does not run */
    guint32 user;
} Wish;

/* Inodes of all sockets that listen on a port, whoever has them. */
static GArray *find_inodes(guint16 port)
{
    static const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };
    GArray *inodes = g_array_new(FALSE, FALSE, sizeof(guint64));

    for (guint i = 0; i < G_N_ELEMENTS(tables); i++) {
        g_autofree char *text = file_read(tables[i], TABLE_LIMIT, NULL, NULL);

        for (const char *line = text ? strchr(text, '\n') : NULL; line && line[1];
             line = strchr(line + 1, '\n')) {
            unsigned local, state;
            guint64 inode;

            if (sscanf(line + 1, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*u %*u %"
                                 G_GINT64_MODIFIER "u", &local, &state, &inode) == 3 &&
                local == port && state == LISTENING)
                g_array_append_val(inodes, inode);
        }
    }
    return inodes;
}

/* A line of /proc/PID/status as a number; MISSING where there is none. */
static guint64 read_status(guint32 pid, const char *key, guint64 missing)
{
    g_autofree char *path = g_strdup_printf("/proc/%u/status", pid);
    g_autofree char *text = file_read(path, 64 * 1024, NULL, NULL);
    const char *line = text ? strstr(text, key) : NULL;
    guint64 value;

    return line && sscanf(line + strlen(key), " %" G_GINT64_MODIFIER "u", &value) == 1 ? value
                                                                                       : missing;
}

/* A duplicate of the socket with this inode, if the process has it; -1. Its table is walked by
 * number: /proc/PID/fd is its owner's alone, and to read it would take one capability more. */
static int duplicate(int pidfd, guint32 pid, guint64 inode)
{
    const guint64 slots = read_status(pid, "\nFDSize:", 0);

    for (guint64 theirs = 0; theirs < slots; theirs++) {
        int ours = syscall(SYS_pidfd_getfd, pidfd, (int)theirs, 0);
        struct stat st;

        if (ours < 0 && errno != EBADF)
            return -1;
        if (ours >= 0 && fstat(ours, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == inode)
            return ours;
        if (ours >= 0)
            close(ours);
    }
    errno = ENOENT;
    return -1;
}

static gboolean has_socket(guint32 pid, guint64 inode)
{
    int pidfd = syscall(SYS_pidfd_open, pid, 0);
    int found = pidfd < 0 ? -1 : duplicate(pidfd, pid, inode);

    if (pidfd >= 0)
        close(pidfd);
    if (found >= 0)
        close(found);
    return found >= 0;
}

static char *describe(guint64 pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%" G_GUINT64_FORMAT "/comm", pid);
    g_autofree char *comm = file_read(path, 256, NULL, NULL);
    g_autofree char *shown = text_one_line(comm ? comm : "?", 32);

    return g_strdup_printf("process %" G_GUINT64_FORMAT " (%s)", pid, shown);
}

/* "process 812 (nginx)" for whoever else has the socket; g_free(). */
static char *name_owner(guint64 inode)
{
    DIR *processes = opendir("/proc");
    char *name = NULL;

    for (struct dirent *entry; processes && !name && (entry = readdir(processes));) {
        guint64 pid;

        if (!text_parse_uint64(entry->d_name, 1, G_MAXINT32, &pid) ||
            !has_socket(pid, inode))
            continue;
        name = describe(pid);
    }
    if (processes)
        closedir(processes);
    return name ? name : g_strdup("a process that cannot be seen from here");
}

/* Its real user, so that no program of another user passes for the server. */
static gboolean check_user(const Wish *wish, GError **error)
{
    guint64 user = read_status(wish->pid, "\nUid:", G_MAXUINT64);

    if (user == wish->user)
        return TRUE;
    if (user == G_MAXUINT64)
        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE, "Process %u has ended", wish->pid);
    return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                        "Process %u is of user %u and not of the instance's administrator (user "
                        "%u), so it is not its TimesTen Server",
                        wish->pid, (guint)user, wish->user);
}

static gboolean is_the_listener(int fd, guint16 port)
{
    struct sockaddr_storage own = { 0 };
    socklen_t length = sizeof own, size = sizeof(int);
    int listening = 0;
    guint16 bound = 0;

    if (getsockname(fd, (struct sockaddr *)&own, &length) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0)
        return FALSE;
    if (own.ss_family == AF_INET)
        bound = ntohs(((struct sockaddr_in *)&own)->sin_port);
    else if (own.ss_family == AF_INET6)
        bound = ntohs(((struct sockaddr_in6 *)&own)->sin6_port);
    return listening && bound == port;
}

static gboolean take_one(const Wish *wish, int pidfd, guint64 inode, GArray *into, GError **error)
{
    int ours = pidfd < 0 ? -1 : duplicate(pidfd, wish->pid, inode);

    if (ours < 0 && pidfd >= 0 && errno != ENOENT)
        return tu_error_errno(error, errno, "Cannot duplicate descriptors of process %u",
                              wish->pid);
    if (ours < 0) {
        g_autofree char *owner = name_owner(inode);

        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "Port %u is listened on by %s, not by the TimesTen Server of the "
                            "instance%s. End that, or name another port",
                            wish->port, owner, wish->pid ? "" : ", which does not run");
    }
    g_array_append_val(into, ours);
    return is_the_listener(ours, wish->port) ||
           tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                        "The socket of process %u does not listen on port %u any more. Try again",
                        wish->pid, wish->port);
}

/* The pidfd first, then the sockets. Where nobody listens and no server runs: none. */
static gboolean take(const Wish *wish, GArray *into, GError **error)
{
    g_autoptr(GArray) inodes = find_inodes(wish->port);
    int pidfd = -1;

    if (wish->pid) {
        pidfd = syscall(SYS_pidfd_open, wish->pid, 0);
        if (pidfd < 0)
            return tu_error_errno(error, errno, "Cannot open process %u", wish->pid);
        g_array_append_val(into, pidfd);
        if (!check_user(wish, error))
            return FALSE;
    }
    for (guint i = 0; i < inodes->len; i++)
        if (!take_one(wish, pidfd, g_array_index(inodes, guint64, i), into, error))
            return FALSE;
    if (wish->pid && inodes->len == 0)
        return tu_error_set(error, TU_ERROR_NOT_POSSIBLE,
                            "Process %u does not listen on port %u (nor does anybody else)",
                            wish->pid, wish->port);
    return inodes->len < PARCEL_LIMIT ||
           tu_error_set(error, TU_ERROR_NOT_POSSIBLE, "%u sockets listen on port %u", inodes->len,
                        wish->port);
}

static gboolean give(const char *server, const GArray *descriptors, GError **error)
{
    int fd = keeper_connect(server, error);
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    char line[ANSWER_LIMIT] = "";
    gboolean ok = FALSE;

    if (fd < 0)
        return FALSE;
    if (!parcel_send(fd, "adopt\n", descriptors))
        tu_error_errno(error, errno, "Cannot speak to the keeper of server %s", server);
    else if (poll(&wait, 1, ANSWER_MSEC) != 1 || recv(fd, line, sizeof line - 1, 0) <= 0)
        tu_error_set(error, TU_ERROR_FAILED, "The keeper of server %s does not answer", server);
    else
        ok = keeper_answer(g_strchomp(line), NULL, error);
    close(fd);
    return ok;
}

static gboolean run(const char *server, const Wish *wish, GError **error)
{
    g_autoptr(GArray) descriptors = g_array_new(FALSE, FALSE, sizeof(int));

    if (!take(wish, descriptors, error) || (server && !give(server, descriptors, error)))
        return FALSE;
    printf("%u sockets listen on port %u%s\n", wish->pid ? descriptors->len - 1 : 0, wish->port,
           server ? "; the keeper has them, too" : "");
    return TRUE;
}

static gboolean parse(char **words, Wish *ret)
{
    guint64 port, pid, user;

    if (!text_parse_uint64(words[0], 1, G_MAXUINT16, &port) ||
        !text_parse_uint64(words[1], 0, G_MAXINT32, &pid) ||
        !text_parse_uint64(words[2], 0, G_MAXUINT32 - 1, &user))
        return FALSE;
    *ret = (Wish){ port, pid, user };
    return TRUE;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    gboolean look = argc == 5 && g_str_equal(argv[1], "look");
    gboolean taking = argc == 6 && g_str_equal(argv[1], "take") && name_is_valid(argv[2]);
    Wish wish;

    if ((!look && !taking) || !parse(argv + (look ? 2 : 3), &wish)) {
        fputs("port-adopter look PORT PID USER\n"
              "port-adopter take SERVER PORT PID USER\n\n"
              "Gives the sockets at which process PID of USER listens on PORT to the keeper of "
              "SERVER. Called by upgrade-job.\n",
              stderr);
        return 2;
    }
    if (run(look ? NULL : argv[2], &wish, &error))
        return EXIT_SUCCESS;
    printf("error: %s\n", error->message);
    return EXIT_FAILURE;
}
