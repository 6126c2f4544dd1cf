#include "link.h"

#include <string.h>
#include <unistd.h>

#include "failure.h"

#define HELLO_TIMEOUT_MS 10000

Message *link_ask(Wire *link, const char *line, GError **error)
{
    g_autofree char *reply = NULL;
    g_autoptr(Message) message = NULL;

    if (wire_send(link, line))
        reply = wire_receive(link, -1);
    if (!reply) {
        failure_set(error, TT_NO_DAEMON, "Unable to connect to daemon; check daemon status");
        return NULL;
    }
    message = message_parse(reply);
    if (strcmp(message->verb, "ok") == 0)
        return g_steal_pointer(&message);
    failure_set(error, (int)message_number(message, "number"), "%s",
                message_get(message, "text") ? message_get(message, "text") : reply);
    return NULL;
}

gboolean link_set_closed(Wire *link, const char *path, gboolean closed, GError **error)
{
    g_autofree char *line = message_line("open", "path", path, "closed", closed ? "1" : "0", NULL);
    g_autoptr(Message) reply = link_ask(link, line, error);

    return reply != NULL;
}

Wire *link_open(const Instance *instance, Message **ret_hello, GError **error)
{
    g_autofree char *pid = g_strdup_printf("%d", (int)getpid());
    g_autofree char *line = message_line("hello", "command", g_get_prgname(), "pid", pid, NULL);
    g_autoptr(Wire) link = wire_connect("127.0.0.1", instance->daemon_port, HELLO_TIMEOUT_MS, NULL);
    g_autofree char *reply = NULL;
    g_autoptr(Message) message = NULL;

    if (link && wire_send(link, line))
        reply = wire_receive(link, HELLO_TIMEOUT_MS);
    message = reply ? message_parse(reply) : NULL;
    if (!message || g_strcmp0(message_get(message, "home"), instance->home) != 0) {
        failure_set(error, TT_NO_DAEMON, "Unable to connect to daemon; check daemon status");
        return NULL;
    }
    if (ret_hello)
        *ret_hello = g_steal_pointer(&message);
    return g_steal_pointer(&link);
}
