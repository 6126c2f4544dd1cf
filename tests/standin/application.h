/* An application's connection to a TimesTen Server by way of TCP, with the time-outs of an ODBC
 * client.
 *
 * Tells apart what the operator of a port wants to know: refused, reset, timed out, rejected, cut.
 */
#pragma once

#include "wire.h"

typedef enum {
    ATTEMPT_OK,
    ATTEMPT_REFUSED,   /* the port is closed */
    ATTEMPT_RESET,     /* the connection was taken and dropped before the first answer */
    ATTEMPT_TIMED_OUT, /* no connection or no first answer in time */
    ATTEMPT_REJECTED,  /* the server answered that it does not want this client or has no such
                          database */
    ATTEMPT_FAILED,    /* anything else: no route, no such host */
    N_ATTEMPTS,
} Attempt;

typedef enum {
    ANSWER_OK,
    ANSWER_ERROR,     /* the server says that the statement failed */
    ANSWER_CUT,       /* the session ended before the answer */
    ANSWER_TIMED_OUT, /* no answer in time; the session is given up */
} Answer;

typedef struct {
    const char *host;
    guint16 port;
    const char *release; /* which client release to announce */
    const char *dsn;
    const char *name;
} Server;

typedef struct {
    Wire *wire;    /* NULL: not connected */
    char *release; /* of the server */
    int number;    /* of the last error, TimesTen's where it has one, else errno */
    char *error;   /* its words */
    gint64 affected;
    char *kind; /* of the last statement, as the server names it; NULL: it did not say */
} Application;

Attempt application_connect(Application *application, const Server *server, gint64 timeout_ms);
/* ROW may be NULL. Each value is NULL for SQL's NULL. */
Answer application_run(Application *application, const char *sql, gint64 timeout_ms,
                       void (*row)(char **values, guint n, gpointer data), gpointer data);
void application_close(Application *application); /* says goodbye */
void application_clear(Application *application);

/* A row's payload and checksum are functions of its key, so that anybody can check them. */
char *payload_of(gint64 id, gint64 sequence); /* g_free() */
gint64 checksum_of(gint64 id, gint64 sequence);
