/* The options of ttctl as rows: the parser, --help and the check "does this verb know that option"
 * all read the same table. Values point into argv.
 */
#pragma once

#include <stdio.h>
#include <glib.h>

typedef enum { OUTPUT_TEXT, OUTPUT_JSON_SHORT, OUTPUT_JSON_PRETTY } OutputFormat;
typedef enum { TRANSPORT_LOCAL, TRANSPORT_HOST, TRANSPORT_MACHINE } Transport;

/* Groups of options. Those of GROUP_ALL go with every verb, the others only with verbs that name
 * them. */
typedef enum {
    GROUP_ALL = 0,
    GROUP_MOVE = 1 << 0,     /* how data is to be moved */
    GROUP_JOB = 1 << 1,      /* limits of a job that takes the server away */
    GROUP_WAIT = 1 << 2,     /* --no-wait */
    GROUP_LIMIT = 1 << 3,    /* --limit= */
    GROUP_FOLLOW = 1 << 4,   /* --follow */
    GROUP_CONFIRM = 1 << 5,  /* --yes, --dry-run */
    GROUP_ROLLBACK = 1 << 6, /* --allow-data-loss */
    GROUP_CLEAN = 1 << 7,    /* --exports */
    GROUP_DATABASES = 1 << 8, /* --databases= */
    GROUP_ADOPT = 1 << 9,    /* --instance=, --listen=, --mode= */
    GROUP_HOLD = 1 << 10,    /* limits of a hold */
    GROUP_COMPAT = 1 << 11,  /* --backwards-compat-off */
    GROUP_CHECK = 1 << 12,   /* --list, --only=, --fix */
    GROUP_SKIP = 1 << 13,    /* --skip= */
    GROUP_PROBE = 1 << 14,   /* --scratch= */
    N_GROUPS = 15,
} OptionGroup;

typedef struct {
    OutputFormat output;
    Transport transport;
    const char *host; /* or machine */
    gboolean no_pager;
    gboolean no_ask_password;
    gboolean quiet;
    gboolean no_wait;
    gboolean follow;
    gboolean yes;
    gboolean dry_run;
    gboolean list;
    gboolean fix;
    gboolean help;
    gboolean version;
    const char *scratch;        /* DSN for a probe; NULL: not given */
    const char *instance;       /* whose server is adopted; NULL: not given */
    const char *limit;          /* of a hold, as written; NULL: not given */
    GVariant *job;              /* a{sv} as the verb's call takes it */
    guint groups;               /* of all options that were given */
    const char *last[N_GROUPS]; /* by bit of the group: an option that was given, for messages */
} Options;

/* Reads the options and leaves the other words in *ret_words (they point into argv, free the array
 * only). Errors: INVALID_OPTION with the remedy. */
Options *options_parse(int argc, char **argv, char ***ret_words, GError **error);
void options_free(Options *options);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Options, options_free)

/* FALSE and INVALID_OPTION where an option was given that does not go with a verb of these groups.
 */
gboolean options_suit(const Options *options, const char *verb, guint groups, GError **error);

void options_print(FILE *file);
