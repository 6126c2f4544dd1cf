/* Checks of the databases on both sides: where they lie, who uses them, whether there is room. */
#include "job/check.h"
#include "job/runner.h"
#include "common/text.h"
#include "timesten/admin.h"

#include <sys/statvfs.h>

#define INODES_NEEDED 64 /* checkpoint, log and reserve files of one database, generously */

/* Calls LOOK for each database that is known on both sides. */
typedef void (*PairLook)(Check *check, const DatabaseFacts *old, const DatabaseFacts *new);

static void each_pair(Check *check, PairLook look)
{
    for (char **dsn = check->job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *old = facts_find_database(check->job->from.facts, *dsn);
        const DatabaseFacts *new = facts_find_database(check->job->to.facts, *dsn);

        if (old && new)
            look(check, old, new);
    }
}

static void look_dsn(Check *check, const Side *side, gboolean must_exist)
{
    for (char **dsn = check->job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(side->facts, *dsn);
        g_autofree char *remedy = g_strdup_printf("Add a section [%s] with DataStore= to %s", *dsn,
                                                  side->facts->odbc_path);

        if (!facts)
            check_found(check, SEVERITY_ERROR, *dsn, remedy, "Instance %s has no such DSN",
                        side->config->name);
        else if (must_exist && !facts->exists)
            check_found(check, SEVERITY_ERROR, *dsn,
                        "Correct DataStore= in sys.odbc.ini, or take it out of Databases=",
                        "Instance %s has no database at %s", side->config->name, facts->data_store);
    }
}

static gboolean look_dsn_in_source(Check *check, GError **error)
{
    look_dsn(check, &check->job->from, TRUE);
    return TRUE;
}

static gboolean look_dsn_in_target(Check *check, GError **error)
{
    look_dsn(check, &check->job->to, FALSE);
    return TRUE;
}

static void pair_data_store(Check *check, const DatabaseFacts *old, const DatabaseFacts *new)
{
    if (g_str_equal(old->data_store, new->data_store))
        check_found(
            check, SEVERITY_ERROR, old->dsn,
            "Give the new release's DSN another DataStore=: the old database is the way back",
            "Both releases name the same DataStore %s", old->data_store);
}

static gboolean look_data_store_differs(Check *check, GError **error)
{
    each_pair(check, pair_data_store);
    return TRUE;
}

static void pair_absent(Check *check, const DatabaseFacts *old, const DatabaseFacts *new)
{
    const ServerConfig *server = check->job->server;
    gboolean ours = g_strcmp0(server->previous_instance, check->job->to.config->name) == 0;
    g_autofree char *remedy =
        ours ? g_strdup_printf("If it is not needed any more, ttctl clean %s --databases=%s "
                               "destroys it",
                               server->name, new->dsn)
             : g_strdup("Move it away, or destroy it with ttDestroy of the new release if it is "
                        "not needed");

    if (new->exists && !g_str_equal(old->data_store, new->data_store))
        check_found(check, SEVERITY_ERROR, new->dsn, remedy,
                    "There is already a database at %s, and a restore would mix with it",
                    new->data_store);
}

static gboolean look_target_absent(Check *check, GError **error)
{
    each_pair(check, pair_absent);
    return TRUE;
}

static void pair_writable(Check *check, const DatabaseFacts *old, const DatabaseFacts *new)
{
    g_autofree char *directory = g_path_get_dirname(new->data_store);
    g_autofree char *remedy =
        g_strdup_printf("Create it, owned by %s: install -d -o %s %s", check->job->to.admin,
                        check->job->to.admin, directory);

    if (!new->writable)
        check_found(check, SEVERITY_ERROR, new->dsn, remedy,
                    "%s is not a directory that the new release's administrator may write",
                    directory);
}

static gboolean look_target_writable(Check *check, GError **error)
{
    each_pair(check, pair_writable);
    return TRUE;
}

static void pair_space(Check *check, const DatabaseFacts *old, const DatabaseFacts *new)
{
    g_autofree char *need = text_bytes(old->size);
    g_autofree char *have = text_bytes(new->free_bytes);

    if (new->writable &&new->free_bytes < old->size)
        check_found(
            check, SEVERITY_ERROR, new->dsn, "Free space there, or choose another DataStore=",
            "The new database needs about %s at %s, %s are free", need, new->data_store, have);
}

static gboolean look_space_for_store(Check *check, GError **error)
{
    each_pair(check, pair_space);
    return TRUE;
}

static void pair_inodes(Check *check, const DatabaseFacts *old, const DatabaseFacts *new)
{
    if (new->writable &&new->free_inodes < INODES_NEEDED)
        check_found(check, SEVERITY_ERROR, new->dsn,
                    "Remove files there, or choose another DataStore=",
                    "Only %" G_GUINT64_FORMAT " more files can be made at %s", new->free_inodes,
                    new->data_store);
}

static gboolean look_inodes(Check *check, GError **error)
{
    each_pair(check, pair_inodes);
    return TRUE;
}

static gboolean look_space_for_export(Check *check, GError **error)
{
    const Job *job = check->job;
    const char *directory = job->server->work_directory ? job->server->work_directory : "/var/lib";
    struct statvfs space;
    guint64 needed = 0, have;

    for (char **dsn = job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(job->from.facts, *dsn);

        needed += facts ? facts->size : 0;
    }
    if (statvfs(directory, &space) < 0) {
        check_found(check, SEVERITY_ERROR, directory, "Create it, owned by the old administrator",
                    "The exports' directory cannot be read");
        return TRUE;
    }
    have = (guint64)space.f_bavail * space.f_frsize;
    if (have < needed) {
        g_autofree char *need_text = text_bytes(needed);
        g_autofree char *have_text = text_bytes(have);

        check_found(check, SEVERITY_ERROR, directory, "Free space there, or set WorkDirectory=",
                    "The exports need up to %s, %s are free", need_text, have_text);
    }
    return TRUE;
}

static void pair_network(Check *check, const DatabaseFacts *old, const DatabaseFacts *new)
{
    if (new->network)
        check_found(check, SEVERITY_WARNING, new->dsn, "Choose a DataStore= on a local file system",
                    "%s lies on a network file system", new->data_store);
}

static gboolean look_network(Check *check, GError **error)
{
    each_pair(check, pair_network);
    return TRUE;
}

static void pair_character_set(Check *check, const DatabaseFacts *old, const DatabaseFacts *new)
{
    if (old->character_set && new->character_set &&
        g_ascii_strcasecmp(old->character_set, new->character_set) != 0)
        check_found(check, SEVERITY_WARNING, new->dsn,
                    "Set the same DatabaseCharacterSet= unless the conversion is wanted",
                    "The character set changes from %s to %s", old->character_set,
                    new->character_set);
}

static gboolean look_character_set(Check *check, GError **error)
{
    each_pair(check, pair_character_set);
    return TRUE;
}

static gboolean look_replication(Check *check, GError **error)
{
    for (char **dsn = check->job->server->databases; *dsn; dsn++) {
        UtilityArguments arguments = { .dsn = *dsn };
        const DatabaseFacts *facts = facts_find_database(check->job->from.facts, *dsn);
        g_autoptr(UtilityResult) result = NULL;
        guint peers;

        if (!facts || !facts->exists)
            continue;
        result =
            run_utility(check->job, &check->job->from, UTILITY_REPLICATION_LIST, &arguments, error);
        if (!result)
            return FALSE;
        peers = replication_peers(result->output);
        if (peers > 0 && check->job->options.peer_host)
            check_found(check, SEVERITY_INFO, *dsn, NULL, "It replicates to %u peer%s", peers,
                        peers == 1 ? "" : "s");
        else if (peers > 0)
            check_found(
                check, SEVERITY_ERROR, *dsn,
                "Use the method online, or end the replication of this database first",
                "It replicates to %u peer%s, so offline is the wrong method: what peers write "
                "during the upgrade would be lost",
                peers, peers == 1 ? "" : "s");
    }
    return TRUE;
}

static gboolean look_loaded(Check *check, GError **error)
{
    for (char **dsn = check->job->server->databases; *dsn; dsn++) {
        UtilityArguments arguments = { .dsn = *dsn };
        const DatabaseFacts *facts = facts_find_database(check->job->from.facts, *dsn);
        g_autofree char *remedy = g_strdup_printf("Load it: ttAdmin -ramLoad %s", *dsn);
        g_autoptr(UtilityResult) result = NULL;
        g_autoptr(AdminState) state = NULL;

        if (!facts || !facts->exists)
            continue;
        result = run_utility(check->job, &check->job->from, UTILITY_QUERY, &arguments, error);
        if (!result)
            return FALSE;
        state = admin_parse(result->output);
        if (g_strcmp0(state->ram_policy, "manual") == 0 && !state->manually_loaded)
            check_found(
                check, SEVERITY_ERROR, *dsn, remedy,
                "Its RAM policy is manual and it is not loaded, so ttMigrate cannot connect (707)");
    }
    return TRUE;
}

static gboolean is_direct(const StatusConnection *connection)
{
    return g_ascii_strcasecmp(connection->type, "Process") == 0;
}

static gboolean look_direct_connections(Check *check, GError **error)
{
    for (char **dsn = check->job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(check->job->from.facts, *dsn);
        const StatusStore *store =
            facts ? status_find_store(check->from_status, facts->data_store) : NULL;

        for (guint i = 0; store && i < store->connections->len; i++) {
            const StatusConnection *connection = store->connections->pdata[i];

            if (is_direct(connection))
                check_found(check, SEVERITY_ERROR, *dsn, "End this application, then start again",
                            "Process %" G_GUINT64_FORMAT
                            " (%s) is connected to it directly, and the port "
                            "cannot hold it back",
                            connection->pid, connection->name[0] ? connection->name : "no name");
        }
    }
    return TRUE;
}

const CheckType checks_of_databases[] = {
    { "dsn-in-source", "Each database is there in the old release", NEEDS_FROM, look_dsn_in_source,
      .worst = SEVERITY_ERROR, .about = "database",
      .source = "Databases= of the server; sys.odbc.ini and the checkpoint files",
      .remedy = "Correct DataStore=, or take it out of Databases=",
      .kept = "there would be nothing to save" },
    { "dsn-in-target", "Each database has a DSN in the new release", NEEDS_TO, look_dsn_in_target,
      "upgrade", .worst = SEVERITY_ERROR, .about = "database",
      .source = "Installation Guide, offline upgrade; sys.odbc.ini of the new release",
      .remedy = "Add the DSN with its DataStore= to sys.odbc.ini",
      .kept = "its rows would have no place to go" },
    { "target-writable", "The new databases' directories can be written", NEEDS_BOTH,
      look_target_writable, "upgrade", .worst = SEVERITY_ERROR, .about = "database",
      .source = "access(2) as the new release's administrator",
      .remedy = "Create the directory for the administrator" },
    { "network-file-system", "The new databases lie on local file systems", NEEDS_BOTH,
      look_network, "upgrade", .worst = SEVERITY_WARNING, .about = "database",
      .source = "release notes 6.0 and timesten.conf, allow_network_files; statfs(2)",
      .remedy = "Choose a DataStore= on a local file system" },
    { "character-set", "The character sets are equal", NEEDS_BOTH, look_character_set, "upgrade",
      .worst = SEVERITY_WARNING, .about = "database",
      .source = "DatabaseCharacterSet= of both; ttMigrate converts",
      .remedy = "Set the same DatabaseCharacterSet= unless the conversion is wanted" },
    { "replication", "No database is replicated", NEEDS_FROM | NEEDS_FROM_DAEMON, look_replication,
      "upgrade", "offline", .worst = SEVERITY_ERROR, .about = "database",
      .source = "Installation Guide 7.0, replicated databases; ttRepAdmin -receiver -list",
      .remedy = "Use the method online, or end its replication first",
      .kept = "what its peers write meanwhile would be lost" },
    { "database-loadable", "Each old database can be loaded", NEEDS_FROM | NEEDS_FROM_DAEMON,
      look_loaded, "upgrade", .worst = SEVERITY_ERROR, .about = "database",
      .source = "ttAdmin -query; error 707", .remedy = "Load it with ttAdmin -ramLoad" },
    { "direct-connections", "No application is connected directly", NEEDS_FROM | NEEDS_FROM_DAEMON,
      look_direct_connections, .worst = SEVERITY_ERROR, .about = "database",
      .source = "ttStatus, connections of type Process", .remedy = "End the application",
      .kept = "what it writes after the export would be lost" },
    { NULL },
};

/* Where new databases come to lie beside the old ones. */
const CheckType checks_of_copies[] = {
    { "data-store-differs", "Old and new databases lie in different places", NEEDS_BOTH,
      look_data_store_differs, "upgrade", .worst = SEVERITY_ERROR, .about = "database",
      .source = "DataStore= of both releases; ttMigrate -r writes into what is there",
      .remedy = "Give the new release's DSN another DataStore=",
      .kept = "the way back would be written over" },
    { "target-database-absent", "The new databases do not exist yet", NEEDS_BOTH,
      look_target_absent, "upgrade", .worst = SEVERITY_ERROR, .about = "database",
      .source = "checkpoint files at the new DataStore=; ttMigrate -r",
      .remedy = "Move it away, or destroy it with ttDestroy of the new release",
      .kept = "a restore would mix with the rows that are there" },
    { "space-for-database", "There is room for the new databases", NEEDS_BOTH, look_space_for_store,
      "upgrade", .worst = SEVERITY_ERROR, .about = "database",
      .source = "Installation Guide, twice the disk on one host; statvfs(2)",
      .remedy = "Free space there, or choose another DataStore=" },
    { "inodes", "There are inodes for the new databases", NEEDS_BOTH, look_inodes, "upgrade",
      .worst = SEVERITY_ERROR, .about = "database", .source = "statvfs(2) at the new DataStore=",
      .remedy = "Remove files there, or choose another DataStore=" },
    { "space-for-export", "There is room for the exports", NEEDS_FROM, look_space_for_export,
      "upgrade", .worst = SEVERITY_ERROR, .about = "host",
      .source = "Installation Guide, size of the ttMigrate file; statvfs(2)",
      .remedy = "Free space there, or set WorkDirectory=" },
    { NULL },
};
