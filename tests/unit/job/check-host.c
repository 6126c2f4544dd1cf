/* Checks and repairs of the host's settings, on a host that a directory plays. */
#include "job/check.h"
#include "job/host.h"
#include "job/repair.h"

#include <glib/gstdio.h>
#include <string.h>

#define MIB ((guint64)1024 * 1024)

typedef struct {
    char *root;
    Job job;
    ServerConfig server;
    InstanceConfig from, to;
    JobRequest request;
} Host;

static void write_file(const Host *host, const char *path, const char *content)
{
    g_autofree char *full = g_strconcat(host->root, path, NULL);
    g_autofree char *directory = g_path_get_dirname(full);

    g_assert_cmpint(g_mkdir_with_parents(directory, 0755), ==, 0);
    g_assert_true(g_file_set_contents(full, content, -1, NULL));
}

static char *read_back(const Host *host, const char *path)
{
    g_autofree char *full = g_strconcat(host->root, path, NULL);
    char *text = NULL;

    g_file_get_contents(full, &text, NULL, NULL);
    return text;
}

static void host_clear(Host *host)
{
    char *argv[] = { (char *)"rm", (char *)"-rf", host->root, NULL };

    g_assert_true(
        g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
    facts_free(host->job.from.facts);
    facts_free(host->job.to.facts);
    g_free(host->root);
    host_root = "";
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Host, host_clear)

/* One database of 100 MiB, and nothing that is wrong. */
static void host_init(Host *host)
{
    static char *databases[] = { (char *)"orders", NULL };
    DatabaseFacts *facts = g_new0(DatabaseFacts, 1);

    host->root = g_dir_make_tmp("tu-host-XXXXXX", NULL);
    host_root = host->root;
    host->server = (ServerConfig){ .name = (char *)"main", .databases = databases };
    host->from.name = (char *)"tt60";
    host->to.name = (char *)"tt70";
    host->request = (JobRequest){ .kind = (char *)"upgrade", .method = (char *)"offline" };
    host->job = (Job){ .server = &host->server, .request = &host->request };
    host->job.from =
        (Side){ .config = &host->from, .admin = (char *)"nobody", .backend_port = 26002 };
    host->job.to = (Side){ .config = &host->to, .admin = (char *)"nobody", .backend_port = 26003 };
    facts->dsn = g_strdup("orders");
    facts->data_store = g_strdup("/data/orders");
    facts->size = 100 * MIB;
    host->job.from.facts = facts_new();
    host->job.to.facts = facts_new();
    g_ptr_array_add(host->job.from.facts->databases, facts);
    write_file(host, "/proc/sys/net/ipv4/tcp_abort_on_overflow", "0\n");
    write_file(host, "/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
    write_file(host, "/proc/sys/net/ipv4/ip_local_reserved_ports", "\n");
    write_file(host, "/proc/sys/net/core/somaxconn", "4096\n");
    write_file(host, "/proc/sys/kernel/shmmax", "18446744073692774399\n");
    write_file(host, "/proc/sys/kernel/shmall", "18446744073692774399\n");
    write_file(host, "/proc/sys/kernel/shmmni", "4096\n");
    write_file(host, "/proc/sys/vm/overcommit_memory", "0\n");
    write_file(host, "/proc/sys/vm/hugetlb_shm_group", "0\n");
    write_file(host, "/proc/sysvipc/shm", "head\nsegment\n");
    write_file(host, "/etc/hostname", "host\n");
    write_file(host, "/proc/meminfo",
               "MemAvailable:    8000000 kB\nCommitLimit: 100000 kB\nCommitted_AS: 90000 kB\n"
               "HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n");
}

static const CheckType *find(const char *id)
{
    for (const CheckTable *table = check_tables; table->title; table++)
        for (const CheckType *row = table->rows; row->id; row++)
            if (g_str_equal(row->id, id))
                return row;
    g_error("There is no check %s", id);
}

/* Its findings as "severity subject: message", one below the other; g_free(). */
static char *look(Host *host, const char *id)
{
    g_autoptr(GPtrArray) findings = check_findings_new();
    Check check = { .job = &host->job, .findings = findings, .id = id };
    const CheckType *row = find(id);
    GString *text = g_string_new(NULL);

    g_assert_true(row->look(&check, NULL));
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = findings->pdata[i];

        g_assert_cmpint(finding->severity, >=, (int)row->worst);
        g_assert_cmpstr(finding->remedy, !=, "");
        g_string_append_printf(text, "%s%s %s: %s", i ? "\n" : "",
                               severity_nicks[finding->severity], finding->subject,
                               finding->message);
    }
    return g_string_free(text, FALSE);
}

static void assert_found(Host *host, const char *id, const char *words)
{
    g_autofree char *text = look(host, id);

    g_test_message("%s: %s", id, text);
    if (words)
        g_assert_nonnull(strstr(text, words));
    else
        g_assert_cmpstr(text, ==, "");
}

/* What its repair tells: "subject: before -> after"; "" nothing was to be done. g_free(). */
static char *mend(Host *host, const char *id, gboolean dry)
{
    g_autoptr(GPtrArray) done = repaired_new();
    Repair repair = { .job = &host->job, .dry = dry, .id = id, .done = done };
    const Repaired *first;

    find(id)->mend(&repair);
    first = done->len ? done->pdata[0] : NULL;
    return first ? g_strdup_printf("%s: %s -> %s", first->subject, first->before, first->after)
                 : g_strdup("");
}

/* --- what is looked at -------------------------------------------------------------------------
 */

static const struct {
    const char *id, *path, *content, *words;
} cases[] = {
    { "tcp-abort-on-overflow", "/proc/sys/net/ipv4/tcp_abort_on_overflow", "1\n",
      "error net.ipv4" },
    { "somaxconn", "/proc/sys/net/core/somaxconn", "128\n", "Only 128" },
    { "ephemeral-ports", "/proc/sys/net/ipv4/ip_local_port_range", "20000\t60999\n", "port 26003" },
    { "shared-memory-segment", "/proc/sys/kernel/shmmax", "33554432\n", "32.0" },
    { "shared-memory-total", "/proc/sys/kernel/shmall", "8192\n", "200.0" },
    { "shared-memory-segments", "/proc/sys/kernel/shmmni", "2\n", "3 segments" },
    { "overcommit", "/proc/sys/vm/overcommit_memory", "2\n", "9.8" },
    { "huge-pages", "/proc/meminfo",
      "HugePages_Total: 64\nHugePages_Free: 10\nHugepagesize: 2048 kB\n", "20.0" },
    { "huge-pages-group", "/proc/meminfo", "HugePages_Total: 64\n", "group 0" },
    { "memory", "/proc/meminfo", "MemAvailable: 1000 kB\n", "100.0" },
};

static void each_setting_is_found_and_nothing_else(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(Host) host = { 0 };

        host_init(&host);
        assert_found(&host, cases[i].id, NULL);
        write_file(&host, cases[i].path, cases[i].content);
        assert_found(&host, cases[i].id, cases[i].words);
    }
}

/* An old kernel, or a container that hides them. */
static void settings_that_are_not_there_are_no_findings(void)
{
    g_auto(Host) host = { 0 };

    host_init(&host);
    host_root = "/nonexistent";
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_found(&host, cases[i].id, NULL);
}

static void a_kept_port_is_not_given_away(void)
{
    g_auto(Host) host = { 0 };

    host_init(&host);
    write_file(&host, "/proc/sys/net/ipv4/ip_local_port_range", "20000\t60999\n");
    write_file(&host, "/proc/sys/net/ipv4/ip_local_reserved_ports", "80,26000-26010\n");
    assert_found(&host, "ephemeral-ports", NULL);
}

/* --- repairs ------------------------------------------------------------------------------------
 */

static void a_setting_is_repaired_once_and_told(void)
{
    const char *path = "/proc/sys/net/ipv4/ip_local_reserved_ports";
    const char *file = "/etc/sysctl.d/99-timesten-upgrade.net.ipv4.ip_local_reserved_ports.conf";
    g_auto(Host) host = { 0 };
    g_autofree char *told = NULL, *done = NULL, *again = NULL, *live = NULL, *kept = NULL;
    g_autofree char *untouched = NULL;

    host_init(&host);
    write_file(&host, "/proc/sys/net/ipv4/ip_local_port_range", "20000\t60999\n");
    write_file(&host, path, "80\n");
    told = mend(&host, "ephemeral-ports", TRUE);
    g_assert_true(
        g_str_has_prefix(told, "net.ipv4.ip_local_reserved_ports: 80 -> 80,26002,26003 ("));
    untouched = read_back(&host, path);
    g_assert_cmpstr(untouched, ==, "80\n");
    g_assert_null(read_back(&host, file));

    done = mend(&host, "ephemeral-ports", FALSE);
    g_assert_cmpstr(done, ==, told);
    live = read_back(&host, path);
    g_assert_cmpstr(live, ==, "80,26002,26003");
    kept = read_back(&host, file);
    g_assert_nonnull(strstr(kept, "\nnet.ipv4.ip_local_reserved_ports = 80,26002,26003\n"));
    assert_found(&host, "ephemeral-ports", NULL);
    again = mend(&host, "ephemeral-ports", FALSE);
    g_assert_cmpstr(again, ==, "");
}

static void what_the_kernel_refuses_is_kept_nowhere(void)
{
    g_auto(Host) host = { 0 };
    g_autoptr(GPtrArray) done = repaired_new();
    Repair repair = { .job = &host.job, .id = "somaxconn", .done = done };

    host_init(&host);
    repair_sysctl(&repair, "no.such.setting", "1");
    g_assert_cmpuint(done->len, ==, 1);
    g_assert_true(g_str_has_prefix(((Repaired *)done->pdata[0])->after, "not repaired: "));
    g_assert_null(read_back(&host, "/etc/sysctl.d/99-timesten-upgrade.no.such.setting.conf"));
}

static void logind_is_read_as_systemd_does(void)
{
    g_auto(Host) host = { 0 };
    struct {
        const char *path, *content;
        gboolean removes;
    } files[] = {
        { "/usr/lib/systemd/logind.conf", "[Login]\n#RemoveIPC=no\n", TRUE },
        { "/etc/systemd/logind.conf", "[Other]\nRemoveIPC=no\n[Login]\nRemoveIPC = no\n", FALSE },
        { "/usr/lib/systemd/logind.conf.d/50-site.conf", "[Login]\nRemoveIPC=yes\n", TRUE },
        { "/etc/systemd/logind.conf.d/50-site.conf", "[Login]\nRemoveIPC=off\n", FALSE },
        { "/etc/systemd/logind.conf.d/60-site.conf", "[Login]\nRemoveIPC=1\n", TRUE },
    };

    host_init(&host);
    host.job.from.admin = host.job.to.admin =
        (char *)"nobody"; /* 65534: a regular user to logind */
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        write_file(&host, files[i].path, files[i].content);
        assert_found(&host, "remove-ipc", files[i].removes ? "nobody is a regular user" : NULL);
    }
    host.job.from.admin = host.job.to.admin = (char *)"root";
    assert_found(&host, "remove-ipc", NULL);
}

static void a_pid_file_that_names_no_timestend_is_told(void)
{
    g_auto(Host) host = { 0 };
    TimesTenStatus running = { .daemon_running = TRUE };
    Check check = { .job = &host.job };

    host_init(&host);
    host.job.from.facts->pid_file = g_strdup("/info/timestend.pid");
    assert_found(&host, "stale-pid-file", NULL);
    write_file(&host, "/info/timestend.pid", "4711\n");
    assert_found(&host, "stale-pid-file",
                 "warning tt60: /info/timestend.pid names process 4711, which "
                 "is gone");
    write_file(&host, "/proc/4711/comm", "sshd\n");
    assert_found(&host, "stale-pid-file", "4711 (sshd)");
    write_file(&host, "/proc/4711/comm", "timestend\n"); /* it does not answer yet */
    assert_found(&host, "stale-pid-file", NULL);
    write_file(&host, "/info/timestend.pid", "no number\n");
    assert_found(&host, "stale-pid-file", NULL);
    write_file(&host, "/info/timestend.pid", "4712\n");
    check.findings = check_findings_new();
    check.from_status = &running;
    g_assert_true(find("stale-pid-file")->look(&check, NULL));
    g_assert_cmpuint(check.findings->len, ==, 0);
    g_ptr_array_unref(check.findings);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/each-setting-is-found-and-nothing-else",
                    each_setting_is_found_and_nothing_else);
    g_test_add_func("/settings-that-are-not-there-are-no-findings",
                    settings_that_are_not_there_are_no_findings);
    g_test_add_func("/a-kept-port-is-not-given-away", a_kept_port_is_not_given_away);
    g_test_add_func("/a-setting-is-repaired-once-and-told", a_setting_is_repaired_once_and_told);
    g_test_add_func("/what-the-kernel-refuses-is-kept-nowhere",
                    what_the_kernel_refuses_is_kept_nowhere);
    g_test_add_func("/logind-is-read-as-systemd-does", logind_is_read_as_systemd_does);
    g_test_add_func("/a-pid-file-that-names-no-timestend-is-told",
                    a_pid_file_that_names_no_timestend_is_told);
    return g_test_run();
}
