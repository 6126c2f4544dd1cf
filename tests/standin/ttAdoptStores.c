/* ttAdoptStores: databases of another instance of the same major release become this one's, without
 * copying (facts 3.5). Runs in the instance that is to have them.
 */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "arguments.h"
#include "failure.h"
#include "link.h"
#include "store.h"

static const char usage[] = "Usage:\n"
                            "  ttAdoptStores [-quiet] {-dspath <path> | -instpath <path>}\n"
                            "  ttAdoptStores {-h | -help | -?} | {-V | -version}\n";

static const Option options[] = { { "-quiet", 0 }, { "-dspath", 1 }, { "-instpath", 1 }, { NULL } };

static gboolean may_adopt(const Instance *instance, const char *path, GError **error)
{
    g_autofree char *release = store_release(path);
    Version found;
    int lock;

    if (!store_exists(path)) {
        failure_set(error, TT_NO_STORE, "Data store %s does not exist", path);
        return FALSE;
    }
    if (!release || !version_parse(release, &found) ||
        version_compare_major(&found, &instance->version) != 0) {
        failure_set(error, TT_OTHER_RELEASE, "Data store %s was created by TimesTen release %s",
                    path, release ? release : "unknown");
        return FALSE;
    }
    lock = store_lock(path, error);
    if (lock < 0)
        return FALSE;
    store_unlock(lock);
    return TRUE;
}

static gboolean adopt(const Instance *instance, Wire *link, const char *path, const char *policy,
                      gboolean quiet, GError **error)
{
    g_autofree char *line =
        message_line("policy", "path", path, "policy", policy, "grace", "0", NULL);
    g_autoptr(Message) reply =
        may_adopt(instance, path, error) ? link_ask(link, line, error) : NULL;

    if (reply && !quiet)
        printf("Adopted data store %s\n", path);
    return reply != NULL;
}

/* All that the instance in HOME knows of, with their RAM policies. */
static gboolean adopt_all(const Instance *instance, Wire *link, const char *home, gboolean quiet,
                          GError **error)
{
    g_autoptr(Instance) other = instance_at(home, error);
    g_autoptr(Wire) busy = other ? link_open(other, NULL, NULL) : NULL;
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *path = other ? g_build_filename(other->daemon_home, "DBIstores", NULL) : NULL;
    g_auto(GStrv) paths = NULL;

    if (!other)
        return FALSE;
    if (busy) {
        failure_set(error, TT_IN_USE, "The main daemon of instance %s is running", other->name);
        return FALSE;
    }
    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, error))
        return FALSE;
    paths = g_key_file_get_groups(file, NULL);
    for (guint i = 0; paths[i]; i++) {
        g_autofree char *policy = g_key_file_get_string(file, paths[i], "policy", NULL);

        if (!adopt(instance, link, paths[i], policy ? policy : "inUse", quiet, error))
            return FALSE;
        g_key_file_remove_group(file, paths[i], NULL);
    }
    return g_key_file_save_to_file(file, path, error);
}

int ttadoptstores_main(int argc, char **argv)
{
    g_autoptr(Instance) instance = instance_self();
    const Arguments *arguments = arguments_read(instance, argv, options, usage, 1);
    const char *path = arguments_value(arguments, "-dspath");
    const char *home = arguments_value(arguments, "-instpath");
    gboolean quiet = arguments_value(arguments, "-quiet") != NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(Wire) link = NULL;

    if (!path == !home || arguments->words->len > 0)
        arguments_usage(usage, 1);
    link = link_open(instance, NULL, &error);
    if (link && (path ? adopt(instance, link, path, "inUse", quiet, &error)
                      : adopt_all(instance, link, home, quiet, &error)))
        return 0;
    print_failure(instance, error);
    return 1;
}
