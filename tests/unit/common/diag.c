/* The kernel tells who waits and who was accepted, by family and port. */
#include "common/diag.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
    guint64 inode; /* 0: any */
    guint found, queue, waiting, accepted;
} Count;

static void add(const DiagSocket *socket, gpointer data)
{
    Count *count = data;

    if (count->inode && socket->inode != count->inode)
        return;
    count->found++;
    count->queue += socket->queue;
    if (socket->inode)
        count->accepted++;
    else
        count->waiting++;
}

static guint64 inode_of(int fd)
{
    struct stat about;

    g_assert_cmpint(fstat(fd, &about), ==, 0);
    return about.st_ino;
}

static Count listening(int fd)
{
    g_autoptr(GError) error = NULL;
    Count count = { .inode = inode_of(fd) };

    g_assert_true(diag_listening(add, &count, &error));
    g_assert_no_error(error);
    return count;
}

static Count established(guint16 port)
{
    g_autoptr(GError) error = NULL;
    Count count = { 0 };

    g_assert_true(diag_established(port, add, &count, &error));
    g_assert_no_error(error);
    return count;
}

static int listen_on(int family, struct sockaddr_storage *address, socklen_t *length)
{
    int fd = socket(family, SOCK_STREAM, 0);

    memset(address, 0, sizeof *address);
    address->ss_family = family;
    *length = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    g_assert_cmpint(bind(fd, (struct sockaddr *)address, *length), ==, 0);
    g_assert_cmpint(listen(fd, 16), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)address, length), ==, 0);
    return fd;
}

static void test_tcp(gconstpointer data)
{
    int family = GPOINTER_TO_INT(data);
    struct sockaddr_storage address, other_address;
    socklen_t length, other_length;
    int fd = listen_on(family, &address, &length);
    int other = listen_on(family, &other_address, &other_length);
    guint16 port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    int clients[4], accepted[2];

    for (guint i = 0; i < 4; i++) {
        clients[i] = socket(family, SOCK_STREAM, 0);
        /* The last one at a neighbour's port, who must not be counted. */
        g_assert_cmpint(connect(clients[i],
                                (struct sockaddr *)(i < 3 ? &address : &other_address), length),
                        ==, 0);
    }
    g_assert_cmpuint(listening(fd).found, ==, 1);
    g_assert_cmpuint(listening(fd).queue, ==, 3);
    g_assert_cmpuint(established(port).waiting, ==, 3);
    for (guint i = 0; i < 2; i++)
        g_assert_cmpint(accepted[i] = accept(fd, NULL, NULL), >=, 0);
    g_assert_cmpuint(listening(fd).queue, ==, 1);
    g_assert_cmpuint(established(port).accepted, ==, 2);
    g_assert_cmpuint(established(port).waiting, ==, 1);
    for (guint i = 0; i < 2; i++)
        close(accepted[i]);
    g_assert_cmpuint(established(port).accepted, ==, 0);
    for (guint i = 0; i < 4; i++)
        close(clients[i]);
    close(fd);
    close(other);
}

static void test_path(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int clients[2];

    /* In the abstract namespace, so that nothing stays behind. */
    g_snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "timesten-diag-%d", getpid());
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(listen(fd, 16), ==, 0);
    for (guint i = 0; i < 2; i++) {
        clients[i] = socket(AF_UNIX, SOCK_STREAM, 0);
        g_assert_cmpint(connect(clients[i], (struct sockaddr *)&address, sizeof address), ==, 0);
    }
    g_assert_cmpuint(listening(fd).found, ==, 1);
    g_assert_cmpuint(listening(fd).queue, ==, 2);
    for (guint i = 0; i < 2; i++)
        close(clients[i]);
    close(fd);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/diag/waiting-and-accepted-are-told-apart/ipv4",
                         GINT_TO_POINTER(AF_INET), test_tcp);
    g_test_add_data_func("/diag/waiting-and-accepted-are-told-apart/ipv6",
                         GINT_TO_POINTER(AF_INET6), test_tcp);
    g_test_add_func("/diag/queue-of-a-path-is-counted", test_path);
    return g_test_run();
}
