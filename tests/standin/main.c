/* One program for all commands of an instance: bin/ has a hard link per command, so that /proc
 * shows its name. */
#include <stdio.h>
#include <string.h>

#include <glib.h>

#include "commands.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    { "timestend", timestend_main },
    { "timestensubd", timestensubd_main },
    { "ttcserver", ttcserver_main },
    { "ttwebserver", ttwebserver_main },
    { "ttAdmin", ttadmin_main },
    { "ttBackup", ttbackup_main },
    { "ttDaemonAdmin", ttdaemonadmin_main },
    { "ttDestroy", ttdestroy_main },
    { "ttIsql", ttisql_main },
    { "ttMigrate", ttmigrate_main },
    { "ttRepAdmin", ttrepadmin_main },
    { "ttRestore", ttrestore_main },
    { "ttStatus", ttstatus_main },
    { "ttVersion", ttversion_main },
};

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
    if (argc == 2 && strcmp(argv[1], "--list-commands") == 0) {
        for (guint i = 0; i < G_N_ELEMENTS(commands); i++)
            puts(commands[i].name);
        return 0;
    }
    fprintf(stderr,
            "%s: install me with tests/standin/install; run me as one of the commands that "
            "--list-commands names\n",
            argv[0]);
    return 2;
}
