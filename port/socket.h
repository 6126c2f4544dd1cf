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

/* Small packets go out at once, and a peer that vanished without a word is found some day. */
void socket_tune(int fd);

/* Closes so that the peer sees a reset. */
void socket_reset(int fd);

/* Whether the peer of an accepted socket closed or reset it before it had sent anything. Such a
 * client waited no longer: whoever wants an answer either waits or has asked something. */
gboolean socket_gave_up(int fd);

/* Now in µs on CLOCK_BOOTTIME: goes on in suspend and knows no clock jumps. All times of the keeper
 * are of this clock, except where they are published. */
guint64 boottime_now(void);
