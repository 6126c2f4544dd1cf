/* Small deeds on sockets that listener, dialer and relay have in common, and addresses of backends.
 */
#pragma once

#include <glib.h>
#include <sys/socket.h>

typedef struct {
    struct sockaddr_storage socket;
    socklen_t length;
} Address;

/* "127.0.0.1:26002" or "[::1]:26002", digits only: a name would have to be looked up, and that
 * blocks. Error: INVALID_OPTION. */
gboolean address_parse(const char *text, Address *ret, GError **error);

/* Whether the address lies on this host, where a handshake takes microseconds or does not happen.
 */
gboolean address_is_loopback(const Address *address);

/* Whether a connect to ADDRESS would reach a socket that listens on LISTENER, as getsockname()
 * tells it. */
gboolean address_is_covered(const Address *address, const struct sockaddr_storage *listener);

gboolean address_is_same(const struct sockaddr_storage *one, const Address *other);

/* Small packets go out at once. */
void socket_be_prompt(int fd);
/* A peer that vanished without a word is found some day. */
void socket_keep_alive(int fd);

/* Closes so that the peer sees a reset. */
void socket_reset(int fd);

/* What an accepted socket holds before anything is read. A client that has closed or reset it
 * without a word waited no longer: whoever wants an answer either waits or has asked something. */
typedef enum { WORD_NONE, WORD_SPOKE, WORD_GAVE_UP } FirstWord;
FirstWord socket_first_word(int fd);

/* Now in µs on CLOCK_BOOTTIME: goes on in suspend and knows no clock jumps. All times of the keeper
 * are of this clock, except where they are published. */
guint64 boottime_now(void);
