/* Reading the answer of Check, and printing it; upgrade.c uses it to explain a refusal. */
#pragma once

#include "ctl/json.h"
#include "ctl/session.h"

typedef struct {
    char *severity; /* error, warning, info */
    char *id;
    char *subject;
    char *message;
    char *remedy;
} Finding;

/* The findings in the order of their severity, the worst first; array of Finding. */
GPtrArray *check_ask(Session *session, const char *server, const char *target, GError **error);

/* Prints those of one severity (NULL: all) to FILE and returns how many those were. */
guint check_print(GPtrArray *findings, const char *severity, FILE *file);
