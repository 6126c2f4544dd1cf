/* The service's words as people read them: states with a colour, times, durations, results. */
#pragma once

#include "ctl/object.h"
#include "ctl/terminal.h"

/* The colour of a state or result: good, on the way, bad. */
Style word_style(const char *word);

/* "2024-11-22 08:46:01" in local time, "-" for 0; g_free(). */
char *word_time(guint64 usec);

/* "60001" with its user's name where it has one: "root", "60001"; g_free(). */
char *word_user(guint32 uid);

/* "main: tt60 → tt70, offline"; g_free(). */
char *word_job(const Job *job);

/* "unconfirmed, goes back to tt60 in 12min 3s", or "" where there is nothing to confirm any more;
 * g_free(). */
char *word_confirmation(const Server *server);

/* What a finished job means, in a sentence or two; g_free(). */
char *word_outcome(const Job *job);

/* ttctl's exit status for a finished job. */
int job_exit_status(const Job *job);
