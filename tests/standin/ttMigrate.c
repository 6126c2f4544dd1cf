/* ttMigrate: saves a database to a file and restores it, also into a newer release (facts 3.4). The
 * work is in save.c and restore.c; here are the arguments, the pace, and what a signal does.
 */
#include "commands.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "fault.h"
#include "migrate.h"

#define USAGE(save, restore)                                                                       \
    "Usage:\n"                                                                                     \
    "  ttMigrate {-a | -c} [-vverbosity] [-nf] [-nr] [-fixNaN]" save "\n"                          \
    "            {-connStr <connection_string> | <DSN>} <dataFile> "                               \
    "[<objectOwner.>objectName ...]\n"                                                             \
    "  ttMigrate -r [-C <ckptFreq>] [-vverbosity] [-nf] [-nr] [-fixNaN]\n"                         \
    "            [-rename <oldOwner:newOwner>]\n"                                                  \
    "            [-cacheUid <uid> [-cachePwd <pwd>]] [-inline <rule>]\n" restore                   \
    "            {-connStr <connection_string> | <DSN>} <dataFile> "                               \
    "[<objectOwner.>objectName ...]\n"                                                             \
    "  ttMigrate {-l | -L | -d | -D} <dataFile> [<objectOwner.>objectName ...]\n"                  \
    "  ttMigrate {-h | -help | -?} | {-V | -version}\n"
#define REP_UPGRADE "            [-noRepUpgrade | -repUpgrade]\n"
#define CONVERSIONS                                                                                \
    "            [-noCharsetConversion] [-localhost <hostName>]\n"                                 \
    "            [-convertTypesToOra | -convertTypesToTT]\n"
#define RELAXED                                                                                    \
    "            [-relaxedUpgrade | -exactUpgrade] [-numThreads <n>]\n"                            \
    "            [-updateStats | -estimateStats <percentage>]\n"                                   \
    "            [-autorefreshPaused] [-restorePublicPrivs]\n"

static const Usage usages[] = {
    { FAMILY_60, USAGE("", REP_UPGRADE) },
    { FAMILY_1121, USAGE("\n            [-saveAsCharset <charset>] [-noRepUpgrade | -repUpgrade]",
                         REP_UPGRADE CONVERSIONS) },
    { 0, USAGE("\n            [-saveAsCharset <charset>] [-relaxedUpgrade | -exactUpgrade]",
               RELAXED CONVERSIONS) },
};

static const Option options[] = {
    { "-a", 0 },
    { "-c", 0 },
    { "-r", 0 },
    { "-l", 0 },
    { "-L", 0 },
    { "-d", 0 },
    { "-D", 0 },
    { "-v", 0, .attached = TRUE },
    { "-C", 1 },
    { "-nf", 0 },
    { "-nr", 0 },
    { "-fixNaN", 0 },
    { "-connStr", 1 },
    { "-rename", 1 },
    { "-cacheUid", 1 },
    { "-cachePwd", 1 },
    { "-inline", 1 },
    { "-noRepUpgrade", 0, .until = FAMILY_1121 },
    { "-repUpgrade", 0, .until = FAMILY_1121 },
    { "-saveAsCharset", 1, .since = FAMILY_70 },
    { "-noCharsetConversion", 0, .since = FAMILY_70 },
    { "-localhost", 1, .since = FAMILY_70 },
    { "-convertTypesToOra", 0, .since = FAMILY_70 },
    { "-convertTypesToTT", 0, .since = FAMILY_70 },
    { "-relaxedUpgrade", 0, .since = FAMILY_1122 },
    { "-exactUpgrade", 0, .since = FAMILY_1122 },
    { "-numThreads", 1, .since = FAMILY_1122 },
    { "-updateStats", 0, .since = FAMILY_1122 },
    { "-estimateStats", 1, .since = FAMILY_1122 },
    { "-autorefreshPaused", 0, .since = FAMILY_1122 },
    { "-restorePublicPrivs", 0, .since = FAMILY_1122 },
    { "-restrict", 0, .since = FAMILY_261 },
    { NULL },
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal_number)
{
    interrupted = 1;
}

gboolean migration_interrupted(void)
{
    return interrupted != 0;
}

gboolean migration_step(Migration *migration)
{
    migration->done++;
    if (migration->total > 0)
        fault_at((guint)(100 * migration->done / migration->total));
    /* Every so often is enough to keep the pace, and often enough to hear a signal. */
    while (migration->rows_per_second > 0 && migration->done % 64 == 0 && !interrupted) {
        double due = (double)migration->done / migration->rows_per_second;
        double spent = (double)(g_get_monotonic_time() - migration->began) / G_USEC_PER_SEC;

        if (spent >= due)
            break;
        g_usleep((gulong)(MIN(due - spent, 0.1) * G_USEC_PER_SEC));
    }
    return !interrupted;
}

gboolean migration_wants(const Migration *migration, const char *object)
{
    const char *dot = strchr(object, '.');

    if (!migration->objects[0])
        return TRUE;
    for (guint i = 0; migration->objects[i]; i++) {
        if (g_ascii_strcasecmp(migration->objects[i], object) == 0 ||
            (dot && g_ascii_strcasecmp(migration->objects[i], dot + 1) == 0))
            return TRUE;
    }
    return FALSE;
}

void migration_say(const Migration *migration, const char *format, ...)
{
    va_list arguments;

    if (migration->verbosity == 0)
        return;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

static int save(Migration *migration, const Target *target)
{
    static const SessionKind kind = { .type = "Process", .name = "ttMigrate" };
    g_autoptr(GError) error = NULL;
    g_autoptr(Session) session = session_open(migration->instance, target, &kind, &error);

    if (!session) {
        print_failure(migration->instance, error);
        return MIGRATE_FATAL;
    }
    return migration_save(migration, session, arguments_value(migration->arguments, "-a") != NULL);
}

static int move(Migration *migration, const char *database)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Target) target = target_find(migration->instance, database, FALSE, &error);
    int status;

    if (!target) {
        print_failure(migration->instance, error);
        return MIGRATE_FATAL;
    }
    status = arguments_value(migration->arguments, "-r") ? migration_restore(migration, target)
                                                         : save(migration, target);
    if (status == MIGRATE_INTERRUPTED)
        fputs("ttMigrate: interrupted\n", stderr);
    return status;
}

/* Exactly one of the actions. */
static const char *find_action(const Arguments *arguments, const char *usage)
{
    const Family *family = arguments->instance->family;
    static const char *const actions[] = { "-a", "-c", "-r", "-l", "-L", "-d", "-D" };
    const char *found = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(actions); i++) {
        if (!arguments_value(arguments, actions[i]))
            continue;
        if (found)
            arguments_usage(usage, MIGRATE_FATAL);
        found = actions[i];
    }
    if (!found || (strcmp(found, "-r") != 0 && !family->relaxed_save &&
                   (arguments_value(arguments, "-noRepUpgrade") ||
                    arguments_value(arguments, "-repUpgrade"))))
        arguments_usage(usage, MIGRATE_FATAL);
    return found;
}

int ttmigrate_main(int argc, char **argv)
{
    const struct sigaction stop = { .sa_handler = on_signal };
    g_autoptr(Instance) instance = instance_self();
    const char *usage = usage_of(instance, usages);
    Arguments *arguments = arguments_read(instance, argv, options, usage, MIGRATE_FATAL);
    const char *action = find_action(arguments, usage);
    gboolean listing = strchr("lLdD", action[1]) != NULL;
    g_autofree char *database =
        listing ? NULL : arguments_database(arguments, usage, MIGRATE_FATAL);
    const char *verbosity = arguments_value(arguments, "-v");
    Migration migration = { .instance = instance, .arguments = arguments };

    if (arguments->words->len == 0)
        arguments_usage(usage, MIGRATE_FATAL);
    migration.file = arguments->words->pdata[0];
    migration.objects = (char **)arguments->words->pdata + 1;
    migration.verbosity = verbosity && *verbosity ? (guint)atoi(verbosity) : 3;
    if (listing)
        return migration_list(&migration, strchr("LD", action[1]) != NULL,
                              strchr("dD", action[1]) != NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    migration.rows_per_second = tune_get(instance->home, "migrate-rows-per-second", 100000);
    migration.began = g_get_monotonic_time();
    return move(&migration, database);
}
