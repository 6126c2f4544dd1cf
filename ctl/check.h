/* Reading the answer of Check, and printing it; change.c uses it to explain a refusal, and before
 * it asks for confirmation. */
#pragma once

#include "ctl/json.h"
#include "ctl/request.h"

typedef struct {
    char *severity; /* error, warning, info */
    char *id;
    char *subject;
    char *message;
    char *remedy;
} Finding;

/* The findings in the order of their severity, the worst first; array of Finding. */
GPtrArray *check_ask(Session *session, const Change *change, GError **error);

/* Prints those of one severity (NULL: all) to FILE and returns how many those were. */
guint check_print(GPtrArray *findings, const char *severity, FILE *file);
guint check_count(GPtrArray *findings, const char *severity);

/* All of them, as text with a summary or as JSON; returns ttctl's exit status. */
int check_report(Session *session, const Change *change, GPtrArray *findings);
