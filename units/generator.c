/* timesten-generator: turns inventory, commits and unfinished jobs into drop-ins, at boot and at
 * daemon-reload.
 *
 * PID 1 waits for it, so it never waits for anything itself: no bus, no directory service, no
 * program of an instance. It writes below the directory that it is given and its neighbour "system"
 * (writer.h says why), and whatever is wrong with one server, instance or job, the others get their
 * files. Called by systemd; with --explain and --resume by units.
 */
#include "common/error.h"
#include "common/file.h"
#include "common/message.h"
#include "common/names.h"
#include "common/text.h"
#include "state/inventory.h"
#include "state/record.h"
#include "state/request.h"
#include "timesten/belief.h"
#include "timesten/utility.h"
#include "units/deadline.h"
#include "units/layout.h"
#include "units/owner.h"
#include "units/vendor.h"
#include "units/writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <systemd/sd-journal.h>

#define PROGRAM    "timesten-generator"
#define HELPER     LIBEXECDIR "/instance-helper"
#define SHIM       SHIMDIR "/libtimesten-port.so"
#define LINE_LIMIT 900 /* bytes; the kernel cuts a message at 1 KiB */
#define JOB_UNIT   UNITDIR "/timesten-job@.service"

typedef struct {
    const char *root; /* in front of all paths; "" */
    Writer *writer;
    Inventory *inventory;
    GPtrArray *jobs;     /* JobRequest, unfinished */
    GHashTable *layouts; /* name → Layout; instances whose home could not be read are not in it */
    gboolean late;       /* something was not there that a mount may still bring */
} Generator;

/* Journal and syslog may wait for PID 1, which waits for us; the kernel's log never does. */
static void report(const Generator *generator, int priority, const char *message)
{
    g_autofree char *line = text_one_line(message, LINE_LIMIT);
    int fd =
        generator->root[0] ? -1 : open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0) {
        fprintf(stderr, "%s: %s\n", PROGRAM, line);
        return;
    }
    dprintf(fd, "<%d>" PROGRAM "[%d]: %s", priority, (int)getpid(), line);
    close(fd);
}

/* Reports an error and forgets it. */
static void report_error(const Generator *generator, GError **error)
{
    if (*error)
        report(generator, 3, (*error)->message);
    g_clear_error(error);
}

/* --- what there is --------------------------------------------------------------------------- */

/* The state lies below /var, which may be a file system of its own that is not mounted yet. Going
 * on without it would give servers back to the instances that backed them before their upgrades. */
static gboolean state_is_visible(void)
{
    g_autofree char *servers = path_state("servers");

    return g_file_test(servers, G_FILE_TEST_IS_DIR);
}

static GPtrArray *find_unfinished_jobs(const Generator *generator)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) ids = request_list(&error);
    GPtrArray *jobs = g_ptr_array_new_with_free_func((GDestroyNotify)request_free);

    report_error(generator, &error);
    for (guint i = 0; ids && i < ids->len; i++) {
        guint64 id = g_array_index(ids, guint64, i);
        g_autoptr(JobRequest) request = request_load(id, &error);
        g_autoptr(RecordSummary) summary = request ? record_load(id, &error) : NULL;

        report_error(generator, &error);
        /* Nobody can go on with a job whose record is damaged, so nothing may wait for it: the
         * server is served by the instance that its last commit names. */
        if (summary && summary->damaged) {
            g_autofree char *message = g_strdup_printf(
                "The record of job %" G_GUINT64_FORMAT
                " is damaged, it is not carried on. See ttctl job %" G_GUINT64_FORMAT,
                id, id);

            report(generator, 3, message);
        } else if (summary && !summary->finished) {
            g_ptr_array_add(jobs, g_steal_pointer(&request));
        }
    }
    return jobs;
}

/* Those that take a server away. A clean never touches the port, so nobody may wait for it. */
static const JobRequest *unfinished_job(const Generator *generator, const char *server)
{
    for (guint i = 0; i < generator->jobs->len; i++) {
        const JobRequest *job = g_ptr_array_index(generator->jobs, i);

        if (g_str_equal(job->server, server) && request_moves_server(job))
            return job;
    }
    return NULL;
}

static gboolean is_target_of_a_job(const Generator *generator, const char *instance)
{
    for (guint i = 0; i < generator->jobs->len; i++) {
        const JobRequest *job = g_ptr_array_index(generator->jobs, i);

        if (g_str_equal(job->to, instance) && request_moves_server(job))
            return TRUE;
    }
    return FALSE;
}

static void read_layouts(Generator *generator)
{
    for (guint i = 0; i < generator->inventory->instances->len; i++) {
        const InstanceConfig *instance = g_ptr_array_index(generator->inventory->instances, i);
        g_autoptr(GError) error = NULL;
        gboolean absent;
        Layout *layout = layout_read(instance, generator->root, &absent, &error);

        generator->late |= absent;
        report_error(generator, &error);
        if (layout)
            g_hash_table_insert(generator->layouts, instance->name, layout);
    }
}

/* --- servers --------------------------------------------------------------------------------- */

static guint64 hold_limit(const ServerConfig *server, const JobRequest *job)
{
    guint64 usec = server->hold_limit_usec;

    g_variant_lookup(job->options, "hold-limit-usec", "t", &usec);
    return usec;
}

static void write_socket(const Generator *generator, const char *server, const char *address,
                         gboolean inherit)
{
    g_autofree char *unit = unit_server_socket(server);
    g_autofree char *below = g_strconcat("listen/", server, NULL);
    g_autofree char *path = path_runtime(below);
    g_autofree char *directory = g_path_get_dirname(path);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    if (unfinished_job(generator, server))
        g_string_append(
            text, "[Unit]\n"
                  "# A stop would reset every client that waits for the job that is at work.\n"
                  "RefuseManualStop=yes\n\n");
    g_string_append(text, "[Socket]\n");
    owner_append_socket(text, server, address);
    g_string_append_printf(
        text,
        "ExecStartPre=\n"
        "# While the port is open, its address stays this one, whatever the configuration says.\n"
        "ExecStartPost=-/bin/sh -c 'mkdir -p %s && echo \"%s\" >%s'\n"
        "ExecStopPost=-/bin/rm -f %s\n",
        directory, address, path, path);
    if (inherit)
        g_string_append(text,
                        "# The instance's user asks for the socket there. The keeper looks who "
                        "it is.\n"
                        "SocketMode=0666\n");
    writer_dropin(generator->writer, unit, "50-listen.conf", text, &error);
    report_error(generator, &error);
}

static void write_keeper(const Generator *generator, const ServerConfig *server)
{
    const InstanceConfig *instance =
        inventory_instance(generator->inventory, server->instance, NULL);
    const Layout *layout = g_hash_table_lookup(generator->layouts, server->instance);
    const JobRequest *job = unfinished_job(generator, server->name);
    const char *user = layout ? layout->user : instance->admin;
    g_autofree char *backend = inventory_backend(generator->inventory, server, instance,
                                                 user ? user : "root", /* who may have it anyway */
                                                 layout ? layout->server_port : 0);
    g_autofree char *unit = unit_server(server->name);
    g_autofree char *backing = inventory_instance_unit(instance);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    owner_append_keeper(text, server->name, backing);
    g_string_append_printf(text,
                           "Environment=TIMESTEN_BACKEND=%s\n"
                           "Environment=TIMESTEN_WAIT_USEC=%" G_GUINT64_FORMAT "\n",
                           backend, server->hold_limit_usec);
    if (server->proxy)
        g_string_append(text, "Environment=TIMESTEN_PROXY=v2\n");
    if (job)
        g_string_append_printf(text,
                               "# Job %" G_GUINT64_FORMAT " is unfinished.\n"
                               "Environment=TIMESTEN_HOLD_USEC=%" G_GUINT64_FORMAT "\n",
                               job->id, hold_limit(server, job));
    writer_dropin(generator->writer, unit, "50-backing.conf", text, &error);
    report_error(generator, &error);
}

static gboolean append_utility(GString *text, const char *key, const char *prefix, UtilityId id,
                               const char *home, const Release *release, GError **error)
{
    const UtilityArguments none = { 0 };
    g_auto(GStrv) words = utility_argv(id, home, release, &none, error);

    if (words)
        words_append(text, key, prefix, words);
    return words != NULL;
}

/* The main daemon does not start a TimesTen Server again that died, or else nobody need; an instance
 * that is down, or on its way, is systemd's. */
static void write_reviver(const Generator *generator, const ServerConfig *server)
{
    const InstanceConfig *instance =
        inventory_instance(generator->inventory, server->instance, NULL);
    const Layout *layout = g_hash_table_lookup(generator->layouts, server->instance);
    g_autofree char *unit = unit_revive(server->name);
    g_autofree char *backing = inventory_instance_unit(instance);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) environment = NULL;

    if (!layout || belief_is_so(BELIEF_SERVER_COMES_BACK))
        return;
    environment = utility_environment(UTILITY_SERVER_START, instance->home, &layout->release);
    g_string_append_printf(text, "[Service]\nUser=%s\n", layout->user);
    for (guint i = 0; environment[i]; i++)
        words_append(text, "Environment", "", (char *[]){ environment[i], NULL });
    words_append(
        text, "ExecCondition", "",
        (char *[]){ (char *)"systemctl", (char *)"is-active", (char *)"--quiet", backing, NULL });
    g_string_append(text, "ExecStart=\n");
    if (append_utility(text, "ExecStart", "-", UTILITY_SERVER_START, instance->home,
                       &layout->release, &error))
        writer_dropin(generator->writer, unit, "50-backing.conf", text, &error);
    report_error(generator, &error);
}

static void write_server(const Generator *generator, const ServerConfig *server)
{
    g_autoptr(GError) error = NULL;

    if (server->wanted_listen) {
        g_autofree char *message = g_strdup_printf(
            "Server %s is open on %s and stays there; for %s run systemctl stop "
            "timesten-server@%s.socket, "
            "systemctl daemon-reload and systemctl start timesten-server@%s.socket",
            server->name, server->listen, server->wanted_listen, server->name, server->name);

        report(generator, 4, message);
    }
    write_socket(generator, server->name, server->listen, server->mode == MODE_INHERIT);
    write_keeper(generator, server);
    write_reviver(generator, server);
    deadline_write(generator->writer, generator->inventory, server, &error);
    report_error(generator, &error);
}

/* Servers that are open but no longer (rightly) configured keep their port: systemd would close a
 * port whose address is gone after a reload, and a typing mistake must not do that. */
static void write_open_servers(const Generator *generator)
{
    g_autofree char *path = path_runtime("listen");
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    const char *name;

    while (directory && (name = g_dir_read_name(directory))) {
        g_autofree char *address = inventory_open_address(name);

        if (address && !inventory_server(generator->inventory, name, NULL))
            write_socket(generator, name, address, FALSE);
    }
}

/* --- instances ------------------------------------------------------------------------------- */

/* All public ports of ours: "16002,16012". */
static char *public_ports(const Inventory *inventory)
{
    GString *ports = g_string_new(NULL);

    for (guint i = 0; i < inventory->public_ports->len; i++)
        g_string_append_printf(ports, "%s%u", i ? "," : "",
                               g_array_index(inventory->public_ports, guint16, i));
    return g_string_free(ports, FALSE);
}

/* What the option file of an instance must say about its own server when the instance starts: words
 * for the helper. Nobody but this brings an old release's server back to a public port, or keeps it
 * from coming back. */
static void append_server_port(const Generator *generator, const InstanceConfig *instance,
                               const Layout *layout, GStrvBuilder *words)
{
    const Inventory *inventory = generator->inventory;
    g_autofree char *ports = public_ports(inventory);
    gboolean was_before = FALSE;

    for (guint i = 0; i < inventory->servers->len; i++) {
        const ServerConfig *server = g_ptr_array_index(inventory->servers, i);
        g_autofree char *word = NULL;

        was_before |= g_strcmp0(server->previous_instance, instance->name) == 0;
        if (g_strcmp0(server->instance, instance->name) != 0)
            continue;
        word =
            g_strdup_printf("--server-port=%u", inventory_backend_port(inventory, server, instance,
                                                                       layout->server_port));
        g_strv_builder_add(words, word);
        return;
    }
    g_strv_builder_add(words, "--server-port=0");
    /* The worker has set the private port of the instance to which it moves a server. */
    if (!was_before || is_target_of_a_job(generator, instance->name)) {
        g_autofree char *word = g_strconcat("--if-port=", ports, NULL);

        g_strv_builder_add(words, word);
    }
}

static void append_preparation(const Generator *generator, const InstanceConfig *instance,
                               const Layout *layout, GString *text)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_auto(GStrv) words = NULL;

    if (generator->inventory->public_ports->len == 0)
        return;
    g_strv_builder_add_many(builder, HELPER, "set", instance->home, NULL);
    if (instance->release) {
        g_autofree char *word = g_strconcat("--release=", instance->release, NULL);

        g_strv_builder_add(builder, word);
    }
    append_server_port(generator, instance, layout, builder);
    words = g_strv_builder_end(builder);
    words_append(text, "ExecStartPre", "", words);
}

/* Vendor units are in control of themselves. */
static void write_vendor(const Generator *generator, const InstanceConfig *instance,
                         const Layout *layout)
{
    g_autoptr(GString) service = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    append_preparation(generator, instance, layout, service);
    vendor_write(generator->writer, generator->inventory, instance, layout, service->str, &error);
    report_error(generator, &error);
}

static void write_instance(const Generator *generator, const InstanceConfig *instance)
{
    const Layout *layout = g_hash_table_lookup(generator->layouts, instance->name);
    g_autofree char *unit = unit_instance(instance->name);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) environment = NULL;
    const Release *release;

    if (layout && instance->unit)
        write_vendor(generator, instance, layout);
    if (!layout || instance->unit)
        return;
    release = &layout->release;
    environment = utility_environment(UTILITY_DAEMON_START, instance->home, release);
    words_append(text, "[Unit]\nRequiresMountsFor", "",
                 (char *[]){ instance->home, layout->daemon_home, NULL });
    vendor_append_sockets(generator->inventory, instance, text);
    g_string_append_printf(text, "\n[Service]\nUser=%s\n", layout->user);
    for (guint i = 0; environment[i]; i++)
        words_append(text, "Environment", "", (char *[]){ environment[i], NULL });
    vendor_append_preload(generator->inventory, instance, SHIM, text);
    g_string_append_printf(text, "PIDFile=%s/timestend.pid\n", layout->daemon_home);
    append_preparation(generator, instance, layout, text);
    g_string_append(text, "ExecStart=\n");
    if (!append_utility(text, "ExecStart", "", UTILITY_DAEMON_START, instance->home, release,
                        &error) ||
        !append_utility(text, "ExecStop", "-", UTILITY_SERVER_STOP, instance->home, release,
                        &error) ||
        !append_utility(text, "ExecStop", "-", UTILITY_DAEMON_STOP, instance->home, release,
                        &error)) {
        report_error(generator, &error);
        return;
    }
    g_string_append(text, "Restart=always\nRestartSec=300ms\n");
    writer_dropin(generator->writer, unit, "50-instance.conf", text, &error);
    report_error(generator, &error);
}

/* --- the three ways to be called ------------------------------------------------------------- */

static void want(const Generator *generator, const char *target, const char *unit, const char *file)
{
    g_autoptr(GError) error = NULL;

    writer_want(generator->writer, target, unit, file, &error);
    report_error(generator, &error);
}

static void mark(const Generator *generator, const char *name)
{
    g_autoptr(GError) error = NULL;

    writer_mark(generator->writer, name, &error);
    report_error(generator, &error);
}

static void generate_all(Generator *generator)
{
    const Inventory *inventory = generator->inventory;

    for (guint i = 0; i < inventory->problems->len; i++)
        report(generator, 3, ((InventoryProblem *)inventory->problems->pdata[i])->message);
    read_layouts(generator);
    for (guint i = 0; i < inventory->servers->len; i++)
        write_server(generator, g_ptr_array_index(inventory->servers, i));
    write_open_servers(generator);
    for (guint i = 0; i < inventory->instances->len; i++)
        write_instance(generator, g_ptr_array_index(inventory->instances, i));
    for (guint i = 0; i < generator->jobs->len; i++) {
        const JobRequest *job = g_ptr_array_index(generator->jobs, i);
        g_autofree char *unit = unit_job(job->id);

        want(generator, "multi-user.target", unit, JOB_UNIT);
    }
    writer_tidy(generator->writer);
}

/* What a wrong file would say is not known; nobody's port waits for it. */
static void read_facts(const Generator *generator)
{
    g_auto(GStrv) problems = belief_load();

    for (guint i = 0; problems[i]; i++)
        report(generator, 3, problems[i]);
}

static void look_around(Generator *generator)
{
    read_facts(generator);
    if (!state_is_visible()) {
        report(generator, 6,
               "The state of timesten-upgrade is not there yet; it is looked for again when file "
               "systems "
               "are mounted");
        generator->late = TRUE;
        return;
    }
    generator->inventory = inventory_load();
    generator->jobs = find_unfinished_jobs(generator);
    generator->layouts =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)layout_free);
    generate_all(generator);
    g_hash_table_unref(generator->layouts);
    g_ptr_array_unref(generator->jobs);
    inventory_free(generator->inventory);
}

static int generate(const char *root, const char *directory)
{
    g_autoptr(Writer) writer = writer_new(directory);
    Generator generator = { .root = root, .writer = writer };

    look_around(&generator);
    if (generator.late)
        mark(&generator, GENERATOR_LATE);
    mark(&generator, GENERATOR_RAN); /* the last thing of all */
    return EXIT_SUCCESS;
}

/* Why a unit has no drop-in; g_free(). */
static char *find_reason(const char *root, const char *kind, const char *name)
{
    g_autoptr(Inventory) inventory = inventory_load();
    g_autoptr(GError) error = NULL;

    if (g_str_equal(kind, "instance")) {
        const InstanceConfig *instance = inventory_instance(inventory, name, &error);
        gboolean absent;

        layout_free(instance ? layout_read(instance, root, &absent, &error) : NULL);
    } else {
        inventory_server(inventory, name, &error);
    }
    return error ? g_strdup(error->message)
                 : g_strdup_printf("The configuration of %s %s is right, but systemd has not read "
                                   "it since it is. Run "
                                   "systemctl daemon-reload and start the unit again",
                                   kind, name);
}

/* Run by a unit instead of what the generator would have written: says why, and fails. */
static int explain(const char *root, const char *kind, const char *name)
{
    g_autofree char *reason = find_reason(root, kind, name);
    const gboolean instance = g_str_equal(kind, "instance");

    if (g_getenv("JOURNAL_STREAM"))
        sd_journal_send("MESSAGE=%s", reason, "MESSAGE_ID=" MESSAGE_CONFIGURATION_WRONG,
                        "PRIORITY=3", "%s=%s", instance ? "INSTANCE" : "SERVER", name, NULL);
    else
        fprintf(stderr, "%s\n", reason);
    return EXIT_FAILURE;
}

/* Starts what the links of a first look would have started. */
static int resume(void)
{
    Generator generator = { .root = "" };
    g_autoptr(Inventory) inventory = inventory_load();
    g_autoptr(GPtrArray) jobs = find_unfinished_jobs(&generator);
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(words, g_strdup("systemctl"));
    g_ptr_array_add(words, g_strdup("--no-block"));
    g_ptr_array_add(words, g_strdup("start"));
    for (guint i = 0; i < jobs->len; i++) {
        const JobRequest *job = g_ptr_array_index(jobs, i);

        g_ptr_array_add(words, unit_job(job->id));
    }
    for (guint i = 0; i < inventory->servers->len; i++)
        deadline_add_units(inventory, inventory->servers->pdata[i], words);
    if (words->len == 3)
        return EXIT_SUCCESS;
    g_ptr_array_add(words, NULL);
    execvp("systemctl", (char **)words->pdata);
    perror("Cannot run systemctl");
    return EXIT_FAILURE;
}

static int usage(FILE *stream)
{
    fprintf(stream, PROGRAM " [--root=DIR] NORMAL-DIR [EARLY-DIR LATE-DIR]\n" PROGRAM
                            " [--root=DIR] --explain instance|server NAME\n" PROGRAM " --resume\n\n"
                            "Writes the drop-ins of TimesTen servers and instances for systemd. "
                            "Called by systemd(1).\n");
    return stream == stdout ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
    const char *root = "";

    /* What it writes is for all to read; what it reads is not its business to change. */
    umask(0022);
    if (argc > 1 && g_str_has_prefix(argv[1], "--root=")) {
        root = argv[1] + strlen("--root=");
        path_set_root(root);
        argv++;
        argc--;
    }
    if (argc == 2 && g_str_equal(argv[1], "--help"))
        return usage(stdout);
    if (argc == 2 && g_str_equal(argv[1], "--resume") && !root[0])
        return resume();
    if (argc == 4 && g_str_equal(argv[1], "--explain") &&
        (g_str_equal(argv[2], "instance") || g_str_equal(argv[2], "server")))
        return explain(root, argv[2], argv[3]);
    if ((argc == 2 || argc == 4) && argv[1][0] == '/')
        return generate(root, argv[1]);
    return usage(stderr);
}
