/* Words for enums: what goes over the bus, into records and onto the screen is always a word. */
#pragma once

#include <glib.h>

/* A table of words indexed by the enum's value, ended by NULL. */
typedef const char *const NickTable[];

/* The word, or "unknown" where the value lies outside the table. */
const char *nick_of(NickTable table, int value);

/* The value of a word (case matters); FALSE where no row has it. */
gboolean nick_parse(NickTable table, const char *word, int *ret);

/* All words with ", " between them, for messages. Free with g_free(). */
char *nick_list(NickTable table);
