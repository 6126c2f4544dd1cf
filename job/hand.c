/* The worker's end of utility-runner. One unit for each instance, made when the first utility is to
 * run and so before a port is held; it is named like those of all short work, so a later worker
 * removes it before it does anything (run_forget_short()). It never repeats an order: where the
 * answer is lost the unit is ended first, and only then may the caller ask again.
 */
#include "job/hand.h"
#include "job/runner.h"
#include "common/text.h"
#include "systemd/order.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_LIMIT (64 * 1024 * 1024)
/* The runner keeps the limit itself; one that does not, because somebody stopped it, is ended. */
#define SPARE_USEC (20 * USEC_PER_SEC)

typedef struct Hand {
    char *unit;
    int socket;
    uid_t uid; /* that it runs as */
} Hand;

static Hand **hand_of(Job *job, const Side *side)
{
    return &job->hands[side == &job->to];
}

static void hand_free(Hand *hand)
{
    close(hand->socket);
    g_free(hand->unit);
    g_free(hand);
}

static Hand *hand_open(Job *job, const Side *side)
{
    static guint counter;
    const struct passwd *admin = getpwnam(side->admin);
    g_autofree char *number = g_strdup_printf("utility-runner-%d.%u", getpid(), ++counter);
    g_autofree char *description =
        g_strdup_printf("TimesTen job %s: utilities of %s", job->tag, side->config->name);
    char *argv[] = { LIBEXECDIR "/utility-runner", NULL };
    int ends[2];
    Hand *hand;
    TransientSpec spec = {
        .argv = argv,
        .user = side->admin,
        .description = description,
        .input = &ends[1],
        .limit_usec = G_MAXUINT64,
    };

    if (!admin || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return NULL;
    hand = g_new(Hand, 1);
    *hand = (Hand){ .unit = transient_name(job->tag, side->config->name, number, NULL),
                    .socket = ends[0],
                    .uid = admin->pw_uid };
    spec.unit = hand->unit;
    if (!transient_start(job->bus, &spec))
        g_clear_pointer(&hand, hand_free);
    close(ends[1]);
    return hand;
}

void hand_close(Job *job, const Side *side)
{
    Hand **hand = hand_of(job, side);

    if (*hand)
        transient_forget(job->bus, (*hand)->unit);
    g_clear_pointer(hand, hand_free);
}

/* Who goes on running as a user that is gone, or has another number now, may run as a stranger. */
static gboolean is_still_the_admin(const Hand *hand, const Side *side)
{
    const struct passwd *admin = getpwnam(side->admin);

    return admin && admin->pw_uid == hand->uid;
}

/* --- one order ----------------------------------------------------------------------------------
 */

static guint32 append_texts(GByteArray *order, char **texts)
{
    guint32 count = 0;

    for (; texts && texts[count]; count++)
        g_byte_array_append(order, (const guint8 *)texts[count], strlen(texts[count]) + 1);
    return count;
}

static GByteArray *write_order(char **argv, char **environment, guint64 limit_usec)
{
    GByteArray *order = g_byte_array_new();
    OrderHead head = { .mark = ORDER_MARK, .limit_usec = limit_usec };

    g_byte_array_append(order, (const guint8 *)&head, sizeof head);
    head.words = append_texts(order, argv);
    head.variables = append_texts(order, environment);
    memcpy(order->data, &head, sizeof head);
    return order;
}

static gboolean send_order(const Hand *hand, GByteArray *order, int output)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { 0 };
    struct iovec part = { order->data, order->len };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    struct cmsghdr *descriptor = CMSG_FIRSTHDR(&message);

    descriptor->cmsg_level = SOL_SOCKET;
    descriptor->cmsg_type = SCM_RIGHTS;
    descriptor->cmsg_len = CMSG_LEN(sizeof output);
    memcpy(CMSG_DATA(descriptor), &output, sizeof output);
    return sendmsg(hand->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)order->len;
}

static int on_flag(sd_event_source *source, int fd, uint32_t events, void *data)
{
    *(gboolean *)data = TRUE;
    return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static int on_late(sd_event_source *source, guint64 usec, void *data)
{
    *(gboolean *)data = TRUE;
    return 0;
}

/* *RET_ANSWERED FALSE: the runner is gone, or silent beyond its limit. */
static gboolean await_end(Job *job, const Hand *hand, guint64 limit_usec, OrderEnd *end,
                          gboolean *ret_answered, GError **error)
{
    sd_event_source *answer = NULL, *late = NULL;
    gboolean done = FALSE, ok;

    *ret_answered = FALSE;
    if (sd_event_add_io(job->event, &answer, hand->socket, EPOLLIN, on_flag, &done) < 0)
        return TRUE;
    if (limit_usec < G_MAXUINT64 - SPARE_USEC)
        sd_event_add_time_relative(job->event, &late, CLOCK_MONOTONIC, limit_usec + SPARE_USEC, 0,
                                   on_late, &done);
    ok = job_wait(job, &done, error);
    sd_event_source_disable_unref(answer);
    sd_event_source_disable_unref(late);
    *ret_answered =
        ok && recv(hand->socket, end, sizeof *end, MSG_DONTWAIT) == (ssize_t)sizeof *end;
    return ok;
}

/* What was printed; NULL where it cannot be had. */
static char *read_output(int fd)
{
    g_autoptr(GString) text = g_string_new(NULL);
    off_t length = lseek(fd, 0, SEEK_END);

    if (length < 0 || length > OUTPUT_LIMIT)
        return NULL;
    g_string_set_size(text, length);
    for (off_t done = 0; done < length;) {
        ssize_t count = pread(fd, text->str + done, length - done, done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return NULL;
        done += count;
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static TransientOutcome *make_outcome(const OrderEnd *end, int output)
{
    g_autofree char *text = read_output(output);
    TransientOutcome *outcome;

    if (!text || (!WIFEXITED(end->status) && !WIFSIGNALED(end->status)))
        return NULL;
    outcome = g_new(TransientOutcome, 1);
    *outcome = (TransientOutcome){
        .exit_status =
            WIFEXITED(end->status) ? WEXITSTATUS(end->status) : 128 + WTERMSIG(end->status),
        .timed_out = end->timed_out != 0,
        .output = g_steal_pointer(&text),
        .result = g_strdup(WIFEXITED(end->status) ? "exit-code" : "signal"),
        .usec = end->ended_usec - end->began_usec,
        .began_usec = end->began_usec,
    };
    return outcome;
}

/* Until nothing of its unit runs: what is asked again must not meet itself. */
static gboolean end_surely(Job *job, const Side *side, GError **error)
{
    Hand **hand = hand_of(job, side);
    g_autofree char *unit = g_strdup((*hand)->unit);

    g_message("%s is gone, or does not answer; what it was to run runs in a unit of its own", unit);
    hand_close(job, side);
    return run_forget_unit(job, unit, error);
}

gboolean hand_run(Job *job, const Side *side, char **argv, char **environment, guint64 limit_usec,
                  TransientOutcome **ret, GError **error)
{
    Hand **hand = hand_of(job, side);
    g_autoptr(GByteArray) order = write_order(argv, environment, limit_usec);
    int output = order->len > ORDER_LIMIT ? -1 : memfd_create("output", MFD_CLOEXEC);
    gboolean answered = FALSE, waited = TRUE;
    OrderEnd end;

    *ret = NULL;
    if (output < 0)
        return TRUE;
    if (*hand && !is_still_the_admin(*hand, side))
        hand_close(job, side);
    if (!*hand)
        *hand = hand_open(job, side);
    if (*hand && send_order(*hand, order, output)) {
        waited = await_end(job, *hand, limit_usec, &end, &answered, error);
        if (answered && end.problem == 0)
            *ret = make_outcome(&end, output);
    }
    close(output);
    if (!waited) {
        hand_close(job, side); /* nobody waits for it any more */
        return FALSE;
    }
    return *ret || !*hand || answered || end_surely(job, side, error);
}
