/* The options of a call: a{sv}, checked against a table, so that a typing mistake never passes as a
 * default. */
#pragma once

#include "daemon/call.h"

typedef struct {
    const char *key;
    const char *type;         /* "s", "t" or "u" */
    guint64 min, max;         /* of a number */
    const char *range;        /* the same in words, for messages */
    const char *const *words; /* of a text */
} OptionRow;

/* What Check, Plan and Upgrade take. */
extern const OptionRow job_options[];

/* Checks OPTIONS against a table that ends with a row without key (NULL: no key is known) and keeps
 * them in the call, sorted. Errors: INVALID_OPTION with the key and the keys that are known. */
gboolean options_take(Call *call, GVariant *options, const OptionRow *known, GError **error);

/* The value of a text option, or NULL where it is not given; the options' own. */
const char *options_word(GVariant *options, const char *key);

/* Whether two sets of options, both once taken, mean the same for a job; "method" is left out,
 * because different words may mean the same method. */
gboolean options_same(GVariant *a, GVariant *b);
