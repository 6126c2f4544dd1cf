/* A directory that looks like an installation to whoever only reads it: option file, sys.odbc.ini,
 * and a ttVersion that prints a sample.
 */
#pragma once

#include "sample.h"

#include <glib/gstdio.h>

static inline void install_file(const char *home, const char *below, const char *content, int mode)
{
    g_autofree char *path = g_build_filename(home, below, NULL);
    g_autofree char *directory = g_path_get_dirname(path);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(g_mkdir_with_parents(directory, 0755), ==, 0);
    g_file_set_contents(path, content, -1, &error);
    g_assert_no_error(error);
    g_assert_cmpint(g_chmod(path, mode), ==, 0);
}

/* A script that prints SAMPLE where it is called with WANTED as its arguments, and fails otherwise.
 * The daemon home of the sample becomes that of HOME. */
static inline void install_version(const char *home, const char *program, const char *wanted,
                                   const char *name, const char *daemon_home)
{
    g_autofree char *text = sample(name);
    g_auto(GStrv) pieces = g_strsplit(text, daemon_home, -1);
    g_autofree char *info = g_build_filename(home, "info", NULL);
    g_autofree char *own = g_strjoinv(info, pieces);
    g_autofree char *script =
        g_strdup_printf("#!/bin/sh\n"
                        "[ \"$*\" = \"%s\" ] || { echo 'usage: ttVersion'; exit 1; }\n"
                        "cat <<'END'\n%sEND\n",
                        wanted, own);

    install_file(home, program, script, 0755);
}

/* Release 7.0 with the options and DSNs of the samples; g_free(). */
static inline char *install_7_0(void)
{
    char *home = g_dir_make_tmp("tt70-XXXXXX", NULL);
    g_autofree char *options = sample("options-7.0"), *odbc = sample("odbc-7.0.ini");

    install_version(home, "bin/ttVersion", "-m", "version-7.0-m", "/opt/TimesTen/tt70/info");
    install_file(home, "info/ttendaemon.options", options, 0640);
    install_file(home, "info/sys.odbc.ini", odbc, 0644);
    return home;
}

static inline void uninstall(const char *home)
{
    const char *argv[] = { "rm", "-rf", home, NULL };

    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                 NULL);
}
