/* The calls that a server takes about a change of it: those that make one, and Check and Plan,
 * which only ask about one. */
#pragma once

#include "ctl/session.h"

/* A kind of change, as the contract and people name it. */
typedef struct {
    const char *word;   /* "upgrade": kind of job, and verb of ttctl */
    const char *method; /* "Upgrade" */
    const char *a_noun; /* "an upgrade" */
    const char
        *question;     /* asked before it begins; {server}, {from}, {to}; NULL: nothing is asked */
    const char *shown; /* severity of the findings shown with it; NULL: each */
} ChangeKind;

extern const ChangeKind change_upgrade, change_rollback, change_confirm, change_clean, change_adopt;

typedef struct {
    const ChangeKind *kind;
    const char *server;
    const char *target; /* NULL: the kind knows by itself; of an adopt, the instance */
} Change;

/* KEY with a list of words, as a member of an open a{sv}; as sd_bus_message_append(). */
int request_append_words(sd_bus_message *call, const char *key, char **words);

/* A filled call that makes the change; the caller's. */
sd_bus_message *request_change(Session *session, const Change *change, GError **error);
/* A filled call METHOD (Check or Plan) that asks about it; the caller's. */
sd_bus_message *request_question(Session *session, const Change *change, const char *method,
                                 GError **error);
