#include "application.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void forget_session(Application *application)
{
    g_clear_pointer(&application->wire, wire_free);
}

static void keep_error(Application *application, int number, const char *text)
{
    g_free(application->error);
    application->number = number;
    application->error = g_strdup(text);
}

static Attempt attempt_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return ATTEMPT_REFUSED;
    case ETIMEDOUT:
        return ATTEMPT_TIMED_OUT;
    case ECONNRESET:
    case EPIPE:
    case 0: /* closed in order before the first answer: nobody served it */
        return ATTEMPT_RESET;
    default:
        return ATTEMPT_FAILED;
    }
}

static Attempt fail_attempt(Application *application, int error)
{
    forget_session(application);
    keep_error(application, error, error == 0 ? "connection closed" : g_strerror(error));
    return attempt_of(error);
}

Attempt application_connect(Application *application, const Server *server, gint64 timeout_ms)
{
    gint64 deadline = g_get_monotonic_time() + timeout_ms * 1000;
    g_autofree char *pid = g_strdup_printf("%d", (int)getpid());
    g_autofree char *line = message_line("CONNECT", "release", server->release, "dsn", server->dsn,
                                         "pid", pid, "name", server->name, NULL);
    g_autofree char *reply = NULL;
    g_autoptr(Message) message = NULL;
    int error = 0;

    forget_session(application);
    application->wire = wire_connect(server->host, server->port, timeout_ms, &error);
    if (!application->wire)
        return fail_attempt(application, error);
    if (!wire_send(application->wire, line))
        return fail_attempt(application, application->wire->error);
    reply = wire_receive(application->wire, MAX(0, (deadline - g_get_monotonic_time()) / 1000));
    if (!reply)
        return fail_attempt(application, application->wire->error);
    message = message_parse(reply);
    if (strcmp(message->verb, "OK") != 0) {
        const char *text = message_get(message, "text");

        keep_error(application, (int)message_number(message, "number"), text ? text : reply);
        forget_session(application);
        return ATTEMPT_REJECTED;
    }
    g_free(application->release);
    application->release = g_strdup(message_get(message, "release"));
    return ATTEMPT_OK;
}

static void hand_row(const char *line, void (*row)(char **, guint, gpointer), gpointer data)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    guint n = g_strv_length(words);
    g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 1; i < n; i++)
        g_ptr_array_add(values, strcmp(words[i], "!") == 0 ? NULL : wire_unescape(words[i]));
    row((char **)values->pdata, values->len, data);
}

Answer application_run(Application *application, const char *sql, gint64 timeout_ms,
                       void (*row)(char **values, guint n, gpointer data), gpointer data)
{
    gint64 deadline = g_get_monotonic_time() + timeout_ms * 1000;
    g_autofree char *escaped = wire_escape(sql);
    g_autofree char *line = g_strconcat("SQL ", escaped, NULL);
    char *reply;
    Answer answer;

    if (!application->wire)
        return ANSWER_CUT;
    /* A send that fails is no news yet: the answer to the last request may still be there. */
    wire_send(application->wire, line);
    while ((reply = wire_receive(application->wire,
                                 MAX(0, (deadline - g_get_monotonic_time()) / 1000)))) {
        g_autofree char *owned G_GNUC_UNUSED = reply;
        g_autoptr(Message) message = NULL;

        if (strcmp(reply, "ROW") == 0 || g_str_has_prefix(reply, "ROW ")) {
            if (row)
                hand_row(reply, row, data);
            continue;
        }
        message = message_parse(reply);
        application->affected = message_number(message, "rows");
        g_free(application->kind);
        application->kind = g_strdup(message_get(message, "kind"));
        if (strcmp(message->verb, "OK") == 0)
            return ANSWER_OK;
        keep_error(application, (int)message_number(message, "number"),
                   message_get(message, "text") ? message_get(message, "text") : reply);
        return ANSWER_ERROR;
    }
    answer = application->wire->error == ETIMEDOUT ? ANSWER_TIMED_OUT : ANSWER_CUT;
    keep_error(application, application->wire->error,
               application->wire->error ? g_strerror(application->wire->error)
                                        : "session ended by the server");
    forget_session(application);
    return answer;
}

void application_close(Application *application)
{
    if (application->wire)
        wire_send(application->wire, "BYE");
    forget_session(application);
}

void application_clear(Application *application)
{
    application_close(application);
    g_clear_pointer(&application->release, g_free);
    g_clear_pointer(&application->error, g_free);
    g_clear_pointer(&application->kind, g_free);
}

char *payload_of(gint64 id, gint64 sequence)
{
    return g_strdup_printf("client %" G_GINT64_FORMAT " row %" G_GINT64_FORMAT " of many", id,
                           sequence);
}

gint64 checksum_of(gint64 id, gint64 sequence)
{
    return (id * 1000003 + sequence * 7919) % 1000000007;
}
