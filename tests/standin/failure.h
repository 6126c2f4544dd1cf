/* Errors of the stand-in carry TimesTen's own error numbers (facts 3.10). */
#pragma once

#include <glib.h>

#define TT_FAILURE failure_quark()
GQuark failure_quark(void);

/* Numbers that TimesTen documents keep their meaning; those marked G are ours. */
enum {
    TT_SYNTAX = 1001,
    TT_UNIQUE = 907,
    TT_LOCK_TIMEOUT = 6003,
    TT_NO_TABLE = 2206,
    TT_TABLE_EXISTS = 2207,
    TT_NO_COLUMN = 2211,
    TT_UNFINISHED_RESTORE = 662,
    TT_MANUALLY_UNLOADED = 707,
    TT_NO_DAEMON = 799,
    TT_OTHER_RELEASE = 819,
    TT_NO_CHECKPOINT = 821,
    TT_NO_STORE = 833,
    TT_FILE = 836, /* G: cannot create or read a file of a store */
    TT_CONNECTION_LOST = 994,
    TT_ENGINE = 5000, /* G: anything else that SQLite said */
    TT_NO_DSN = 1,    /* printed as IM002 */
    TT_BAD_VALUE = 6, /* G: a connection attribute cannot be used */
    TT_AUTHENTICATION = 7001,
    TT_NOT_REPLICATED = 8191,
    TT_SCHEME = 8000,      /* G: a replication scheme cannot be as it was written */
    TT_AGENT_IS_UP = 8001, /* G: not while the replication agent runs */
    TT_TRANSACTION = 8002, /* G: not in the middle of a transaction */
    TT_STATE = 8003,       /* G: the state of the pair does not allow it */
    TT_PEER = 8004,        /* G: what two replication agents have against each other */
    TT_STANDBY = 16265,
    TT_SHUTDOWN = 9998,
    TT_AGENT_RUNNING = 12026,
    TT_AGENT_STOPPED = 12027,
    TT_LOADED = 12028,
    TT_UNLOADED = 12029,
    TT_IN_USE = 12030,
    TT_CLOSED = 12036,      /* G: the database takes no user connections */
    TT_NO_FORCE = 12037,    /* G: ForceDisconnectEnabled is not set */
    TT_SEGMENT = 12038,     /* G: no shared segment to attach or free, or of another size */
    TT_POLICY = 12035,      /* G: the RAM policy does not allow it */
    TT_UNREACHABLE = 47045, /* G: the client cannot connect to the server */
    TT_CLIENT = 47050,      /* G: release of the client not accepted */
    TT_PROTOCOL = 47001     /* G: the peer said something senseless */
};

/* The number of an error of any domain; TT_FILE for those of other libraries. */
int failure_number(const GError *error);
void failure_set(GError **error, int number, const char *format, ...) G_GNUC_PRINTF(3, 4);
