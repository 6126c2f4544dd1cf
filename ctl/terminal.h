/* What the output goes to: how wide it is, whether it takes colours and which letters it knows. */
#pragma once

#include <stdio.h>
#include <glib.h>

typedef enum { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_RED, STYLE_GREEN, STYLE_YELLOW } Style;

gboolean terminal_is(FILE *file);
/* Whether lines can be redrawn in place: a terminal that is not "dumb". */
gboolean terminal_can_redraw(FILE *file);
/* Columns of the terminal behind FILE, asked anew each time; 0 where it is none: no limit. Behind a
 * pager that pager_open() started it is the terminal's width from before. */
guint terminal_columns(FILE *file);

/* Whether styles show: not without a terminal, with NO_COLOR or on TERM=dumb. */
gboolean terminal_has_colour(FILE *file);
/* Prints TEXT in a style, where styles show. */
void terminal_put(FILE *file, Style style, const char *text);

/* "→" or "->", and so on: the nicer one where the locale has it. */
const char *terminal_glyph(const char *nice, const char *plain);

/* Prints words in lines that fit, the first behind LEAD, the others behind as many blanks. Control
 * characters in TEXT become blanks. */
void terminal_paragraph(FILE *file, const char *lead, Style style, const char *text);

/* For pager.c: from now on stdout is a pipe to a terminal of this width. */
void terminal_assume(guint columns, gboolean colour);
