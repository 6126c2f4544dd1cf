/* Calls to the service. Everything that comes back wrong becomes a GError of TU_ERROR here, in one
 * place; names that are not ours (no such service, no authorization, no answer) get a message that
 * says what it means for somebody who typed a command.
 */
#pragma once

#include "ctl/session.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus_message, sd_bus_message_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus_slot, sd_bus_slot_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_event, sd_event_unref)

#define CALL_READ_USEC  (25 * G_USEC_PER_SEC)               /* reads never wait in the service */
#define CALL_CHECK_USEC (10 * 60 * (guint64)G_USEC_PER_SEC) /* checks run utilities */
/* polkit may ask a human in between; more than this nobody waits for an answer. */
#define CALL_CHANGE_USEC (15 * 60 * (guint64)G_USEC_PER_SEC)

/* The system bus of this host, or of the one that the options name. Errors tell which. */
sd_bus *bus_open(const Options *options, GError **error);

/* A call that is still to be filled and sent. */
sd_bus_message *bus_message(Session *session, const char *path, const char *interface,
                            const char *member, GError **error);

/* Sends it and waits; the answer is the caller's. */
sd_bus_message *bus_send(Session *session, sd_bus_message *call, guint64 timeout_usec,
                         GError **error);

/* The same, but SIGINT and SIGTERM end the wait: NULL without an error. The call itself goes on. */
sd_bus_message *bus_send_patiently(Session *session, sd_bus_message *call, guint64 timeout_usec,
                                   GError **error);

/* Both in one, for calls with plain arguments; TYPES may be NULL. */
sd_bus_message *bus_call(Session *session, const char *path, const char *interface,
                         const char *member, guint64 timeout_usec, GError **error,
                         const char *types, ...);

/* An answer that is an error, as GError. */
void bus_take_error(const sd_bus_error *from, GError **error);

/* For what sd-bus itself refuses while a message is written or read; always returns FALSE. */
gboolean bus_fail(GError **error, int r, const char *what);
