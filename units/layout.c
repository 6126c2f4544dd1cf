/* Finds an instance's option file, administrator and daemon home by looking, never by running. */
#include "units/layout.h"
#include "common/error.h"
#include "common/file.h"
#include "timesten/options.h"

#include <errno.h>
#include <stdio.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#define OPTIONS_LIMIT (1024 * 1024) /* bytes; a real option file has some hundred */

static gboolean complain(GError **error, const InstanceConfig *instance, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
static gboolean complain(GError **error, const InstanceConfig *instance, const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION, "%s: %s", instance->file, message);
    return FALSE;
}

static gboolean look(const char *root, const char *path, struct stat *ret)
{
    g_autofree char *whole = g_strconcat(root, path, NULL);

    return lstat(whole, ret) == 0;
}

/* Where an option file may lie, by era. The second and third are those of root installs up to 11.2,
 * whose daemon home is named after the instance (facts 2.1, that it is the last word of the home is
 * I). */
static char *option_file(const InstanceConfig *instance, guint row, EraKind *ret_kind)
{
    g_autofree char *last = g_path_get_basename(instance->home);

    *ret_kind = row == 0 ? ERA_ENVIRONMENT : ERA_PATH;
    switch (row) {
    case 0:
        return g_strconcat(instance->home, "/conf/timesten.conf", NULL);
    case 1:
        return g_strconcat(instance->home, "/info/ttendaemon.options", NULL);
    case 2:
        return g_strconcat("/var/TimesTen/", last, "/ttendaemon.options", NULL);
    case 3:
        return g_strconcat("/var/TimesTen/", instance->name, "/ttendaemon.options", NULL);
    default:
        return NULL;
    }
}

/* The first option file that is there and fits KIND where Release= gave one. NULL: none. */
static char *find_option_file(const InstanceConfig *instance, const char *root,
                              const EraKind *wanted, EraKind *ret_kind)
{
    char *path;

    for (guint row = 0; (path = option_file(instance, row, ret_kind)); row++) {
        struct stat found;

        /* A link could lead root to a device, which would notice that it is opened. */
        if ((!wanted || *wanted == *ret_kind) && look(root, path, &found) && S_ISREG(found.st_mode))
            return path;
        g_free(path);
    }
    return NULL;
}

/* User= for a user id: its name where /etc/passwd has it. Otherwise the number: systemd looks that
 * up when the instance starts, and by then a directory service can answer. */
static char *user_of(const char *root, uid_t uid)
{
    g_autofree char *path = g_strconcat(root, "/etc/passwd", NULL);
    FILE *file = fopen(path, "re");
    struct passwd *entry;
    char *name = NULL;

    while (file && !name && (entry = fgetpwent(file)))
        if (entry->pw_uid == uid)
            name = g_strdup(entry->pw_name);
    if (file)
        fclose(file);
    return name ? name : g_strdup_printf("%u", uid);
}

/* Whether nobody but root can put other programs below PATH. */
static gboolean only_root_may_write(const char *root, const char *path)
{
    g_autofree char *place = g_strdup(path);

    for (;;) {
        g_autofree char *above = g_path_get_dirname(place);
        struct stat found;

        if (!look(root, place, &found) || !S_ISDIR(found.st_mode) || found.st_uid != 0 ||
            (found.st_mode & (S_IWGRP | S_IWOTH)))
            return FALSE;
        if (g_str_equal(above, place))
            return TRUE;
        g_free(place);
        place = g_steal_pointer(&above);
    }
}

/* The owner of the daemon home, who is the only one that can write its files. What a file says
 * about it is not believed: whoever may write the file could name root, and the programs that root
 * would run are his own. */
static char *find_user(const InstanceConfig *instance, const char *root, const char *daemon_home,
                       GError **error)
{
    g_autofree char *programs_path = g_strconcat(instance->home, "/bin", NULL);
    struct stat programs, state;

    if (instance->admin)
        return g_strdup(instance->admin);
    if (!look(root, programs_path, &programs) || !S_ISDIR(programs.st_mode)) {
        complain(error, instance,
                 "%s is no directory, so nobody knows whose instance it is. Correct Home=",
                 programs_path);
        return NULL;
    }
    if (!look(root, daemon_home, &state) || !S_ISDIR(state.st_mode)) {
        complain(error, instance,
                 "%s is no directory, so nobody knows whose instance it is. Add Admin=USER "
                 "below [Instance]",
                 daemon_home);
        return NULL;
    }
    if (programs.st_uid != 0 && programs.st_uid != state.st_uid) {
        complain(error, instance,
                 "%s and %s belong to different users (%u and %u). Add Admin=USER below "
                 "[Instance]",
                 programs_path, daemon_home, programs.st_uid, state.st_uid);
        return NULL;
    }
    if (state.st_uid == 0 && !only_root_may_write(root, programs_path)) {
        complain(error, instance,
                 "the instance seems to be root's, but others may change %s or a directory above "
                 "it. Add Admin=USER below [Instance], or take their right away",
                 programs_path);
        return NULL;
    }
    return user_of(root, state.st_uid);
}

/* A release that stands for the layout: what a unit says about an instance is the same within an
 * era. */
static gboolean find_release(const InstanceConfig *instance, EraKind kind, Release *ret,
                             GError **error)
{
    g_autoptr(GError) local = NULL;

    if (!instance->release) {
        release_of_kind(kind, ret);
        return TRUE;
    }
    return release_parse(instance->release, ret, &local) ||
           complain(error, instance, "%s", local->message);
}

Layout *layout_read(const InstanceConfig *instance, const char *root, gboolean *ret_absent,
                    GError **error)
{
    g_autofree char *home = g_strconcat(root, instance->home, NULL);
    g_autoptr(Layout) layout = g_new0(Layout, 1);
    g_autofree char *path = NULL, *whole = NULL, *text = NULL;
    g_autoptr(OptionsFile) options = NULL;
    g_autoptr(GError) local = NULL;
    EraKind wanted, kind;

    *ret_absent = !g_file_test(home, G_FILE_TEST_IS_DIR);
    if (*ret_absent) {
        complain(error, instance,
                 "Home=%s is not there. Mount or install it, or correct Home=; then run systemctl "
                 "daemon-reload",
                 instance->home);
        return NULL;
    }
    if (instance->release) {
        if (!find_release(instance, ERA_PATH, &layout->release, error))
            return NULL;
        wanted = release_era(&layout->release)->kind;
    }
    path = find_option_file(instance, root, instance->release ? &wanted : NULL, &kind);
    if (!path) {
        complain(
            error, instance,
            "Home=%s has neither conf/timesten.conf nor info/ttendaemon.options%s%s, so it is no "
            "instance. Correct Home=; then run systemctl daemon-reload",
            instance->home, instance->release ? " as Release=" : "",
            instance->release ? instance->release : "");
        return NULL;
    }
    if (!find_release(instance, kind, &layout->release, error))
        return NULL;
    whole = g_strconcat(root, path, NULL);
    text = file_read(whole, OPTIONS_LIMIT, NULL, &local);
    if (!text) {
        complain(error, instance, "%s", local->message);
        return NULL;
    }
    options = options_parse(text, kind);
    layout->server_port = options_server_port(options);
    layout->daemon_home =
        kind == ERA_PATH ? g_path_get_dirname(path) : g_strconcat(instance->home, "/info", NULL);
    layout->user = find_user(instance, root, layout->daemon_home, error);
    return layout->user ? g_steal_pointer(&layout) : NULL;
}

void layout_free(Layout *layout)
{
    if (!layout)
        return;
    g_free(layout->daemon_home);
    g_free(layout->user);
    g_free(layout);
}
