/* The options of a call: a{sv}, checked against a table, so that a typing mistake never passes as a
 * default. */
#pragma once

#include "daemon/call.h"

/* Which calls take an option. */
typedef enum {
    OPTIONS_NONE = 0,
    OPTIONS_UPGRADE = 1 << 0,
    OPTIONS_ROLLBACK = 1 << 1,
    OPTIONS_CLEAN = 1 << 2,
    OPTIONS_ADOPT = 1 << 4,
    OPTIONS_CONFIRM = 1 << 5,
    OPTIONS_QUESTION = 1 << 3, /* Check and Plan, beside those of the kind that they ask about */
    OPTIONS_CHECK = 1 << 6,    /* Check alone */
    OPTIONS_REPAIR = 1 << 7,
} OptionUse;

/* Checks OPTIONS against those of USES (of OptionUse) and keeps them in the call, sorted. Errors:
 * INVALID_OPTION with the key and the keys that are known. */
gboolean options_take(Call *call, GVariant *options, guint uses, GError **error);

/* Adds one that was not given and has a value by itself; takes a floating VALUE. */
void options_add(Call *call, const char *key, GVariant *value);

gboolean options_has(GVariant *options, const char *key);
/* The value of a text option, or NULL where it is not given; the options' own. */
const char *options_word(GVariant *options, const char *key);

/* Whether two sets of options, both once taken, mean the same for a job; "method" is left out,
 * because different words may mean the same method. */
gboolean options_same(GVariant *a, GVariant *b);
