#include "port/keeper.h"
#include "port/line.h"
#include "common/file.h"
#include "common/names.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

#define STATUS_LIMIT 4096

const char *const keeper_state_nicks[] = { "open", "hold", "drain", "refuse", NULL };

#define FIELD(key, type, member)                                                                   \
    {                                                                                              \
        key, type, offsetof(KeeperStatus, member)                                                  \
    }

static const LineField fields[] = {
    FIELD("state", LINE_STATE, state),
    FIELD("backend", LINE_WORD, backend),
    FIELD("sessions", LINE_UINT, sessions),
    FIELD("held", LINE_UINT, held),
    FIELD("queue-limit", LINE_UINT, queue_limit),
    FIELD("hold-since", LINE_UINT64, hold_since),
    FIELD("hold-deadline", LINE_UINT64, hold_deadline),
    FIELD("accepted", LINE_UINT64, accepted),
    FIELD("refused", LINE_UINT64, refused),
    FIELD("cut", LINE_UINT64, cut),
    /* The last one is always there, so that a line that was cut short shows. */
    { "guest", LINE_UINT, offsetof(KeeperStatus, guest), .optional = TRUE }, /* since 0.2.0 */
    FIELD("gave-up", LINE_UINT64, gave_up),
    { NULL },
};

char *keeper_status_format(const KeeperStatus *status)
{
    return line_format(fields, status);
}

KeeperStatus *keeper_status_parse(const char *line, GError **error)
{
    g_autoptr(KeeperStatus) status = g_new0(KeeperStatus, 1);

    if (!line_parse(line, fields, status, error)) {
        g_prefix_error(error, "The port keeper's status cannot be understood: ");
        return NULL;
    }
    return g_steal_pointer(&status);
}

void keeper_status_free(KeeperStatus *status)
{
    if (!status)
        return;
    g_free(status->backend);
    g_free(status);
}

typedef struct {
    guint64 pid;
} Publisher;

static const LineField publisher_fields[] = {
    { "pid", LINE_UINT64, offsetof(Publisher, pid) },
    { NULL },
};

KeeperStatus *keeper_status_read(const char *server)
{
    g_autofree char *path = path_keeper(server, "status");
    g_autofree char *text = file_read(path, STATUS_LIMIT, NULL, NULL);
    Publisher publisher = { 0 };

    if (!text || !line_parse(text, publisher_fields, &publisher, NULL))
        return NULL;
    /* A keeper that was killed could not take its last word back; what it says is no longer so.
     * EPERM means that it lives and is not ours to signal. */
    if (publisher.pid == 0 || publisher.pid > G_MAXINT32 ||
        (kill((pid_t)publisher.pid, 0) < 0 && errno == ESRCH))
        return NULL;
    return keeper_status_parse(text, NULL);
}
