/* One program for all commands of an instance: bin/ has a hard link per command, so that /proc
 * shows its name. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "commands.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    { "timestend", timestend_main },
    { "timestensubd", timestensubd_main },
    { "timestenrepd", timestenrepd_main },
    { "ttcserver", ttcserver_main },
    { "ttwebserver", ttwebserver_main },
    { "ttAdmin", ttadmin_main },
    { "ttBackup", ttbackup_main },
    { "ttDaemonAdmin", ttdaemonadmin_main },
    { "ttDestroy", ttdestroy_main },
    { "ttIsql", ttisql_main },
    { "ttIsqlCS", ttisqlcs_main },
    { "ttMigrate", ttmigrate_main },
    { "ttRepAdmin", ttrepadmin_main },
    { "ttRestore", ttrestore_main },
    { "ttStatus", ttstatus_main },
    { "ttVersion", ttversion_main },
};

/* DIRECTORY/timestend is a copy of this program: makes all other names of it, also in lower case.
 */
static int install(const char *directory)
{
    if (chdir(directory) < 0) {
        perror(directory);
        return 1;
    }
    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *lower = g_ascii_strdown(commands[i].name, -1);

        if (link("timestend", commands[i].name) < 0 && errno != EEXIST) {
            perror(commands[i].name);
            return 1;
        }
        if (strcmp(lower, commands[i].name) != 0 && symlink(commands[i].name, lower) < 0 &&
            errno != EEXIST) {
            perror(lower);
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    g_autofree char *executable = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *name = executable ? g_path_get_basename(executable) : g_strdup("");

    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (g_ascii_strcasecmp(name, commands[i].name) == 0) {
            g_set_prgname(commands[i].name);
            return commands[i].run(argc, argv);
        }
    }
    if (argc == 3 && strcmp(argv[1], "--install") == 0)
        return install(argv[2]);
    fprintf(stderr,
            "%s: tests/standin/install installs me; then I am each command that has a name\n",
            argv[0]);
    return 2;
}
