/* Checks of a change within one major release, there or back: do both releases name the same files,
 * may the one open what the other wrote, and is nobody else in the way? */
#include "job/check.h"
#include "job/runner.h"
#include "timesten/admin.h"
#include "timesten/rules.h"
#include "timesten/upgrades.h"
#include "timesten/version.h"

static gboolean look_same_files(Check *check, GError **error)
{
    const Job *job = check->job;

    for (char **dsn = job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *old = facts_find_database(job->from.facts, *dsn);
        const DatabaseFacts *new = facts_find_database(job->to.facts, *dsn);
        const gboolean logs = old && new &&g_str_equal(old->data_store, new->data_store);

        if (!new)
            check_found(check, SEVERITY_ERROR, *dsn,
                        "Add it, with the same DataStore=", "Instance %s has no such DSN",
                        job->to.config->name);
        else if (old && (!logs || !g_str_equal(old->log_directory, new->log_directory)))
            check_found(check, SEVERITY_ERROR, *dsn,
                        "Give both DSNs the same DataStore= and LogDir=, or use another method",
                        "Instance %s has its %s at %s, instance %s at %s, so it would be another "
                        "database",
                        job->from.config->name, logs ? "logs" : "database",
                        logs ? old->log_directory : old->data_store, job->to.config->name,
                        logs ? new->log_directory : new->data_store);
    }
    return TRUE;
}

static gboolean look_administrators(Check *check, GError **error)
{
    const Job *job = check->job;

    if (!g_str_equal(job->from.admin, job->to.admin))
        check_found(check, SEVERITY_ERROR, job->to.config->name,
                    "Install the new release as that user, or use another method",
                    "Its administrator is %s, but the database files belong to %s", job->to.admin,
                    job->from.admin);
    return TRUE;
}

/* What the newer installation's own list says of a way back; INVERSE_UNTOLD where it has none. */
static Inverse ask_list(Check *check)
{
    const Job *job = check->job;
    const Release *from = &job->from.facts->release, *to = &job->to.facts->release;
    const gboolean back = release_compare(to, from) < 0;
    const Side *newer = back ? &job->from : &job->to;
    g_autofree char *path = upgrades_path(newer->config->installation, newer->config->home);
    char *argv[] = { (char *)"/bin/cat", path, NULL };
    g_autofree char *json =
        release_era(&newer->facts->release)->can_modify
            ? run_program(check->job, newer, "reading its upgrade.json", argv, NULL)
            : NULL;

    return upgrades_inverse(json, back ? to : from, back ? from : to);
}

/* The files stay where they are, so what cannot be gone back from cannot be undone either. */
static gboolean look_way_back(Check *check, GError **error)
{
    const Job *job = check->job;
    const Release *from = &job->from.facts->release, *to = &job->to.facts->release;
    const gboolean back = release_compare(to, from) < 0;
    g_autoptr(RuleAnswer) answer =
        rules_ask_back(METHOD_IN_PLACE, back ? from : to, back ? to : from);

    if (!answer->possible)
        check_found(check, SEVERITY_ERROR, job->to.config->name, "Use another method, or stay",
                    "%s (%s)", answer->reason, answer->source);
    else if (ask_list(check) == INVERSE_NO)
        check_found(check, SEVERITY_ERROR, job->to.config->name, "Use another method, or stay",
                    "The newer release lists no way back between the two (upgrade.json, inverse), "
                    "so a change in place could not be taken back");
    return TRUE;
}

static gboolean look_installation(Check *check, GError **error)
{
    const Job *job = check->job;
    const Side *sides[] = { &job->from, &job->to };
    g_autoptr(UtilityResult) result = NULL;
    g_autoptr(Version) version = NULL;

    if (!g_str_equal(job->from.config->home, job->to.config->home))
        return TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(sides); i++) {
        const char *installation = sides[i]->config->installation;
        char *argv[] = { (char *)"/usr/bin/test", (char *)"-d", (char *)installation, NULL };
        g_autofree char *seen =
            installation
                ? run_program(check->job, sides[i], "looking at its installation", argv, NULL)
                : NULL;

        if (!seen)
            check_found(check, SEVERITY_ERROR, sides[i]->config->name,
                        "Name the directory of its software with Installation= in both files",
                        "It shares its home with the other instance, and %s%s",
                        installation ? "there is no directory " : "nothing tells its installation",
                        installation ? installation : "");
    }
    if (!g_str_equal(job->from.unit, job->to.unit))
        check_found(check, SEVERITY_ERROR, job->to.config->name,
                    "Give both files the same Unit=, the one that is in control",
                    "Both are one instance, but %s is said to be in control of the one and %s of "
                    "the other",
                    job->from.unit, job->to.unit);
    if (!release_era(&job->to.facts->release)->can_modify)
        check_found(check, SEVERITY_ERROR, job->to.config->name,
                    "Install the new release as another instance",
                    "Its release cannot be given to an instance that is there");
    result = run_utility(check->job, &job->from, UTILITY_VERSION, NULL, error);
    version = result ? version_parse(result->output) : NULL;
    if (version && release_compare(&version->release, &job->from.facts->release) != 0) {
        g_autofree char *now = release_format(&version->release);

        check_found(check, SEVERITY_ERROR, job->from.config->name,
                    "Correct Installation= of the instance that backs the server",
                    "It runs release %s, which is not that of %s", now,
                    job->from.config->installation);
    }
    return result != NULL;
}

/* The agents of the one release know nothing of the other. */
static gboolean look_agents(Check *check, GError **error)
{
    const Job *job = check->job;

    for (char **dsn = job->server->databases; *dsn; dsn++) {
        UtilityArguments arguments = { .dsn = *dsn };
        g_autoptr(UtilityResult) result =
            run_utility(check->job, &job->from, UTILITY_REPLICATION_LIST, &arguments, error);
        guint peers;

        if (!result)
            return FALSE;
        peers = replication_peers(result->output);
        if (peers)
            check_found(check, SEVERITY_ERROR, *dsn,
                        "Upgrade it beside its peer (option peer), or end its replication first",
                        "It replicates to %u peer%s, which would not find it at the other instance",
                        peers, peers == 1 ? "" : "s");
    }
    return TRUE;
}

static gboolean is_of_server(const Check *check, const Side *side, const char *path)
{
    for (char **dsn = check->job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(side->facts, *dsn);

        if (facts && g_str_equal(facts->data_store, path))
            return TRUE;
    }
    return FALSE;
}

/* Both main daemons are stopped on the way: the old one's stays so, the new one's in an undo. */
static gboolean look_others(Check *check, GError **error)
{
    const Side *sides[] = { &check->job->from, &check->job->to };
    const TimesTenStatus *status[] = { check->from_status, check->to_status };

    for (guint i = job_same_instance(check->job) ? 1 : 0; i < G_N_ELEMENTS(sides); i++)
        for (guint s = 0; status[i] && s < status[i]->stores->len; s++) {
            const StatusStore *store = status[i]->stores->pdata[s];
            g_autofree char *names = status_name_connections(store);

            if (status_user_connections(store) && !is_of_server(check, sides[i], store->path))
                check_found(check, SEVERITY_ERROR, sides[i]->config->name,
                            "End these connections, or use another method",
                            "Its main daemon is stopped on the way, but it has another database, "
                            "%s, that is in use: %s",
                            store->path, names);
        }
    return TRUE;
}

static gboolean look_other_databases(Check *check, GError **error)
{
    const Side *from = &check->job->from;
    g_autoptr(GString) names = g_string_new(NULL);
    g_autofree char *remedy =
        g_strdup_printf("Start it again afterwards: systemctl start %s", from->unit);

    for (guint i = 0; !job_same_instance(check->job) && i < from->facts->databases->len; i++) {
        const DatabaseFacts *facts = from->facts->databases->pdata[i];

        if (facts->exists && !is_of_server(check, from, facts->data_store))
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", facts->dsn);
    }
    if (names->len)
        check_found(
            check, SEVERITY_WARNING, from->config->name, remedy,
            "It has further databases (%s), and its main daemon stays down after the change",
            names->str);
    return TRUE;
}

static gboolean look_target_free(Check *check, GError **error)
{
    const Job *job = check->job;

    for (guint i = 0; i < job->inventory->servers->len; i++) {
        const ServerConfig *server = job->inventory->servers->pdata[i];

        if (server != job->server && g_str_equal(server->instance, job->to.config->name))
            check_found(check, SEVERITY_ERROR, server->name,
                        "Name an instance that backs no server, or use another method",
                        "Server %s is backed by instance %s, whose main daemon may have to be "
                        "stopped on the way",
                        server->name, server->instance);
    }
    return TRUE;
}

const CheckType checks_of_in_place[] = {
    { "same-files", "Both releases name the same database files", NEEDS_BOTH, look_same_files,
      .worst = SEVERITY_ERROR, .about = "database",
      .source = "DataStore= and LogDir= of both releases",
      .remedy = "Give both DSNs the same DataStore= and LogDir=, or use another method",
      .kept = "clients would be given another database" },
    { "same-administrator", "Both releases have the same administrator", NEEDS_NOTHING,
      look_administrators, .worst = SEVERITY_ERROR, .about = "instance",
      .source = "who owns the installations",
      .remedy = "Install the new release as the same user, or use another method" },
    { "way-back-in-place", "The previous release can open the same files again", NEEDS_BOTH,
      look_way_back, .worst = SEVERITY_ERROR, .about = "instance",
      .source = "Installation Guide 7.0 p. 93, patch releases; info/upgrade.json, inverse",
      .remedy = "Use another method, or stay with the current release",
      .kept = "the previous release could not open the databases" },
    { "installations", "Where both are one instance, its installations are known", NEEDS_BOTH,
      look_installation, .worst = SEVERITY_ERROR, .about = "instance",
      .source = "Installation= of both; ttVersion; Installation Guide 22.1, ttInstanceModify",
      .remedy = "Name the directory of the software with Installation= in both files",
      .kept = "nobody could tell what to go back to" },
    { "replication-in-place", "No database is replicated", NEEDS_FROM | NEEDS_FROM_DAEMON,
      look_agents, .worst = SEVERITY_ERROR, .about = "database",
      .source = "ttRepAdmin -receiver -list",
      .remedy = "Upgrade it beside its peer (option peer), or end its replication first",
      .kept = "what its peers write would not find it" },
    { "others-connected", "Nobody uses another database of either instance", NEEDS_BOTH,
      look_others, .worst = SEVERITY_ERROR, .about = "instance",
      .source = "ttStatus; both main daemons may have to be stopped",
      .remedy = "End these connections, or use another method" },
    { "other-databases", "The old instance has no other database", NEEDS_FROM, look_other_databases,
      .worst = SEVERITY_WARNING, .about = "instance",
      .source = "sys.odbc.ini; its main daemon stays stopped",
      .remedy = "Start its main daemon again afterwards" },
    { "target-backs-no-server", "The new instance backs no other server", NEEDS_NOTHING,
      look_target_free, .worst = SEVERITY_ERROR, .about = "server",
      .source = "the servers' files; its main daemon may have to be stopped",
      .remedy = "Name an instance that backs no server, or use another method" },
    { NULL },
};
