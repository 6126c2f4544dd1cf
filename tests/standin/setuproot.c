/* setuproot: starts the instance at boot, as a SysV script or, from 22.1 on, as a systemd service
 * (facts 2.5). Only root may. HOME/.standin/root names a directory that stands for / in tests.
 */
#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arguments.h"
#include "failure.h"
#include "instancefiles.h"

#define USAGE(more)                                                                                \
    "Usage:\n"                                                                                     \
    "  setuproot {-install | -uninstall}" more "\n"                                                \
    "  setuproot {-h | -help | -?} | {-V | -version}\n"

static const Usage usages[] = { { FAMILY_181, USAGE("") }, { 0, USAGE(" [-systemd]") } };

static const Option options[] = {
    { "-install", 0 }, { "-uninstall", 0 }, { "-systemd", 0, .since = FAMILY_221 }, { NULL }
};

/* Directory and name of a link to the installed file; SysV needs several. */
typedef struct {
    const char *directory, *prefix;
} BootLink;

static const BootLink sysv_links[] = { { "etc/rc2.d", "S90" },
                                       { "etc/rc3.d", "S90" },
                                       { "etc/rc5.d", "S90" },
                                       { "etc/rc0.d", "K45" },
                                       { "etc/rc1.d", "K45" },
                                       { "etc/rc6.d", "K45" },
                                       { NULL } };
static const BootLink systemd_links[] = { { "etc/systemd/system/multi-user.target.wants", "" },
                                          { NULL } };

typedef struct {
    const char *what;      /* in the question */
    const char *directory; /* where the file goes */
    const char *extension;
    mode_t mode;
    const BootLink *links;
} Scheme;

static const Scheme sysv = { "TimesTen daemon startup scripts", "etc/init.d", "", 0755,
                             sysv_links };
static const Scheme systemd = { "TimesTen daemon service", "lib/systemd/system", ".service", 0644,
                                systemd_links };

static char *root_of(const Instance *instance)
{
    g_autofree char *path = g_build_filename(instance->home, ".standin", "root", NULL);
    char *root = NULL;

    return g_file_get_contents(path, &root, NULL, NULL) ? g_strchomp(root) : g_strdup("/");
}

/* The end of input takes what is offered. */
static gboolean agrees(const Scheme *scheme)
{
    char answer[64];

    printf("Would you like to install the %s into /%s? [ yes ] ", scheme->what, scheme->directory);
    fflush(stdout);
    if (!fgets(answer, sizeof answer, stdin)) {
        putchar('\n');
        return TRUE;
    }
    return g_ascii_tolower(*g_strstrip(answer)) != 'n';
}

static gboolean make_links(const char *root, const Scheme *scheme, const char *name, GError **error)
{
    g_autofree char *target = g_build_filename("/", scheme->directory, name, NULL);

    for (const BootLink *link = scheme->links; link->directory; link++) {
        g_autofree char *directory = g_build_filename(root, link->directory, NULL);
        g_autofree char *file = g_strconcat(link->prefix, name, NULL);
        g_autofree char *path = g_build_filename(directory, file, NULL);

        g_mkdir_with_parents(directory, 0755);
        if (symlink(target, path) < 0 && errno != EEXIST) {
            failure_set(error, TT_FILE, "%s: %s", path, g_strerror(errno));
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean put(const Instance *instance, const char *root, const Scheme *scheme,
                    const char *name, GError **error)
{
    g_autofree char *from = g_build_filename(instance->home, "startup", name, NULL);
    g_autofree char *directory = g_build_filename(root, scheme->directory, NULL);
    g_autofree char *to = g_build_filename(directory, name, NULL);
    g_autofree char *text = NULL;

    printf("Copying %s to %s\n", from, to);
    g_mkdir_with_parents(directory, 0755);
    if (!g_file_get_contents(from, &text, NULL, error) ||
        !g_file_set_contents_full(to, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, (int)scheme->mode,
                                  error) ||
        chmod(to, scheme->mode) < 0 || !make_links(root, scheme, name, error))
        return FALSE;
    printf("\nSuccessfully installed the following scripts :\n%s\n", to);
    return TRUE;
}

static void take_away(const char *root, const Scheme *scheme, const char *name)
{
    g_autofree char *path = g_build_filename(root, scheme->directory, name, NULL);

    for (const BootLink *link = scheme->links; link->directory; link++) {
        g_autofree char *file = g_strconcat(link->prefix, name, NULL);
        g_autofree char *linked = g_build_filename(root, link->directory, file, NULL);

        unlink(linked);
    }
    unlink(path);
    printf("\nSuccessfully uninstalled the following scripts :\n%s\n", path);
}

static void reload(const char *root)
{
    if (strcmp(root, "/") == 0 && access("/run/systemd/system", F_OK) == 0 &&
        system("systemctl daemon-reload") != 0)
        fputs("setuproot: systemctl daemon-reload failed\n", stderr);
}

static int run(const Arguments *arguments)
{
    const Instance *instance = arguments->instance;
    gboolean wanted = arguments_value(arguments, "-systemd") != NULL;
    const Scheme *scheme = wanted ? &systemd : &sysv;
    g_autofree char *root = root_of(instance);
    g_autofree char *name = g_strdup_printf("tt_%s%s", instance->name, scheme->extension);
    g_autoptr(GError) error = NULL;

    if (arguments_value(arguments, "-uninstall")) {
        take_away(root, scheme, name);
    } else if (wanted != instance_is_under_systemd(instance)) {
        fprintf(stderr, "setuproot: this instance is %sconfigured for systemd; see %s -%ssystemd\n",
                wanted ? "not " : "", "ttInstanceModify", wanted ? "" : "no");
        return 1;
    } else if (agrees(scheme) && !put(instance, root, scheme, name, &error)) {
        fprintf(stderr, "setuproot: %s\n", error ? error->message : g_strerror(errno));
        return 1;
    }
    if (wanted)
        reload(root);
    return 0;
}

int setuproot_main(int argc, char **argv)
{
    g_autoptr(Instance) instance = instance_self();
    const char *usage = usage_of(instance, usages);
    const Arguments *arguments = arguments_read(instance, argv, options, usage, 1);

    if (!arguments_value(arguments, "-install") == !arguments_value(arguments, "-uninstall") ||
        arguments->words->len > 0)
        arguments_usage(usage, 1);
    if (geteuid() != 0) {
        fputs("setuproot: only root may do this\n", stderr);
        return 1;
    }
    return run(arguments);
}
