#include "duplicate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"
#include "link.h"
#include "scheme.h"
#include "store.h"

#define PATIENCE_MS 120000

/* The main daemon of the source knows where its agent listens. */
static guint16 find_agent(const Arguments *arguments, GError **error)
{
    const char *host = arguments_value(arguments, "-host");
    const char *port = arguments_value(arguments, "-remoteDaemonPort");
    guint16 number = port ? (guint16)atoi(port) : arguments->instance->daemon_port;
    g_autofree char *line =
        message_line("repport", "name", arguments_value(arguments, "-from"), NULL);
    g_autoptr(Wire) link = wire_connect(host, number, 10000, NULL);
    g_autoptr(Message) reply = NULL;

    if (!link) {
        failure_set(error, TT_NO_DAEMON, "Cannot connect to the main daemon on %s, port %u", host,
                    number);
        return 0;
    }
    reply = link_ask(link, line, error);
    return reply ? (guint16)message_number(reply, "port") : 0;
}

static Wire *ask_for_image(const Arguments *arguments, const Target *target, gint64 *ret_size,
                           GError **error)
{
    const char *host = arguments_value(arguments, "-host");
    const char *local = arguments_value(arguments, "-localhost");
    g_autofree char *base = g_path_get_basename(target->data_store);
    guint16 port = find_agent(arguments, error);
    g_autoptr(Wire) wire = NULL;
    g_autofree char *line =
        message_line("DUPLICATE", "release", arguments->instance->release, "to", base, "tohost",
                     local ? local : g_get_host_name(), "setstart",
                     arguments_value(arguments, "-setMasterRepStart") ? "1" : "0", NULL);
    g_autofree char *reply = NULL;
    g_autoptr(Message) message = NULL;

    if (port == 0)
        return NULL;
    wire = wire_connect(host, port, 10000, NULL);
    if (wire && wire_send(wire, line))
        reply = wire_receive(wire, -1);
    message = reply ? message_parse(reply) : NULL;
    if (!message || strcmp(message->verb, "IMAGE") != 0) {
        failure_set(error, message ? (int)message_number(message, "number") : TT_NO_DAEMON,
                    "Cannot duplicate %s: %s", arguments_value(arguments, "-from"),
                    message ? message_get(message, "text") : "its agent does not answer");
        return NULL;
    }
    *ret_size = message_number(message, "size");
    return g_steal_pointer(&wire);
}

static gboolean take_image(Wire *wire, gint64 size, const char *path, GError **error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0660);
    g_autofree char *buffer = g_malloc(1 << 20);

    while (fd >= 0 && size > 0) {
        gsize part = (gsize)MIN(size, 1 << 20);

        if (!wire_receive_bytes(wire, buffer, part, PATIENCE_MS) ||
            write(fd, buffer, part) != (ssize_t)part)
            break;
        size -= (gint64)part;
    }
    if (fd >= 0)
        close(fd);
    if (size > 0 || fd < 0)
        failure_set(error, TT_FILE, "Cannot write %s: the copy broke off", path);
    return size == 0 && fd >= 0;
}

/* Whoever is stopped in the middle leaves a store that nobody can connect to. */
static gboolean copy_image(const Arguments *arguments, const Target *target, const char *image,
                           GError **error)
{
    g_autoptr(sqlite3) from = NULL;
    g_autoptr(sqlite3) to = NULL;

    if (sqlite3_open(image, &from) != SQLITE_OK) {
        failure_set(error, TT_FILE, "Cannot read %s: %s", image, sqlite3_errmsg(from));
        return FALSE;
    }
    if (!store_execute(from, "BEGIN", error) ||
        !scheme_adopt(from, target->data_store, arguments_value(arguments, "-localhost"), error) ||
        !store_execute(from, "COMMIT", error) ||
        !store_create(target->data_store, target->log_dir, arguments->instance->release, error))
        return FALSE;
    to = store_open(target->data_store, &arguments->instance->version, error);
    return to && store_set(to, "restoring", "1", error) && store_copy(from, to, error);
}

static gboolean put_image(const Arguments *arguments, const Target *target, Wire *wire, gint64 size,
                          GError **error)
{
    g_autofree char *image = g_strconcat(target->data_store, ".dup", NULL);
    gboolean done =
        take_image(wire, size, image, error) && copy_image(arguments, target, image, error);

    unlink(image);
    return done;
}

static gboolean load(const Arguments *arguments, const Target *target, GError **error)
{
    g_autofree char *policy =
        message_line("policy", "path", target->data_store, "policy", "manual", "grace", "0", NULL);
    g_autofree char *line = message_line("ramload", "path", target->data_store, NULL);
    g_autoptr(Wire) link = link_open(arguments->instance, NULL, error);
    g_autoptr(Message) set = link ? link_ask(link, policy, error) : NULL;
    g_autoptr(Message) loaded = set ? link_ask(link, line, error) : NULL;

    return loaded != NULL;
}

gboolean duplicate_run(const Arguments *arguments, const Target *target, GError **error)
{
    g_autofree char *reserve = message_line("reserve", "path", target->data_store, NULL);
    g_autoptr(Wire) link = link_open(arguments->instance, NULL, error);
    g_autoptr(Message) reserved = link ? link_ask(link, reserve, error) : NULL;
    g_autoptr(Wire) wire = NULL;
    gint64 size = 0;

    if (!reserved)
        return FALSE;
    if (store_exists(target->data_store)) {
        failure_set(error, TT_FILE, "Data store %s exists already", target->data_store);
        return FALSE;
    }
    wire = ask_for_image(arguments, target, &size, error);
    if (!wire)
        return FALSE;
    if (!put_image(arguments, target, wire, size, error)) {
        store_destroy(target->data_store, NULL);
        return FALSE;
    }
    g_clear_pointer(&link, wire_free);
    return !arguments_value(arguments, "-ramLoad") || load(arguments, target, error);
}
