/* One method call on its way from the bus to its answer.
 *
 * Every call goes the same way: read, prepare, let the bouncer decide, act, answer. It must never
 * wait for anything in place: whoever needs time keeps the Call and answers later. Methods reach it
 * through call_dispatch(), which is the handler of every row.
 */
#pragma once

#include "daemon/object.h"

struct Call {
    Object *object;
    const MethodRow *row;
    sd_bus_message *message;
    GVariant *arguments; /* a tuple */
    const char *sender;  /* unique name on the bus */
    guint32 user;        /* the sender's effective user, as the bus itself knows it */

    /* Filled by prepare; also what polkit is told. NULL where they do not apply. */
    char *server;
    char *from;
    char *to;
    char *method;
    char *unit;
    const char *kind;  /* of job, a literal; polkit is not told: the action says it */
    GVariant *options; /* a{sv}, checked by options.c */

    char *granted; /* the details for which polkit said yes; NULL not yet */
    struct BouncerCheck *check;
};

int call_dispatch(sd_bus_message *message, void *object, sd_bus_error *error);

/* The answer: a tuple of the row's out signature, or NULL for none. Frees the call. */
void call_reply(Call *call, GVariant *tuple);
/* The error as its bus name and message. Frees the call; ERROR stays the caller's. */
void call_fail(Call *call, const GError *error);
/* The same with a code of TU_ERROR. */
void call_fail_with(Call *call, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* Frees without any answer: the caller is gone, or somebody else answers. */
void call_drop(Call *call);

/* Sets a detail, freeing what was there. */
void call_set(char **detail, const char *value);

/* The user who stands behind a call: the owner of the session or service where there is one,
 * because behind sudo and Cockpit the effective user is root; otherwise the effective user. */
guint32 call_person(const Call *call);
/* The caller's process and unit, for the record; 0 and "" where unknown. The unit is the caller's
 * to free. */
guint32 call_process(const Call *call, char **ret_unit);

/* Calls that have no answer yet, which keep the daemon from going idle. */
guint call_count_pending(const Daemon *daemon);
