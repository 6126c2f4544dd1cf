/* Unit files as text: drop-ins, links and marks that the generator leaves for systemd. Internal to
 * units/.
 *
 * systemd empties a generator's directory before each run and believes whatever is there after it,
 * however the generator ended: a port whose address had not been written by then would be closed.
 * So drop-ins lie beside it, in /run/systemd/system, and each is replaced in one go: from a run that
 * did not come to its end the earlier ones stay.
 */
#pragma once

#include <glib.h>

typedef struct Writer Writer;

/* DIRECTORY: the generator's; drop-ins go to "system" beside it. */
Writer *writer_new(const char *directory);
void writer_free(Writer *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Writer, writer_free)

/* Writes the drop-in UNIT.d/NAME. */
gboolean writer_dropin(Writer *writer, const char *unit, const char *name, const GString *text,
                       GError **error);

/* Leaves that drop-in as an earlier run wrote it where it begins with the line FIRST; FALSE: it does
 * not. */
gboolean writer_keep(Writer *writer, const char *unit, const char *name, const char *first);

/* Makes TARGET.wants/UNIT, a link to the unit file FILE (absolute). */
gboolean writer_want(Writer *writer, const char *target, const char *unit, const char *file,
                     GError **error);

/* Makes the empty file NAME, which systemd passes over: whoever looks knows how this run went. */
gboolean writer_mark(Writer *writer, const char *name, GError **error);

/* Removes the drop-ins of earlier runs that this one did not write again. */
void writer_tidy(Writer *writer);

/* Appends "KEY=WORD WORD…" and a newline, each word in quotes where it needs them. Words have no
 * quotes, '\', '%' or '$'; the inventory refuses those. PREFIX stands directly behind the '='. */
void words_append(GString *text, const char *key, const char *prefix, char **words);
