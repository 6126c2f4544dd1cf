/* How wide text is on a screen: letters that take two cells, marks that take none. */
#pragma once

#include <glib.h>

/* Cells of printable UTF-8 text. */
guint width_of(const char *text);

/* The text cut to at most CELLS cells, the last one being "…" (or "." without UTF-8) where it was
 * cut; g_free(). */
char *width_cut(const char *text, guint cells);

/* Lines of at most CELLS cells, broken at blanks; a word that is longer stands alone. g_strfreev().
 */
char **width_wrap(const char *text, guint cells);
