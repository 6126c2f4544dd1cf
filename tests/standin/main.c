/* One program for all commands of an instance: bin/ has a hard link per command, so that /proc
 * shows its name. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "commands.h"
#include "release.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    FamilyId since, until; /* releases that have it; until 0: all later ones */
} commands[] = {
    { "setuproot", setuproot_main },
    { "timestend", timestend_main },
    { "timestensubd", timestensubd_main },
    { "timestenrepd", timestenrepd_main },
    { "ttcserver", ttcserver_main },
    { "ttwebserver", ttwebserver_main, FAMILY_60, FAMILY_70 },
    { "ttAdmin", ttadmin_main },
    { "ttAdoptStores", ttadoptstores_main, FAMILY_51, FAMILY_1122 },
    { "ttBackup", ttbackup_main },
    { "ttDaemonAdmin", ttdaemonadmin_main },
    { "ttDestroy", ttdestroy_main },
    { "ttInstanceCreate", ttinstancecreate_main, FAMILY_181 },
    { "ttInstanceModify", ttinstancemodify_main, FAMILY_181 },
    { "ttIsql", ttisql_main },
    { "ttIsqlCS", ttisqlcs_main },
    { "ttMigrate", ttmigrate_main },
    { "ttRepAdmin", ttrepadmin_main },
    { "ttRestore", ttrestore_main },
    { "ttShmSize", ttshmsize_main, FAMILY_1121 },
    { "ttStatus", ttstatus_main },
    { "ttVersion", ttversion_main },
};

/* DIRECTORY/timestend is a copy of this program: makes all other names of it that RELEASE has, also
 * in lower case. */
static int install(const char *directory, const Family *family)
{
    if (chdir(directory) < 0) {
        perror(directory);
        return 1;
    }
    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *lower = g_ascii_strdown(commands[i].name, -1);

        if (family->id < commands[i].since ||
            (commands[i].until != 0 && family->id > commands[i].until))
            continue;
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

/* For the script install: "path 6.0.8 16001 16003", how the release is selected, its number as
 * installers write it, the ports that they offer. */
static int describe(const Version *version, const Family *family)
{
    g_autofree char *text = version_text(version);

    printf("%s %s %u %u\n", family->selection == SELECTED_BY_PATH ? "path" : "environment", text,
           family->daemon_port, family->server_port);
    return 0;
}

/* What the script install asks of the program itself. */
static int serve_installer(int argc, char **argv)
{
    const char *text = argc > 2 ? argv[argc - 1] : NULL;
    const Family *family = NULL;
    Version version;

    if (text && version_parse(text, &version))
        family = family_find(&version);
    if (text && !family)
        fprintf(stderr, "release %s is not one of the stand-in's\n", text);
    else if (argc == 4 && strcmp(argv[1], "--install") == 0)
        return install(argv[2], family);
    else if (argc == 3 && strcmp(argv[1], "--describe") == 0)
        return describe(&version, family);
    else if (argc == 3 && strcmp(argv[1], "--upgrades") == 0)
        return upgrades_print(&version);
    else
        fprintf(stderr,
                "%s: tests/standin/install installs me; then I am each command that has a name\n",
                argv[0]);
    return 2;
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
    return serve_installer(argc, argv);
}
