/* Unit files as text: drop-ins and links that a generator leaves for systemd. Internal to units/.
 */
#pragma once

#include <glib.h>

/* Writes DIRECTORY/UNIT.d/NAME. */
gboolean dropin_write(const char *directory, const char *unit, const char *name,
                      const GString *text, GError **error);

/* Makes DIRECTORY/TARGET.wants/UNIT, a link to the unit file FILE (absolute). */
gboolean want_write(const char *directory, const char *target, const char *unit, const char *file,
                    GError **error);

/* Appends "KEY=WORD WORD…" and a newline, each word in quotes where it needs them. Words have no
 * quotes, '\', '%' or '$'; the inventory refuses those. PREFIX stands directly behind the '='. */
void words_append(GString *text, const char *key, const char *prefix, char **words);
