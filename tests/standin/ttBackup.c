/* ttBackup and ttRestore: image copies of a data store, for the same major release only
 * (facts 3.5).
 *
 * A backup is two files: PREFIX.sta (what it is) and PREFIX.0.bac (the store).
 */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "failure.h"
#include "fault.h"
#include "link.h"
#include "session.h"
#include "store.h"

static const char backup_usage[] =
    "Usage:\n"
    "  ttBackup -dir <directory> [-type <type>] [-fname <prefix>] [-force]\n"
    "           {-connStr <connection_string> | <DSN>}\n"
    "  ttBackup {-h | -help | -?} | {-V | -version}\n";
static const char restore_usage[] = "Usage:\n"
                                    "  ttRestore [-fname <prefix>] [-noconn] -dir <directory> "
                                    "{-connStr <connection_string> | <DSN>}\n"
                                    "  ttRestore {-h | -help | -?} | {-V | -version}\n";

static const Option backup_options[] = { { "-dir", 1 },   { "-type", 1 },    { "-fname", 1 },
                                         { "-force", 0 }, { "-connStr", 1 }, { NULL } };
static const Option restore_options[] = { { "-dir", 1 },
                                          { "-fname", 1 },
                                          { "-noconn", 0 },
                                          { "-open", 0, .since = FAMILY_181 },
                                          { "-close", 0, .since = FAMILY_181 },
                                          { "-connStr", 1 },
                                          { NULL } };

static char *prefix_of(const Arguments *arguments, const Target *target)
{
    const char *name = arguments_value(arguments, "-fname");
    g_autofree char *base = g_path_get_basename(target->data_store);

    return g_build_filename(arguments_value(arguments, "-dir"), name ? name : base, NULL);
}

static char *state_value(const char *prefix, const char *name)
{
    g_autofree char *path = g_strconcat(prefix, ".sta", NULL);
    g_autoptr(GKeyFile) state = g_key_file_new();

    return g_key_file_load_from_file(state, path, G_KEY_FILE_NONE, NULL)
               ? g_key_file_get_string(state, "backup", name, NULL)
               : NULL;
}

static gboolean write_image(sqlite3 *from, const char *path, GError **error)
{
    g_autoptr(sqlite3) to = NULL;

    if (sqlite3_open(path, &to) != SQLITE_OK) {
        failure_set(error, TT_FILE, "Cannot create %s: %s", path, sqlite3_errmsg(to));
        return FALSE;
    }
    /* All of it in the one file. */
    return store_copy(from, to, error) && store_execute(to, "PRAGMA journal_mode=DELETE", error);
}

static gboolean back_up(const Instance *instance, const Arguments *arguments, const Target *target,
                        GError **error)
{
    static const SessionKind kind = { .type = "Process", .name = "ttBackup" };
    g_autofree char *prefix = prefix_of(arguments, target);
    g_autofree char *image = g_strconcat(prefix, ".0.bac", NULL);
    g_autofree char *state = g_strconcat(prefix, ".sta", NULL);
    g_autofree char *other = state_value(prefix, "store");
    g_autofree char *text = NULL;
    g_autoptr(Session) session = NULL;

    if (other && strcmp(other, target->data_store) != 0 && !arguments_value(arguments, "-force")) {
        failure_set(error, TT_FILE, "Backup %s is of another data store (%s); use -force", prefix,
                    other);
        return FALSE;
    }
    session = session_open(instance, target, &kind, error);
    if (!session)
        return FALSE;
    unlink(state);
    unlink(image);
    if (!write_image(session_database(session), image, error))
        return FALSE;
    if (fault_get("corrupt") && truncate(image, 5000) < 0)
        return FALSE;
    text =
        g_strdup_printf("[backup]\nstore=%s\nrelease=%s\n", target->data_store, instance->release);
    return g_file_set_contents(state, text, -1, error);
}

static gboolean read_image(const Instance *instance, const char *prefix, const Target *target,
                           GError **error)
{
    g_autofree char *image = g_strconcat(prefix, ".0.bac", NULL);
    g_autoptr(sqlite3) from = NULL;
    g_autoptr(sqlite3) to = NULL;

    if (sqlite3_open_v2(image, &from, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        failure_set(error, TT_FILE, "Cannot read %s: %s", image, sqlite3_errmsg(from));
        return FALSE;
    }
    if (!store_create(target->data_store, target->log_dir, instance->release, error))
        return FALSE;
    to = store_open(target->data_store, &instance->version, error);
    return to && store_copy(from, to, error);
}

static gboolean restore_image(const Instance *instance, const char *prefix, const Target *target,
                              GError **error)
{
    if (read_image(instance, prefix, target, error))
        return TRUE;
    store_destroy(target->data_store, NULL);
    return FALSE;
}

/* -open and -close: to whom the restored database is open. */
static gboolean set_state(const Arguments *arguments, Wire *link, const Target *target,
                          GError **error)
{
    if (!arguments_value(arguments, "-open") && !arguments_value(arguments, "-close"))
        return TRUE;
    return link_set_closed(link, target->data_store, arguments_value(arguments, "-close") != NULL,
                           error);
}

static gboolean restore(const Instance *instance, const Arguments *arguments, const Target *target,
                        GError **error)
{
    static const SessionKind kind = { .type = "Process", .name = "ttRestore" };
    g_autofree char *prefix = prefix_of(arguments, target);
    g_autofree char *release = state_value(prefix, "release");
    g_autofree char *reserve = message_line("reserve", "path", target->data_store, NULL);
    g_autoptr(Wire) link = link_open(instance, NULL, error);
    g_autoptr(Message) reply = link ? link_ask(link, reserve, error) : NULL;
    g_autoptr(Session) session = NULL;
    Version found;

    if (!reply)
        return FALSE;
    if (!release || !version_parse(release, &found)) {
        failure_set(error, TT_FILE, "%s is not a readable backup", prefix);
        return FALSE;
    }
    if (version_compare_major(&found, &instance->version) != 0) {
        failure_set(error, TT_OTHER_RELEASE, "Backup %s was made by TimesTen release %s", prefix,
                    release);
        return FALSE;
    }
    if (store_exists(target->data_store)) {
        failure_set(error, TT_FILE, "Data store %s exists already", target->data_store);
        return FALSE;
    }
    if (!restore_image(instance, prefix, target, error))
        return FALSE;
    if (!set_state(arguments, link, target, error))
        return FALSE;
    g_clear_pointer(&link, wire_free);
    if (arguments_value(arguments, "-noconn"))
        return TRUE;
    session = session_open(instance, target, &kind, error);
    return session != NULL;
}

static int run(char **argv, const Option *options, const char *usage,
               gboolean (*work)(const Instance *, const Arguments *, const Target *, GError **))
{
    g_autoptr(Instance) instance = instance_self();
    Arguments *arguments = arguments_read(instance, argv, options, usage, 1);
    g_autofree char *database = arguments_database(arguments, usage, 1);
    g_autoptr(GError) error = NULL;
    g_autoptr(Target) target = NULL;

    if (!arguments_value(arguments, "-dir") || arguments->words->len > 0)
        arguments_usage(usage, 1);
    target = target_find(instance, database, FALSE, &error);
    if (target)
        target->auto_create = FALSE;
    if (target && work(instance, arguments, target, &error))
        return 0;
    print_failure(instance, error);
    return 1;
}

static gboolean is_type(const char *type)
{
    static const char *const types[] = { "fileFull", "fileFullEnable", "fileIncremental",
                                         "fileIncrOrFull", "incrementalStop" };

    for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
        if (g_ascii_strcasecmp(type, types[i]) == 0)
            return TRUE;
    }
    return FALSE;
}

int ttbackup_main(int argc, char **argv)
{
    for (guint i = 1; argv[i]; i++) {
        if (g_ascii_strcasecmp(argv[i], "-type") == 0 && argv[i + 1] && !is_type(argv[i + 1])) {
            fprintf(stderr, "ttBackup: type %s is not supported\n", argv[i + 1]);
            arguments_usage(backup_usage, 1);
        }
    }
    return run(argv, backup_options, backup_usage, back_up);
}

int ttrestore_main(int argc, char **argv)
{
    return run(argv, restore_options, restore_usage, restore);
}
