/* One line each way over a stream socket: what the stand-in's processes and its client talk.
 *
 * A line is VERB name=value …, values percent-escaped, ended by a newline. Both protocols are in
 * README.md.
 */
#pragma once

#include <glib.h>

#define WIRE_LIMIT (1024 * 1024) /* no honest line is longer */

typedef struct {
    int fd;
    GString *input;
    int error; /* errno of the last failure; 0 where the peer closed in order */
} Wire;

/* A connected wire, or NULL with *ret_error an errno value (ETIMEDOUT after TIMEOUT_MS). */
Wire *wire_connect(const char *host, guint16 port, gint64 timeout_ms, int *ret_error);
Wire *wire_new(int fd);
void wire_free(Wire *wire); /* closes */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Wire, wire_free)

gboolean wire_send(Wire *wire, const char *line); /* adds the newline */
/* Next line without its newline, or NULL (see error). A negative timeout waits for ever. */
char *wire_receive(Wire *wire, gint64 timeout_ms);
/* For event loops: reads what is there; FALSE at the end. Then takes lines until NULL. */
gboolean wire_fill(Wire *wire);
char *wire_take(Wire *wire);
/* The same of bytes that are no line. */
gboolean wire_send_bytes(Wire *wire, const void *bytes, gsize size);
gboolean wire_receive_bytes(Wire *wire, void *bytes, gsize size, gint64 timeout_ms);
/* Whether something is there to receive. */
gboolean wire_pending(Wire *wire, gint64 timeout_ms);
/* Whether the peer has gone. Does not block and takes nothing away. */
gboolean wire_gone(Wire *wire);

/* A listening socket, or -1 with errno. HOST is an IPv4 address. */
int wire_listen(const char *host, guint16 port);

typedef struct {
    char *verb;
    GHashTable *fields;
} Message;

Message *message_parse(const char *line);
void message_free(Message *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Message, message_free)
const char *message_get(const Message *message, const char *name); /* NULL where absent */
gint64 message_number(const Message *message, const char *name);   /* 0 where absent */

/* "VERB a=1 b=2" of a verb and pairs of name and value, ended by NULL; pairs with a NULL value end
 * it too, so pass "" for nothing. g_free(). */
char *message_line(const char *verb, ...) G_GNUC_NULL_TERMINATED;

char *wire_escape(const char *text);   /* g_free() */
char *wire_unescape(const char *text); /* g_free() */
