/* ttRepAdmin: lists peers. Replication itself is not there yet; peers can be declared in
 * HOME/.standin/peers
 * ("DSN PEER HOST PORT STATE" per line), so that "this database is replicated" can be tested.
 */
#include "commands.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "failure.h"
#include "session.h"

static const char usage[] =
    "Usage:\n"
    "  ttRepAdmin {-connStr <connection_string> | [-dsn] <DSN>} -self -list\n"
    "  ttRepAdmin {-connStr <connection_string> | [-dsn] <DSN>} -receiver [-name <name>] [-host "
    "<host>] -list\n"
    "  ttRepAdmin {-connStr <connection_string> | [-dsn] <DSN>} -showconfig | -showstatus\n"
    "  ttRepAdmin {-h | -help | -?} | {-V | -version}\n";

static const Option options[] = {
    { "-receiver", 0 }, { "-self", 0 },       { "-list", 0 },       { "-name", 1 },
    { "-host", 1 },     { "-state", 1 },      { "-reset", 0 },      { "-wait", 0 },
    { "-timeout", 1 },  { "-showconfig", 0 }, { "-showstatus", 0 }, { "-bookmark", 0 },
    { "-log", 0 },      { "-connStr", 1 },    { "-dsn", 1 },        { NULL },
};

typedef struct {
    const Arguments *arguments;
    const Target *target;
    GPtrArray *peers; /* char ** of five words */
} Listing;

static GPtrArray *read_peers(const Arguments *arguments, const Target *target)
{
    GPtrArray *peers = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    const char *name = arguments_value(arguments, "-name");
    g_autofree char *path = g_build_filename(arguments->instance->home, ".standin", "peers", NULL);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return peers;
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        char **words = g_strsplit(g_strstrip(lines[i]), " ", 5);

        if (g_strv_length(words) == 5 && g_ascii_strcasecmp(words[0], target->dsn) == 0 &&
            (!name || g_ascii_strcasecmp(words[1], name) == 0))
            g_ptr_array_add(peers, words);
        else
            g_strfreev(words);
    }
    return peers;
}

static int list_receivers(const Listing *listing)
{
    puts("Peer name        Host name                 Port   State  Proto\n"
         "---------------- ------------------------ ------ ------- -----");
    for (guint i = 0; i < listing->peers->len; i++) {
        char **peer = listing->peers->pdata[i];

        printf("%-16s %-24s %6s %-7s %5u\n", peer[1], peer[2], peer[3], peer[4], 10);
    }
    puts("\nLast Msg Sent Last Msg Recv Latency TPS     RecordsPS Logs\n"
         "------------- ------------- ------- ------- --------- ----");
    for (guint i = 0; i < listing->peers->len; i++)
        puts("00:00:01      -                  -1       -1        -1    1");
    return 0;
}

static int list_self(const Listing *listing)
{
    puts("Self host \"localhost\", port auto, name "
         "\"self\", LSN 0/0, timeout 120, threshold 0");
    return 0;
}

static int show(const Listing *listing)
{
    if (listing->peers->len == 0) {
        puts("No replication scheme is defined.");
        return 0;
    }
    return list_receivers(listing);
}

static int not_replicated(const Listing *listing)
{
    g_autoptr(GError) error = NULL;

    failure_set(&error, TT_NOT_REPLICATED,
                "This store (%s) is not involved in a replication scheme",
                listing->target->data_store);
    print_failure(error);
    return 1;
}

int ttrepadmin_main(int argc, char **argv)
{
    static const SessionKind kind = { .type = "Process", .name = "ttRepAdmin" };
    g_autoptr(Instance) instance = instance_self();
    Arguments *arguments = arguments_read(instance, argv, options, usage, 1);
    g_autofree char *database = g_strdup(arguments_value(arguments, "-dsn"));
    g_autoptr(GError) error = NULL;
    g_autoptr(Target) target = NULL;
    g_autoptr(Session) session = NULL;
    g_autoptr(GPtrArray) peers = NULL;
    gboolean list = arguments_value(arguments, "-list") != NULL;

    if (!database)
        database = arguments_database(arguments, usage, 1);
    target = target_find(instance, database, FALSE, &error);
    if (target)
        target->auto_create = FALSE;
    session = target ? session_open(instance, target, &kind, &error) : NULL;
    if (!session) {
        print_failure(error);
        return 1;
    }
    peers = read_peers(arguments, target);
    {
        const Listing listing = { arguments, target, peers };

        if (arguments_value(arguments, "-receiver") && list)
            return list_receivers(&listing);
        if (arguments_value(arguments, "-self") && list)
            return list_self(&listing);
        if (arguments_value(arguments, "-showconfig") || arguments_value(arguments, "-showstatus"))
            return show(&listing);
        if (arguments_value(arguments, "-receiver") || arguments_value(arguments, "-wait") ||
            arguments_value(arguments, "-bookmark"))
            return not_replicated(&listing);
    }
    arguments_usage(usage, 1);
}
