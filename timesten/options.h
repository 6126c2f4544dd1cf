/* The main daemon's option file: ttendaemon.options (to 11.2) and timesten.conf (from 18.1).
 *
 * An edit keeps every other line, comment and blank exactly as it was (facts 2.2, 2.3).
 */
#pragma once

#include "timesten/release.h"

typedef struct OptionsFile OptionsFile;

/* Never NULL: a line that nobody understands is kept like any other. */
OptionsFile *options_parse(const char *text, EraKind kind);
void options_free(OptionsFile *options);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OptionsFile, options_free)

char *options_text(const OptionsFile *options); /* g_free() */

/* Server port; 0 where no server is to be started. Setting 0 removes the line. The last line wins where
 * there are several, and a set leaves just one. */
guint16 options_server_port(const OptionsFile *options);
void options_set_server_port(OptionsFile *options, guint16 port);

/* -insecure-backwards-compat. For timesten.conf the attribute's name is not known (facts 2.2), so there it
 * reads FALSE and a set returns FALSE with NOT_POSSIBLE. */
gboolean options_backwards_compat(const OptionsFile *options);
gboolean options_set_backwards_compat(OptionsFile *options, gboolean on, GError **error);

/* A value by name: "-userlog" / "daemon_port". NULL where absent; "" for a bare flag. */
const char *options_value(const OptionsFile *options, const char *name);
