/* ttDestroy: removes a data store and all its files. Says nothing when it works; there is no way
 * back. */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "failure.h"
#include "link.h"
#include "store.h"

static const char usage[] = "Usage:\n"
                            "  ttDestroy [[-wait] [-timeout secs]] [-force] {-connStr "
                            "<connection_string> | <DSN> | <dspath>}\n"
                            "  ttDestroy {-h | -help | -?} | {-V | -version}\n";

static const Option options[] = {
    { "-wait", 0 }, { "-timeout", 1 }, { "-force", 0 }, { "-connStr", 1 }, { NULL }
};

static gboolean is_ours(const Instance *instance, const char *path, GError **error)
{
    g_autofree char *release = store_release(path);
    Version found;

    if (release && version_parse(release, &found) &&
        version_compare_major(&found, &instance->version) == 0)
        return TRUE;
    failure_set(error, TT_OTHER_RELEASE, "Data store %s was created by TimesTen release %s", path,
                release ? release : "unknown");
    return FALSE;
}

static gboolean destroy(const Instance *instance, const char *path, gboolean force, GError **error)
{
    g_autofree char *reserve = message_line("reserve", "path", path, NULL);
    g_autofree char *forget = message_line("forget", "path", path, NULL);
    g_autoptr(Wire) link = link_open(instance, NULL, error);
    g_autoptr(Message) reply = NULL;
    g_autoptr(Message) forgotten = NULL;

    if (!link)
        return FALSE;
    if (!store_exists(path)) {
        failure_set(error, TT_NO_STORE, "Data store %s does not exist", path);
        return FALSE;
    }
    if (!force && !is_ours(instance, path, error))
        return FALSE;
    reply = link_ask(link, reserve, error);
    if (!reply || !store_destroy(path, error))
        return FALSE;
    forgotten = link_ask(link, forget, NULL);
    return TRUE;
}

int ttdestroy_main(int argc, char **argv)
{
    g_autoptr(Instance) instance = instance_self();
    Arguments *arguments = arguments_read(instance, argv, options, usage, 1);
    g_autofree char *database = arguments_database(arguments, usage, 1);
    const char *timeout = arguments_value(arguments, "-timeout");
    gboolean wait = timeout || arguments_value(arguments, "-wait");
    gboolean force = arguments_value(arguments, "-force") != NULL;
    gint64 end = timeout ? g_get_monotonic_time() + (gint64)(g_ascii_strtod(timeout, NULL) * 1e6)
                         : G_MAXINT64;
    g_autoptr(GError) error = NULL;
    g_autoptr(Target) target = *database == '/' ? target_of_path(database)
                                                : target_find(instance, database, FALSE, &error);

    if (target && arguments->words->len > 0)
        arguments_usage(usage, 1);
    while (target && !destroy(instance, target->data_store, force, &error)) {
        if (!wait || error->code != TT_IN_USE || g_get_monotonic_time() >= end)
            break;
        g_clear_error(&error);
        g_usleep(timeout ? G_USEC_PER_SEC : 5 * G_USEC_PER_SEC);
    }
    if (!error)
        return 0;
    print_failure(instance, error);
    return 1;
}
