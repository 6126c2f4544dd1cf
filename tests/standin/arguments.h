/* Options of the utilities: case-insensitive, except single letters; "-connStr s" or a bare word
 * names the database. An option that the release does not have is an error, as any unknown one.
 */
#pragma once

#include "dsn.h"

typedef struct {
    const char *name; /* with its dash */
    guint values;     /* words that follow */
    FamilyId since;
    FamilyId until;    /* last family that has it; 0: all later ones */
    gboolean attached; /* "-v3" is -v with the value 3 */
    gboolean spaced;   /* and so is "-v 3" */
} Option;

typedef struct {
    const Instance *instance;
    GHashTable *given; /* option's name → value, "" where it takes none */
    GPtrArray *words;  /* what is no option */
} Arguments;

/* Parses all words after the command's name. Does -h, -V and the command's faults itself, so it may
 * end the process; a wrong word prints the usage and ends it with FAILURE. */
Arguments *arguments_read(const Instance *instance, char **argv, const Option *options,
                          const char *usage, int failure);
const char *arguments_value(const Arguments *arguments, const char *name); /* NULL: not given */
/* The database: -connStr or the first word, which is then taken from words; prints the usage if
 * there is none. */
char *arguments_database(Arguments *arguments, const char *usage, int failure);
G_NORETURN void arguments_usage(const char *usage, int failure);

/* Prints an error as the utilities of the instance do. */
void print_failure(const Instance *instance, const GError *error);

/* A usage text by release; the last row has an UNTIL of 0 and holds for all later ones. */
typedef struct {
    FamilyId until;
    const char *text;
} Usage;
const char *usage_of(const Instance *instance, const Usage *rows);
