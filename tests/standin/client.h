/* What the modes of ttclient share: its options. */
#pragma once

#include "application.h"

typedef struct {
    Server server;
    char *address;          /* HOST:PORT */
    char *table;            /* of load and verify */
    gint64 id;              /* of this load */
    double seconds;         /* 0: until SIGTERM */
    gint64 reconnect_every; /* transactions; 0: never by itself */
    gint64 think_ms;        /* pause between transactions */
    gint64 retry_ms;        /* pause after a connect that failed */
    gint64 first_connect_ms;
    gint64 connect_ms;
    gint64 statement_ms;
    gboolean create;
    gint64 settle_ms; /* how long to go on after the end for a row that nobody acknowledged yet */
    char *report;     /* file for the report; NULL: standard output */
} Options;

int load_run(const Options *options);
int verify_run(const Options *options, char **reports);
int fill_run(const Options *options, gint64 rows);

/* The SQL that makes the table of load and verify; g_free(). */
char *table_definition(const char *table);
