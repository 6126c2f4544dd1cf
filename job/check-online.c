/* Checks that only a change by replication needs: what the two databases must agree on, and whether
 * there is room and a port for what is made on the way. */
#include "job/check.h"
#include "job/replication.h"
#include "job/runner.h"
#include "job/server.h"
#include "common/text.h"
#include "timesten/admin.h"
#include "timesten/belief.h"
#include "timesten/rules.h"

/* Both databases of one DSN; NULL where a side lacks it, which another check says. */
typedef struct {
    const char *dsn;
    const DatabaseFacts *old, *new;
} Pair;

static gboolean next_pair(const Check *check, guint *i, Pair *pair)
{
    const Job *job = check->job;

    for (; job->server->databases[*i]; ++*i) {
        const char *dsn = job->server->databases[*i];

        *pair = (Pair){ dsn, facts_find_database(job->from.facts, dsn),
                        facts_find_database(job->to.facts, dsn) };
        if (pair->old && pair->new) {
            ++*i;
            return TRUE;
        }
    }
    return FALSE;
}

static void check_name(Check *check, const Pair *pair, const char *name, const Side *side,
                       GHashTable *taken)
{
    gboolean other = g_hash_table_contains(taken, name);
    g_autofree char *remedy =
        g_strdup_printf("Give DSN %s of instance %s a DataStore= with another last part", pair->dsn,
                        check->job->to.config->name);

    if (!replication_name_is_plain(name))
        check_found(check, SEVERITY_ERROR, pair->dsn, remedy,
                    "Replication would know the database of instance %s as %s, but takes letters, "
                    "digits and underscores only, 30 at most",
                    side->config->name, name);
    else if (other)
        check_found(check, SEVERITY_ERROR, pair->dsn, remedy,
                    "Replication knows a database by the last part of its DataStore=, and %s is "
                    "that of database %s of instance %s as well as of another one on this host",
                    name, pair->dsn, side->config->name);
    g_hash_table_add(taken, g_strdup(name));
}

static gboolean look_names(Check *check, GError **error)
{
    g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Pair pair;

    for (guint i = 0; next_pair(check, &i, &pair);) {
        g_autofree char *old = replication_store_name(pair.old->data_store);
        g_autofree char *new = replication_store_name(pair.new->data_store);

        check_name(check, &pair, old, &check->job->from, taken);
        check_name(check, &pair, new, &check->job->to, taken);
    }
    return TRUE;
}

static gboolean look_schemes(Check *check, GError **error)
{
    Pair pair;

    for (guint i = 0; next_pair(check, &i, &pair);) {
        g_autoptr(GPtrArray) peers = NULL;

        if (!pair.old->exists)
            continue;
        peers = replica_peers(check->job, &check->job->from, pair.dsn, error);
        if (!peers)
            return FALSE;
        if (peers->len > 0)
            check_found(check, SEVERITY_ERROR, pair.dsn,
                        "End the replication of this database first: ttAdmin -repStop, then DROP "
                        "REPLICATION",
                        "It replicates to %u peer%s already (%s), which would know nothing of the "
                        "new database",
                        peers->len, peers->len == 1 ? "" : "s",
                        ((const ReplicationPeer *)peers->pdata[0])->name);
    }
    return TRUE;
}

static gboolean look_keys(Check *check, GError **error)
{
    g_autofree char *sql = replication_keyless_sql();
    Pair pair;

    for (guint i = 0; next_pair(check, &i, &pair);) {
        char *none[] = { NULL };
        g_autofree char *output = NULL, *names = NULL;
        g_auto(GStrv) tables = NULL;

        if (!pair.old->exists)
            continue;
        output = replica_sql(check->job, &check->job->from, pair.dsn, sql, error);
        if (!output)
            return FALSE;
        tables = replication_tables(output);
        names = replication_missing(tables, none);
        if (names)
            check_found(check, SEVERITY_ERROR, pair.dsn,
                        "Give each a primary key, or use the method offline",
                        "Tables without a primary key cannot be replicated: %s", names);
    }
    return TRUE;
}

/* Peers before 7.0 know TIMESTEN8 only (D); otherwise both must be equal. */
static gboolean look_character_set(Check *check, GError **error)
{
    const Job *job = check->job;
    gboolean old_peer =
        rules_need_backwards_compat(&job->from.facts->release, &job->to.facts->release);
    Pair pair;

    for (guint i = 0; next_pair(check, &i, &pair);) {
        const char *old = pair.old->character_set, *new = pair.new->character_set;

        if (old_peer && (!new || g_ascii_strcasecmp(new, "TIMESTEN8") != 0))
            check_found(
                check, SEVERITY_ERROR, pair.dsn,
                "Set DatabaseCharacterSet=TIMESTEN8 for the new DSN",
                "A peer before " RULES_COMPAT_RELEASE " replicates with DatabaseCharacterSet=TIMESTEN8 only, and "
                "the new database gets %s",
                new ? new : "its default");
        else if (!old_peer && old && new &&g_ascii_strcasecmp(old, new) != 0)
            check_found(check, SEVERITY_ERROR, pair.dsn,
                        "Set the same DatabaseCharacterSet=, or use the method offline",
                        "Replication needs one character set, and these are %s and %s", old, new);
    }
    return TRUE;
}

/* Types need no check of their own: an old release before 7.0 has none that it does not know itself
 * (D), and its tables keep their types in the restore. */
static gboolean look_password(Check *check, GError **error)
{
    const Release *from = &check->job->from.facts->release;
    g_autofree char *text = release_format(from);

    if (belief_holds_since(BELIEF_DUPLICATE_USER_SINCE, from))
        check_found(check, SEVERITY_ERROR, check->job->from.config->name, "Use the method offline",
                    "ttRepAdmin -duplicate of release %s asks for a user and a password, which are "
                    "never given on a command line",
                    text);
    return TRUE;
}

static gboolean look_space(Check *check, GError **error)
{
    Pair pair;

    for (guint i = 0; next_pair(check, &i, &pair);) {
        /* The same number of free bytes: the same file system, so there is room for all or none. */
        gboolean shared = pair.old->free_bytes == pair.new->free_bytes;
        guint64 needed = pair.old->size * (shared ? 3 : 2);
        g_autofree char *need = text_bytes(needed), *have = text_bytes(pair.old->free_bytes);

        if (pair.old->free_bytes < needed)
            check_found(check, SEVERITY_ERROR, pair.dsn,
                        "Free space there, or use the method offline",
                        "Beside %s there must be room for a copy and for the log that is held "
                        "meanwhile, about %s; %s are free",
                        pair.old->data_store, need, have);
    }
    return TRUE;
}

static gboolean look_ports(Check *check, GError **error)
{
    const Job *job = check->job;
    guint wanted = 2 * g_strv_length(job->server->databases), free = 0;

    for (guint port = replica_first_port(job); port < 32768 && free < wanted; port++)
        free += !server_port_answers((guint16)port);
    if (free < wanted)
        check_found(check, SEVERITY_ERROR, job->server->name, "End who has them (ss -ltnp)",
                    "Only %u ports from %u to 32767 are free for replication agents, %u are needed",
                    free, replica_first_port(job), wanted);
    return TRUE;
}

static gboolean look_policy(Check *check, GError **error)
{
    Pair pair;

    for (guint i = 0; next_pair(check, &i, &pair);) {
        UtilityArguments arguments = { .dsn = pair.dsn };
        g_autoptr(UtilityResult) result = NULL;
        g_autoptr(AdminState) state = NULL;

        if (!pair.old->exists)
            continue;
        result = run_utility(check->job, &check->job->from, UTILITY_QUERY, &arguments, error);
        if (!result)
            return FALSE;
        state = admin_parse(result->output);
        if (state->replication_policy &&
            g_ascii_strcasecmp(state->replication_policy, "manual") != 0)
            check_found(check, SEVERITY_WARNING, pair.dsn,
                        "Set it again afterwards with ttAdmin -repPolicy, if it is wanted",
                        "The policy of its replication agent is %s; it will be manual when this "
                        "replication ends",
                        state->replication_policy);
    }
    return TRUE;
}

static gboolean look_private_ports(Check *check, GError **error)
{
    const Job *job = check->job;

    if (job->server->mode == MODE_RELAY && job->from.backend_port == job->to.backend_port)
        check_found(check, SEVERITY_ERROR, job->server->name,
                    "Take PrivatePort= away, or give the instances a ServerPort= each",
                    "Both servers would listen on private port %u, and by this method they run at "
                    "the same time",
                    job->to.backend_port);
    return TRUE;
}

/* Whether what the current release writes still goes to the previous one. */
static gboolean look_way_back(Check *check, GError **error)
{
    const Job *job = check->job;
    Pair pair;

    for (guint i = 0; next_pair(check, &i, &pair);) {
        g_autofree char *name = replication_store_name(pair.new->data_store);
        g_autoptr(GPtrArray) peers = replica_peers(check->job, &job->from, pair.dsn, error);
        const ReplicationPeer *peer = peers ? replication_find_peer(peers, name) : NULL;

        if (!peers)
            return FALSE;
        if (!peer || peer->state == PEER_STOP || peer->state == PEER_FAILED)
            check_found(check, SEVERITY_ERROR, pair.dsn,
                        "Confirm the upgrade; then a rollback with allow-data-loss is possible",
                        "Instance %s does not send it to instance %s any more (the peer %s is %s), "
                        "so going back would lose what was written since",
                        job->from.config->name, job->to.config->name, name,
                        peer ? peer_state_words[peer->state] : "gone");
    }
    return TRUE;
}

const CheckType checks_of_online[] = {
    { "replication-names", "Replication can tell old and new databases apart", NEEDS_BOTH,
      look_names, "upgrade", "online", .worst = SEVERITY_ERROR, .about = "database",
      .source = "Replication Guide, names of stores",
      .remedy = "Give the new DSN a DataStore= with another last part",
      .kept = "replication would take one database for another" },
    { "existing-scheme", "No database is replicated yet", NEEDS_BOTH | NEEDS_FROM_DAEMON,
      look_schemes, "upgrade", "online", .worst = SEVERITY_ERROR, .about = "database",
      .source = "ttRepAdmin -receiver -list", .remedy = "End its replication first",
      .kept = "its peers would lose what is written after the switch" },
    { "tables-without-key", "Each table has a primary key", NEEDS_BOTH | NEEDS_FROM_DAEMON,
      look_keys, "upgrade", "online", .worst = SEVERITY_ERROR, .about = "database",
      .source = "Replication Guide, requirements of replicated tables; SYS.TABLES",
      .remedy = "Give each table a primary key, or use the method offline",
      .kept = "what is written to such a table during the upgrade would be lost" },
    { "replication-character-set", "The character sets can be replicated", NEEDS_BOTH,
      look_character_set, "upgrade", "online", .worst = SEVERITY_ERROR, .about = "database",
      .source = "Replication Guide 7.0, compatibility with older releases; DatabaseCharacterSet=",
      .remedy = "Set the same DatabaseCharacterSet=, or TIMESTEN8 beside a release before " RULES_COMPAT_RELEASE,
      .kept = "rows could not be replicated" },
    { "copy-without-password", "The old release copies a database without a password", NEEDS_FROM,
      look_password, "upgrade", "online", .worst = SEVERITY_ERROR, .about = "instance",
      .source = "ttRepAdmin -duplicate in the reference, -UID and -PWD",
      .remedy = "Use the method offline" },
    { "space-for-copy", "There is room for the copies and the log", NEEDS_BOTH, look_space,
      "upgrade", "online", .worst = SEVERITY_ERROR, .about = "database",
      .source = "Installation Guide, online upgrade on one host; statvfs(2)",
      .remedy = "Free space there, or use the method offline" },
    { "replication-ports", "There are ports for the replication agents", NEEDS_NOTHING, look_ports,
      "upgrade", "online", .worst = SEVERITY_ERROR, .about = "server",
      .source = "Installation Guide, online upgrade: static ports; connect(2)",
      .remedy = "End who has them" },
    { "agent-policy", "Nobody has set a policy for the replication agents",
      NEEDS_BOTH | NEEDS_FROM_DAEMON, look_policy, "upgrade", "online", .worst = SEVERITY_WARNING,
      .about = "database", .source = "ttAdmin -query",
      .remedy = "Set it again afterwards, if it is wanted" },
    { "private-ports-differ", "Both servers can run at the same time", NEEDS_BOTH,
      look_private_ports, NULL, "online", .worst = SEVERITY_ERROR, .about = "server",
      .source = "PrivatePort= and ServerPort=",
      .remedy = "Take PrivatePort= away, or give the instances a ServerPort= each" },
    { "way-back", "The previous databases follow the current ones", NEEDS_BOTH | NEEDS_FROM_DAEMON,
      look_way_back, "rollback", "online", .worst = SEVERITY_ERROR, .about = "database",
      .source = "ttRepAdmin -receiver -list of the current release",
      .remedy = "Confirm the upgrade; then a rollback with allow-data-loss is possible",
      .kept = "what was written since would be lost" },
    { NULL },
};
