#include "builtins.h"

#include <string.h>

#include "failure.h"
#include "fault.h"
#include "link.h"
#include "scheme.h"
#include "store.h"

#define WAIT_STEP_US 10000

typedef struct {
    Session *session;
    char **arguments;
    SessionRow row;
    gpointer data;
} Call;

/* NULL where it is missing, empty, or SQL's NULL. */
static const char *argument(const Call *call, guint n)
{
    if (n >= g_strv_length(call->arguments) || !*call->arguments[n] ||
        g_ascii_strcasecmp(call->arguments[n], "NULL") == 0)
        return NULL;
    return call->arguments[n];
}

static gboolean begin(Session *session, GError **error)
{
    if (!sqlite3_get_autocommit(session_database(session))) {
        failure_set(error, TT_TRANSACTION, "A transaction is open; commit or roll back first");
        return FALSE;
    }
    return store_execute(session_database(session), "BEGIN IMMEDIATE", error);
}

static gboolean end(Session *session, gboolean good, GError **error)
{
    if (good && store_execute(session_database(session), "COMMIT", error))
        return TRUE;
    store_execute(session_database(session), "ROLLBACK", NULL);
    return FALSE;
}

static gboolean ask(const Call *call, const char *line, GError **error)
{
    g_autoptr(Wire) link = link_open(session_instance(call->session), NULL, error);
    g_autoptr(Message) reply = link ? link_ask(link, line, error) : NULL;

    return reply != NULL;
}

static gboolean call_start(const Call *call, GError **error)
{
    g_autofree char *line =
        message_line("repstart", "path", session_path(call->session), "wait", "0", NULL);

    return ask(call, line, error);
}

static gboolean call_stop(const Call *call, GError **error)
{
    g_autofree char *line = message_line("repstop", "path", session_path(call->session), NULL);

    return ask(call, line, error);
}

static gboolean call_policy(const Call *call, GError **error)
{
    const char *policy = argument(call, 0);
    g_autofree char *line = message_line("reppolicy", "path", session_path(call->session), "policy",
                                         policy ? policy : "", NULL);

    return ask(call, line, error);
}

/* A bookmark that is behind PLACE, of a peer that something goes to. */
static gboolean is_behind(Session *session, const char *name, const char *host, gint64 place,
                          guint *ret_matching)
{
    g_autoptr(GPtrArray) peers = replica_peers(session_database(session));
    gboolean behind = FALSE;

    *ret_matching = 0;
    for (guint i = 0; i < peers->len; i++) {
        const Peer *peer = peers->pdata[i];

        if (!peer->sends || !peer_matches(peer, name, host))
            continue;
        ++*ret_matching;
        behind |= peer->acted == PEER_STOP || peer->acted == PEER_FAILED || peer->stale ||
                  peer->bookmark < place;
    }
    return behind;
}

gboolean builtin_wait(Session *session, const char *name, const char *host, double seconds,
                      GError **error)
{
    gint64 limit =
        seconds < 0 ? G_MAXINT64 : g_get_monotonic_time() + (gint64)(seconds * G_USEC_PER_SEC);
    gint64 place = replica_end(session_database(session));
    guint matching;

    if (!sqlite3_get_autocommit(session_database(session))) {
        failure_set(error, TT_TRANSACTION,
                    "Cannot wait for subscribers: a transaction is open on this connection");
        return FALSE;
    }
    while (is_behind(session, name, host, place, &matching)) {
        if (g_get_monotonic_time() >= limit)
            return FALSE;
        g_usleep(WAIT_STEP_US);
        if (wire_gone(session_link(session))) {
            failure_set(error, TT_CONNECTION_LOST,
                        "Data store connection terminated. Please reconnect.");
            return FALSE;
        }
    }
    if (matching > 0)
        return TRUE;
    failure_set(error, TT_SCHEME, "No subscriber %s on %s in the replication scheme",
                name ? name : "at all", host ? host : "any host");
    return FALSE;
}

static gboolean is_scheme(const Call *call, guint name, guint owner, GError **error)
{
    g_autofree char *full = scheme_name(session_database(call->session));
    g_auto(GStrv) parts = g_strsplit(full ? full : ".", ".", 2);

    if ((!argument(call, name) || g_ascii_strcasecmp(argument(call, name), parts[1]) == 0) &&
        (!argument(call, owner) || g_ascii_strcasecmp(argument(call, owner), parts[0]) == 0))
        return TRUE;
    failure_set(error, TT_SCHEME, "Replication scheme %s.%s not found",
                argument(call, owner) ? argument(call, owner) : "",
                argument(call, name) ? argument(call, name) : "");
    return FALSE;
}

static gboolean call_wait(const Call *call, GError **error)
{
    const char *seconds = argument(call, 4);
    char *answer[] = { (char *)"00", NULL };
    g_autoptr(GError) failure = NULL;

    if (!is_scheme(call, 0, 1, error))
        return FALSE;
    if (!seconds) {
        failure_set(error, TT_BAD_VALUE, "ttRepSubscriberWait needs the number of seconds");
        return FALSE;
    }
    if (!builtin_wait(call->session, argument(call, 2), argument(call, 3),
                      g_ascii_strtod(seconds, NULL), &failure)) {
        if (failure) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return FALSE;
        }
        answer[0] = (char *)"01";
    }
    if (call->row)
        call->row(answer, 1, call->data);
    return TRUE;
}

gboolean builtin_change_peers(Session *session, const char *name, const char *host,
                              const PeerState *state, GError **error)
{
    g_autoptr(GPtrArray) peers = replica_peers(session_database(session));
    gboolean good = begin(session, error);
    guint matching = 0;

    if (!good)
        return FALSE;
    for (guint i = 0; good && i < peers->len; i++) {
        const Peer *peer = peers->pdata[i];

        if (!peer_matches(peer, name, host))
            continue;
        matching++;
        good = state ? replica_set_state(session_database(session), peer, *state,
                                         session_state_delay(session), error)
                     : replica_reset(session_database(session), peer, error);
    }
    if (good && matching == 0) {
        failure_set(error, TT_SCHEME, "No receiver %s on %s in the replication scheme",
                    name ? name : "at all", host ? host : "any host");
        good = FALSE;
    }
    return end(session, good, error);
}

static gboolean call_state_set(const Call *call, GError **error)
{
    const char *code = argument(call, 4);
    PeerState state;

    if (!is_scheme(call, 0, 1, error))
        return FALSE;
    if (!code || (strcmp(code, "0") != 0 && strcmp(code, "1") != 0 && strcmp(code, "2") != 0)) {
        failure_set(error, TT_BAD_VALUE, "The state must be 0 (start), 1 (pause) or 2 (stop)");
        return FALSE;
    }
    state = (PeerState)(code[0] - '0');
    return builtin_change_peers(call->session, argument(call, 2), argument(call, 3), &state, error);
}

static char *shown_time(gint64 when)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(when / G_USEC_PER_SEC);

    return when ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S.000000") : NULL;
}

static gboolean call_status(const Call *call, GError **error)
{
    sqlite3 *database = session_database(call->session);
    g_autoptr(GPtrArray) peers = replica_peers(database);
    g_autofree char *full = scheme_name(database);
    g_auto(GStrv) scheme = g_strsplit(full, ".", 2);

    for (guint i = 0; i < peers->len; i++) {
        const Peer *peer = peers->pdata[i];
        gboolean held = peer->acted == PEER_START || peer->acted == PEER_PAUSE;
        g_autofree char *port = g_strdup_printf("%u", peer->port);
        g_autofree char *files = g_strdup_printf(
            "%" G_GINT64_FORMAT, held ? replica_files_since(database, peer->bookmark) : 0);
        g_autofree char *last = shown_time(MAX(peer->sent_at, peer->received_at));
        char *values[] = { peer->name, peer->host, port,      (char *)peer_state_word(peer->state),
                           files,      last,       scheme[1], scheme[0] };

        if (peer_matches(peer, argument(call, 0), argument(call, 1)) && call->row)
            call->row(values, G_N_ELEMENTS(values), call->data);
    }
    return TRUE;
}

/* Last written, last forced, first held: file and offset of each. */
static gboolean call_bookmark(const Call *call, GError **error)
{
    sqlite3 *database = session_database(call->session);
    gint64 size = replica_file_size(database);
    gint64 last = replica_end(database);
    gint64 hold = replica_exists(database) ? replica_hold(database) : last;
    const gint64 numbers[] = { last / size, last % size, last / size,
                               last % size, hold / size, hold % size };
    char *values[G_N_ELEMENTS(numbers)];

    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        values[i] = g_strdup_printf("%" G_GINT64_FORMAT, numbers[i]);
    if (call->row)
        call->row(values, G_N_ELEMENTS(values), call->data);
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        g_free(values[i]);
    return TRUE;
}

static gboolean call_log_holds(const Call *call, GError **error)
{
    sqlite3 *database = session_database(call->session);
    g_autoptr(GPtrArray) peers = replica_peers(database);
    gint64 size = replica_file_size(database);

    for (guint i = 0; i < peers->len; i++) {
        const Peer *peer = peers->pdata[i];
        gint64 place = MIN(peer->bookmark, replica_end(database));
        g_autofree char *file = g_strdup_printf("%" G_GINT64_FORMAT, place / size);
        g_autofree char *offset = g_strdup_printf("%" G_GINT64_FORMAT, place % size);
        g_autofree char *whom = g_strdup_printf("%s:%s", peer->host, peer->name);
        char *values[] = { file, offset, (char *)"Replication", whom };

        if (peer->sends && (peer->acted == PEER_START || peer->acted == PEER_PAUSE) && call->row)
            call->row(values, G_N_ELEMENTS(values), call->data);
    }
    return TRUE;
}

static gboolean set_role(const Call *call, const char *role, GError **error)
{
    return begin(call->session, error) &&
           end(call->session, store_set(session_database(call->session), "pair", role, error),
               error);
}

static char *get_role(const Call *call, GError **error)
{
    char *role = store_get(session_database(call->session), "pair");

    if (!role)
        failure_set(error, TT_STATE, "The data store is not part of an active standby pair");
    return role;
}

static gboolean call_role_get(const Call *call, GError **error)
{
    g_autofree char *role = get_role(call, error);
    char *values[] = { role, (char *)"NO GRID", NULL };
    gboolean grid = session_instance(call->session)->family->id >= FAMILY_1121;

    if (role && call->row)
        call->row(values, grid ? 2 : 1, call->data);
    return role != NULL;
}

static gboolean call_role_set(const Call *call, GError **error)
{
    g_autofree char *role = get_role(call, error);
    const char *wanted = argument(call, 0);

    if (!role)
        return FALSE;
    if (!wanted || g_ascii_strcasecmp(wanted, "ACTIVE") != 0 || strcmp(role, "ACTIVE") == 0) {
        failure_set(error, TT_STATE, "Cannot set state %s from state %s", wanted ? wanted : "NULL",
                    role);
        return FALSE;
    }
    return set_role(call, "ACTIVE", error);
}

static gboolean call_deactivate(const Call *call, GError **error)
{
    g_autofree char *role = get_role(call, error);

    if (role && strcmp(role, "ACTIVE") != 0)
        failure_set(error, TT_STATE, "Cannot deactivate a store in state %s", role);
    return role && strcmp(role, "ACTIVE") == 0 && set_role(call, "IDLE", error);
}

static gboolean call_role_save(const Call *call, GError **error)
{
    static const PeerState failed = PEER_FAILED;
    g_autofree char *role = get_role(call, error);

    if (!role)
        return FALSE;
    if (!argument(call, 0) || g_ascii_strcasecmp(argument(call, 0), "FAILED") != 0 ||
        !argument(call, 1)) {
        failure_set(error, TT_BAD_VALUE, "ttRepStateSave needs 'FAILED' and the name of a store");
        return FALSE;
    }
    return builtin_change_peers(call->session, argument(call, 1), argument(call, 2), &failed,
                                error);
}

static const struct {
    const char *name;
    gboolean (*run)(const Call *call, GError **error);
    FamilyId since;
    gboolean everywhere; /* also where there is no replication */
} procedures[] = {
    { "ttRepStart", call_start, FAMILY_51 },
    { "ttRepStop", call_stop, FAMILY_51 },
    { "ttRepPolicySet", call_policy, FAMILY_51 },
    { "ttRepSubscriberWait", call_wait, FAMILY_51 },
    { "ttRepSubscriberStateSet", call_state_set, FAMILY_51 },
    { "ttReplicationStatus", call_status, FAMILY_51 },
    { "ttBookmark", call_bookmark, FAMILY_51, TRUE },
    { "ttLogHolds", call_log_holds, FAMILY_51, TRUE },
    { "ttRepStateGet", call_role_get, FAMILY_70 },
    { "ttRepStateSet", call_role_set, FAMILY_70 },
    { "ttRepStateSave", call_role_save, FAMILY_70 },
    { "ttRepDeactivate", call_deactivate, FAMILY_70 },
};

gboolean builtin_call(Session *session, const char *name, char **arguments, SessionRow row,
                      gpointer data, gboolean *ret_done, GError **error)
{
    const Call call = { session, arguments, row, data };

    for (guint i = 0; i < G_N_ELEMENTS(procedures); i++) {
        if (g_ascii_strcasecmp(procedures[i].name, name) != 0 ||
            session_instance(session)->family->id < procedures[i].since)
            continue;
        if (procedures[i].everywhere || replica_exists(session_database(session))) {
            *ret_done = procedures[i].run(&call, error);
        } else {
            failure_set(error, TT_NOT_REPLICATED,
                        "This store (%s) is not involved in a replication scheme",
                        session_path(session));
            *ret_done = FALSE;
        }
        return TRUE;
    }
    return FALSE;
}
