/* Tells the world how the port is: the status file for our own, STATUS= for systemctl.
 *
 * At once after a change of state, four times a second at most while only counters move. Nothing
 * depends on it: where it cannot write, it says so once and goes on.
 */
#pragma once

#include "port/keeper.h"

#include <systemd/sd-event.h>

typedef struct Publisher Publisher;

/* Fills in what is so now; *ret_text (g_free()) is the line for people. */
typedef KeeperStatus *(*PublisherAsk)(char **ret_text, gpointer data);

Publisher *publisher_new(sd_event *event, const char *server, PublisherAsk ask, gpointer data,
                         GError **error);
void publisher_free(Publisher *publisher); /* and takes the status file away */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Publisher, publisher_free)

/* Now: the state has changed. */
void publisher_now(Publisher *publisher);
/* Soon: a counter has. */
void publisher_soon(Publisher *publisher);
/* Whether to look four times a second by itself, because clients queue without our doing. */
void publisher_watch(Publisher *publisher, gboolean on);
