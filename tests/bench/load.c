/* The two ends of the port's benchmark: a server that echoes and clients that ask it.
 *
 * Plain and quick, so that what stands between them is most of the cost. Each end is one thread.
 * A run prints one JSON object. Used by tests/bench/port and tests/crowd.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE 64
#define EVENTS  256
#define BULK    'B' /* a connection that begins so is sent bytes without end */

/* A source address has a limited number of ports; with a second address there are more. */
#define PER_SOURCE 3000

typedef struct {
    int state;
    double began;
} Connection;

static Connection *connections; /* by descriptor */
static char block[256 * 1024];

static volatile sig_atomic_t enough;

static void on_enough(int number)
{
    (void)number;
    enough = 1;
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void say_ready(void)
{
    puts("ready");
    fflush(stdout);
}

static void prepare(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    connections = calloc(limit.rlim_max, sizeof *connections);
}

static void watch(int epoll, int fd, int operation, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.fd = fd };

    if (epoll_ctl(epoll, operation, fd, &event) < 0)
        die("epoll_ctl");
}

static struct sockaddr_in address(const char *host, const char *port)
{
    struct sockaddr_in result = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };

    if (inet_pton(AF_INET, host, &result.sin_addr) != 1)
        die(host);
    return result;
}

/* The server */

static unsigned sessions;

static void drop(int fd)
{
    close(fd);
    sessions--;
}

static void answer(int epoll, int fd)
{
    ssize_t count;

    if (connections[fd].state == BULK) {
        count = send(fd, block, sizeof block, MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN)
            drop(fd);
        return;
    }
    count = recv(fd, block, sizeof block, 0);
    if (count > 0 && block[0] == BULK) {
        connections[fd].state = BULK;
        watch(epoll, fd, EPOLL_CTL_MOD, EPOLLOUT);
    } else if (count > 0 ? send(fd, block, count, MSG_NOSIGNAL) != count
                         : errno != EAGAIN || !count) {
        drop(fd);
    }
}

/* One's own, or what systemd would hand over. */
static int listener_at(char **words)
{
    struct sockaddr_in here = address(words[0], words[1]);
    int fd = 3, on = 1;

    if (getenv("LISTEN_FDS"))
        return fd;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&here, sizeof here) < 0 || listen(fd, 65535) < 0)
        die("listen");
    return fd;
}

/* Stops as a good server does: no new clients, and the end when the old ones have gone. */
static int serve(char **words)
{
    int listener = listener_at(words), epoll = epoll_create1(0), count;
    struct epoll_event events[EVENTS];

    fcntl(listener, F_SETFL, O_NONBLOCK);
    watch(epoll, listener, EPOLL_CTL_ADD, EPOLLIN);
    signal(SIGTERM, on_enough);
    say_ready();
    do {
        if (enough && listener >= 0) {
            epoll_ctl(epoll, EPOLL_CTL_DEL, listener, NULL);
            close(listener);
            listener = -1;
        }
        count = enough && !sessions ? 0 : epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;

            if (fd != listener) {
                answer(epoll, fd);
                continue;
            }
            for (int batch = 0; batch < 64; batch++) {
                if ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0)
                    break;
                connections[fd].state = 0;
                sessions++;
                watch(epoll, fd, EPOLL_CTL_ADD, EPOLLIN);
            }
        }
    } while (!enough || sessions);
    return 0;
}

/* The clients */

/* Latencies in steps of 1/32 of their size, from 1 µs on. */
#define STEPS 32
static uint32_t histogram[40 * STEPS];
static uint64_t answers, broken, refused, reset;
static double longest;

static void record(double seconds)
{
    uint64_t ns = seconds > 0 ? seconds * 1e9 : 0;
    unsigned high = 0;

    while ((ns >> high) >= 2 * STEPS)
        high++;
    histogram[high * STEPS + (ns >> high)]++;
    answers++;
    if (seconds > longest)
        longest = seconds;
}

static double percentile(double part)
{
    uint64_t seen = 0;

    for (unsigned i = 0; i < sizeof histogram / sizeof *histogram; i++) {
        seen += histogram[i];
        if (seen > answers * part) {
            unsigned high = i < 2 * STEPS ? 0 : i / STEPS - 1;

            return (double)((uint64_t)(i - high * STEPS) << high) / 1e3;
        }
    }
    return 0;
}

/* NUMBER: of the client, for an address of its own where one has not the ports for all. On loopback
 * the handshake is over when connect() returns, so who asks at once needs no event for it. */
static int begin_connect(const struct sockaddr_in *to, unsigned number)
{
    struct sockaddr_in from = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

    if (fd < 0)
        die("socket");
    if (number >= PER_SOURCE) {
        from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + number / PER_SOURCE);
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0)
            die("bind");
    }
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) < 0 && errno != EINPROGRESS &&
        errno != ECONNREFUSED)
        die("connect");
    return fd;
}

static int ask(int fd)
{
    static const char message[MESSAGE] = "?";

    return send(fd, message, sizeof message, MSG_NOSIGNAL) == MESSAGE;
}

/* Between a client's failure and its next try. */
#define PAUSE_MSEC 1

/* Clients that are to try again, and since when they want an answer. */
static unsigned failed;
static double *failed_since;

/* ERRNUM: why; 0: the end of the stream. */
static void fail(int fd, int errnum)
{
    if (errnum == ECONNREFUSED)
        refused++;
    else if (errnum == ECONNRESET || errnum == EPIPE || errnum == 0)
        reset++;
    else
        broken++;
    close(fd);
    failed_since[failed++] = connections[fd].began;
}

static void begin_client(int epoll, const struct sockaddr_in *to, double since)
{
    int fd = begin_connect(to, 0);

    connections[fd] = (Connection){ MESSAGE, since };
    if (ask(fd)) {
        watch(epoll, fd, EPOLL_CTL_ADD, EPOLLIN);
    } else if (errno == EAGAIN) {
        connections[fd].state = 0;
        watch(epoll, fd, EPOLL_CTL_ADD, EPOLLOUT);
    } else {
        fail(fd, errno);
    }
}

static void continue_client(int epoll, const struct sockaddr_in *to, int fd, int fresh)
{
    ssize_t got;
    double then;

    if (!connections[fd].state) { /* connected, or not */
        connections[fd].state = MESSAGE;
        if (ask(fd))
            watch(epoll, fd, EPOLL_CTL_MOD, EPOLLIN);
        else
            fail(fd, errno);
        return;
    }
    got = recv(fd, block, sizeof block, 0);
    if (got != MESSAGE) {
        fail(fd, got < 0 ? errno : 0);
        return;
    }
    then = now();
    record(then - connections[fd].began);
    connections[fd].began = then;
    if (fresh) {
        close(fd);
        if (!enough)
            begin_client(epoll, to, then);
    } else if (!ask(fd)) {
        fail(fd, errno);
    }
}

/* All are connected and served once before the clock starts. */
static void begin_session(int epoll, const struct sockaddr_in *to)
{
    int fd = begin_connect(to, 0), on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, 0);
    if (!ask(fd) || recv(fd, block, MESSAGE, MSG_WAITALL) != MESSAGE)
        die("first answer");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    watch(epoll, fd, EPOLL_CTL_ADD, EPOLLIN);
    connections[fd].state = MESSAGE;
}

static void begin_all(int epoll, const struct sockaddr_in *to, int count, int fresh)
{
    for (int i = 0; i < count; i++)
        if (fresh)
            begin_client(epoll, to, now());
    for (int fd = 0, left = fresh ? 0 : count; left > 0; fd++)
        if (connections[fd].state == MESSAGE) {
            connections[fd].began = now();
            ask(fd);
            left--;
        }
}

/* COUNT clients that ask again and again, with FRESH each over a new connection; until the time is
 * over or SIGTERM. */
static int exchange(char **words, int fresh)
{
    struct sockaddr_in to = address(words[0], words[1]);
    int count = atoi(words[2]), epoll = epoll_create1(0);
    double end, began = 0, paused = 0, seconds = atof(words[3]);
    struct epoll_event events[EVENTS];

    failed_since = calloc(count, sizeof *failed_since);
    signal(SIGTERM, on_enough);
    for (int i = 0; i < count && !fresh; i++)
        begin_session(epoll, &to);
    say_ready();
    began = now();
    end = began + seconds;
    begin_all(epoll, &to, count, fresh);
    while (now() < end && !enough) {
        int ready = epoll_wait(epoll, events, EVENTS, failed ? PAUSE_MSEC : 1000);

        for (int i = 0; i < ready; i++)
            continue_client(epoll, &to, events[i].data.fd, fresh);
        if (!failed || now() < paused + PAUSE_MSEC / 1e3)
            continue;
        paused = now();
        for (unsigned again = fresh ? failed : 0, i = failed = 0; i < again; i++)
            begin_client(epoll, &to, failed_since[i]); /* may fail again: into a place before i */
    }
    end = now();
    /* Who is under way has a right to an answer; after SIGTERM only, because the clock is stopped. */
    for (int ready; enough && (ready = epoll_wait(epoll, events, EVENTS, 200)) > 0;)
        for (int i = 0; i < ready; i++)
            continue_client(epoll, &to, events[i].data.fd, fresh);
    printf("{\"count\": %lu, \"per_s\": %.1f, \"p50_us\": %.2f, \"p99_us\": %.2f, "
           "\"longest_ms\": %.1f, \"refused\": %lu, \"reset\": %lu, \"broken\": %lu}\n",
           (unsigned long)answers, answers / (end - began), percentile(.5), percentile(.99),
           longest * 1e3, (unsigned long)refused, (unsigned long)reset, (unsigned long)broken);
    return 0;
}

static int requests(char **words)
{
    return exchange(words, 0);
}

static int connects(char **words)
{
    return exchange(words, 1);
}

static int bulk(char **words)
{
    struct sockaddr_in to = address(words[0], words[1]);
    int fd = begin_connect(&to, 0);
    double began, seconds = atof(words[2]);
    uint64_t total = 0;

    fcntl(fd, F_SETFL, 0);
    send(fd, "B", 1, 0);
    recv(fd, block, sizeof block, 0);
    say_ready();
    began = now();
    while (now() < began + seconds) {
        ssize_t count = recv(fd, block, sizeof block, 0);

        if (count <= 0)
            die("recv");
        total += count;
    }
    printf("{\"count\": %.1f, \"per_s\": %.1f}\n", total / 1e6, total / (now() - began) / 1e6);
    return 0;
}

/* COUNT sessions that have been used once and then rest until the standard input ends. */
static int idle(char **words)
{
    struct sockaddr_in to = address(words[0], words[1]);
    int count = atoi(words[2]);

    for (int i = 0; i < count; i++) {
        int fd = begin_connect(&to, i);

        fcntl(fd, F_SETFL, 0);
        if (!ask(fd) || recv(fd, block, MESSAGE, MSG_WAITALL) != MESSAGE)
            die("first answer");
    }
    say_ready();
    while (read(STDIN_FILENO, block, 1) > 0)
        ;
    return 0;
}

static void wait_connected(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
    int problem = 0;
    socklen_t length = sizeof problem;

    if (poll(&poll_fd, 1, 20000) < 1)
        errno = ETIMEDOUT;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &length) == 0 && problem != 0)
        errno = problem;
    else
        return;
    die("a connect was not made");
}

static void give_up(int fd, int hard)
{
    struct linger now_gone = { .l_onoff = 1 };

    if (hard)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now_gone, sizeof now_gone);
    close(fd);
}

/* COUNT clients that connect and ask; each LEAVER-th says nothing and gives up when all are
 * connected. Then waits for the answers of the others, and tells when the first and the last came
 * (CLOCK_MONOTONIC). FIRST: those before it are another process's. */
static int crowd(char **words)
{
    struct sockaddr_in to = address(words[0], words[1]);
    int first = atoi(words[2]), count = atoi(words[3]), leaver = atoi(words[4]);
    int epoll = epoll_create1(0), left = 0, *fds = calloc(count, sizeof *fds);
    unsigned long answered = 0, lost = 0;
    double begin = 0, end = 0;
    struct epoll_event events[EVENTS];

    for (int i = 0; i < count; i++) {
        fds[i] = begin_connect(&to, first + i);
        wait_connected(fds[i]);
        if (i % leaver == 0)
            continue;
        if (!ask(fds[i]))
            die("cannot ask");
        watch(epoll, fds[i], EPOLL_CTL_ADD, EPOLLIN);
        left++;
    }
    for (int i = 0; i < count; i += leaver)
        give_up(fds[i], i / leaver % 2);
    say_ready();
    while (left > 0) {
        int ready = epoll_wait(epoll, events, EVENTS, 120000);

        if (ready <= 0)
            break;
        for (int i = 0; i < ready; i++) {
            if (recv(events[i].data.fd, block, sizeof block, 0) == MESSAGE) {
                end = now();
                begin = begin ? begin : end;
                answered++;
            } else {
                lost++;
            }
            close(events[i].data.fd);
            left--;
        }
    }
    printf("{\"answered\": %lu, \"lost\": %lu, \"silent\": %d, \"first\": %.6f, \"last\": %.6f}\n",
           answered, lost, left, begin, end);
    return 0;
}

static const struct {
    const char *verb;
    int words;
    const char *usage;
    int (*run)(char **words);
} verbs[] = {
    { "serve", 2, "HOST PORT", serve },
    { "requests", 4, "HOST PORT CONNECTIONS SECONDS", requests },
    { "connects", 4, "HOST PORT AT-ONCE SECONDS", connects },
    { "bulk", 3, "HOST PORT SECONDS", bulk },
    { "idle", 3, "HOST PORT CONNECTIONS", idle },
    { "crowd", 5, "HOST PORT FIRST COUNT LEAVER", crowd },
};

int main(int argc, char **argv)
{
    prepare();
    for (unsigned i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (argc == verbs[i].words + 2 && strcmp(argv[1], verbs[i].verb) == 0)
            return verbs[i].run(argv + 2);
    for (unsigned i = 0; i < sizeof verbs / sizeof *verbs; i++)
        fprintf(stderr, "load %s %s\n", verbs[i].verb, verbs[i].usage);
    return 2;
}
