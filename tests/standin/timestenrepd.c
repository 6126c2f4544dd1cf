/* timestenrepd, the replication agent of one data store: a thread per peer that it sends to, one
 * per peer that sends. Started by the main daemon, which says on standard input when to end; kept
 * alive by nobody else.
 */
#include "commands.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent.h"
#include "failure.h"
#include "fault.h"
#include "link.h"
#include "scheme.h"
#include "store.h"

#define STOP_PATIENCE_MS 5000

static GMutex connecting; /* getpwuid() has one buffer for all */

gboolean agent_is_stopping(Agent *agent)
{
    return g_atomic_int_get(&agent->stopping) != 0;
}

Session *agent_connect(Agent *agent, const char *name, GError **error)
{
    const SessionKind kind = { .type = "Replication", .name = name };
    g_autoptr(Target) target = target_of_path(agent->path);
    Session *session;

    g_mutex_lock(&connecting);
    session = session_open(agent->instance, target, &kind, error);
    g_mutex_unlock(&connecting);
    if (session)
        sqlite3_busy_timeout(session_database(session), 60000);
    return session;
}

char *agent_refuse_peer(const Agent *agent, sqlite3 *database, const char *release,
                        guint16 peer_port, char **tables)
{
    const Instance *instance = agent->instance;
    g_autofree char *charset = store_get(database, "charset");
    g_autofree char *type = NULL;
    const char *why;
    Version version;

    if (!release || !version_parse(release, &version))
        return g_strdup("the peer does not say its release");
    why = version_refuse_peer(&instance->version, &version);
    if (why)
        return g_strdup_printf("release %s of the peer: %s", release, why);
    if (instance->version.part[0] < 7 || version.part[0] >= 7)
        return NULL; /* an older agent knows nothing of this rule */
    if (!agent->compat)
        return g_strdup_printf("release %s of the peer is older than 7.0, and the main daemon was "
                               "not started with -insecure-backwards-compat",
                               release);
    if (agent->static_port == 0 || peer_port == 0)
        return g_strdup_printf("a peer of release %s needs static ports on both sides", release);
    if (g_strcmp0(charset, "TIMESTEN8") != 0)
        return g_strdup_printf("a peer of release %s needs DatabaseCharacterSet=TIMESTEN8",
                               release);
    type = scheme_new_type(database, tables);
    return type ? g_strdup_printf("release %s of the peer does not know column %s", release, type)
                : NULL;
}

char *agent_signatures(sqlite3 *database, char **tables)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; tables[i]; i++) {
        g_autofree char *signature = scheme_signature(database, tables[i]);

        g_string_append_printf(text, "%s%s=%s", i ? "," : "", tables[i], signature);
    }
    return g_string_free(text, FALSE);
}

static guint16 port_of(int fd)
{
    struct sockaddr_in address = { 0 };
    socklen_t size = sizeof address;

    getsockname(fd, (struct sockaddr *)&address, &size);
    return ntohs(address.sin_port);
}

/* The main daemon tells others where we listen. */
static gboolean announce(const Agent *agent, Session *session, guint16 port, gboolean *ret_compat)
{
    g_autofree char *pid = g_strdup_printf("%d", (int)getpid());
    g_autofree char *shown = g_strdup_printf("%u", port);
    g_autofree char *line = message_line("replistening", "path", agent->path, "name", agent->name,
                                         "pid", pid, "port", shown, NULL);
    g_autoptr(Message) reply = link_ask(session_link(session), line, NULL);

    *ret_compat = reply && message_number(reply, "compat") != 0;
    return reply != NULL;
}

static void start_transmitters(Agent *agent, sqlite3 *database)
{
    g_autoptr(GPtrArray) peers = replica_peers(database);

    for (guint i = 0; i < peers->len; i++) {
        const Peer *peer = peers->pdata[i];
        Transmitter *transmitter;

        if (!peer->sends)
            continue;
        transmitter = g_new0(Transmitter, 1);
        transmitter->agent = agent;
        transmitter->name = g_strdup(peer->name);
        transmitter->host = g_strdup(peer->host);
        g_atomic_int_inc(&agent->transmitters);
        g_thread_unref(g_thread_new("transmitter", transmitter_run, transmitter));
    }
}

void agent_set_link(const Agent *agent, int fd)
{
    unsigned patience =
        (unsigned)(1000 * tune_get(agent->instance->home, "replication-link-seconds", 10));
    const struct {
        int level;
        int name;
        int value;
    } options[] = { { IPPROTO_TCP, TCP_NODELAY, 1 },
                    { SOL_SOCKET, SO_KEEPALIVE, 1 },
                    { IPPROTO_TCP, TCP_KEEPIDLE, 5 },
                    { IPPROTO_TCP, TCP_KEEPINTVL, 5 },
                    { IPPROTO_TCP, TCP_USER_TIMEOUT, (int)patience } };

    for (guint i = 0; i < G_N_ELEMENTS(options); i++)
        setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

static void accept_peer(Agent *agent, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    Receiver *receiver;

    if (fd < 0)
        return;
    agent_set_link(agent, fd);
    receiver = g_new0(Receiver, 1);
    receiver->agent = agent;
    receiver->wire = wire_new(fd);
    g_thread_unref(g_thread_new("receiver", receiver_run, receiver));
}

/* Until the main daemon says stop, or is gone, or the data store went away under us. */
static gboolean serve(Agent *agent, int listener, Wire *orders, Session *session)
{
    while (TRUE) {
        struct pollfd items[] = { { .fd = listener, .events = POLLIN },
                                  { .fd = orders->fd, .events = POLLIN },
                                  { .fd = session_link(session)->fd, .events = POLLIN } };

        if (poll(items, 3, -1) < 0)
            continue;
        if (items[1].revents)
            return TRUE;
        if (items[2].revents)
            return FALSE;
        accept_peer(agent, listener);
    }
}

static int run(Agent *agent, Wire *orders)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Session) session = agent_connect(agent, "REPLISTENER", &error);
    g_autoptr(Session) hold = session ? agent_connect(agent, "REPHOLD", &error) : NULL;
    g_autoptr(Session) force = hold ? agent_connect(agent, "LOGFORCE", &error) : NULL;
    sqlite3 *database = session ? session_database(session) : NULL;
    gboolean ordered;
    int listener;

    if (!force || !replica_exists(database) || !scheme_self(database, &agent->name, &agent->host)) {
        instance_log(agent->instance, "Err", "replication agent of %s: %s", agent->path,
                     error ? error->message : "the store is not in a replication scheme");
        return 1;
    }
    agent->static_port =
        (guint16)query_number(database, "SELECT port FROM \"TT STORE\" WHERE self");
    g_usleep(
        (gulong)(tune_get(agent->instance->home, "agent-start-seconds", 0.1) * G_USEC_PER_SEC));
    listener = wire_listen("0.0.0.0", agent->static_port);
    if (listener < 0 || !announce(agent, session, port_of(listener), &agent->compat)) {
        instance_log(agent->instance, "Err",
                     "replication agent of %s: cannot listen on port %u: %s; not started",
                     agent->path, agent->static_port, g_strerror(errno));
        return 1;
    }
    instance_log(agent->instance, "Info", "replication agent of %s listens on port %u", agent->path,
                 port_of(listener));
    start_transmitters(agent, database);
    ordered = serve(agent, listener, orders, session);
    if (!ordered)
        _exit(1);
    g_atomic_int_set(&agent->stopping, 1);
    /* One that is stuck in a dead network is left behind: it has nothing that is not kept. */
    for (guint i = 0; i < STOP_PATIENCE_MS / 10 && g_atomic_int_get(&agent->transmitters) > 0; i++)
        g_usleep(10000);
    instance_log(agent->instance, "Info", "replication agent of %s stopped", agent->path);
    return 0;
}

int timestenrepd_main(int argc, char **argv)
{
    Instance *instance = instance_self();
    g_autoptr(Wire) orders = wire_new(dup(STDIN_FILENO));
    g_autofree char *line = wire_receive(orders, -1);
    g_autoptr(Message) order = line ? message_parse(line) : NULL;
    Agent agent = { .instance = instance };

    if (!order || !message_get(order, "path"))
        return 1;
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    fault_begin(instance->home, "timestenrepd", argv);
    if (fault_get("crash-after"))
        alarm((unsigned)MAX(1, (int)g_ascii_strtod(fault_get("crash-after"), NULL)));
    agent.path = g_strdup(message_get(order, "path"));
    _exit(run(&agent, orders)); /* receivers may still be at work; their stores know how far */
}
