/* The verbs of ttctl as rows; --help and the manual's test read the same table. */
#pragma once

#include "ctl/session.h"

typedef struct {
    const char *name;
    guint min, max;    /* arguments behind the verb; between 0 and 2 there is no 1 */
    const char *usage; /* of the arguments */
    const char *help;
    guint groups; /* of options that go with it */
    gboolean needs_bus;
    /* Returns ttctl's exit status; where ERROR was set, that decides instead. */
    int (*run)(Session *session, char **arguments, GError **error);
} Verb;

/* The row for the words behind ttctl, with the number of arguments checked; INVALID_OPTION
 * otherwise. */
const Verb *verb_find(char **words, GError **error);
void verbs_print_help(FILE *file);

int list_run(Session *session, char **arguments, GError **error);
int status_run(Session *session, char **arguments, GError **error);
int check_run(Session *session, char **arguments, GError **error);
int plan_run(Session *session, char **arguments, GError **error);
int upgrade_run(Session *session, char **arguments, GError **error);
int rollback_run(Session *session, char **arguments, GError **error);
int confirm_run(Session *session, char **arguments, GError **error);
int clean_run(Session *session, char **arguments, GError **error);
int adopt_run(Session *session, char **arguments, GError **error);
int probe_run(Session *session, char **arguments, GError **error);
int facts_run(Session *session, char **arguments, GError **error);
int jobs_run(Session *session, char **arguments, GError **error);
int job_run(Session *session, char **arguments, GError **error);
int cancel_run(Session *session, char **arguments, GError **error);
int retry_run(Session *session, char **arguments, GError **error);
int hold_run(Session *session, char **arguments, GError **error);
int resume_run(Session *session, char **arguments, GError **error);
int reload_run(Session *session, char **arguments, GError **error);
