/* Checks of the kernel's settings: whether it lets clients wait, and lets the new databases have
 * their memory. */
#include "job/check.h"
#include "job/host.h"
#include "job/repair.h"
#include "common/text.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define SYS          "/proc/sys/"
#define QUEUE_WANTED 1024  /* waiting connects that a hold should be able to keep */
#define QUEUE_MADE   65535 /* what the package's own sysctl file says */

/* --- the port -----------------------------------------------------------------------------------
 */

static gboolean look_abort_on_overflow(Check *check, GError **error)
{
    guint64 value;

    if (host_number(SYS "net/ipv4/tcp_abort_on_overflow", &value) && value != 0)
        check_found(
            check, SEVERITY_ERROR, "net.ipv4.tcp_abort_on_overflow",
            "sysctl net.ipv4.tcp_abort_on_overflow=0",
            "The kernel resets clients when the queue is full instead of letting them wait");
    return TRUE;
}

static void mend_abort_on_overflow(Repair *repair)
{
    guint64 value;

    if (host_number(SYS "net/ipv4/tcp_abort_on_overflow", &value) && value != 0)
        repair_sysctl(repair, "net.ipv4.tcp_abort_on_overflow", "0");
}

static gboolean look_somaxconn(Check *check, GError **error)
{
    guint64 value;

    if (host_number(SYS "net/core/somaxconn", &value) && value < QUEUE_WANTED)
        check_found(check, SEVERITY_WARNING, "net.core.somaxconn",
                    "sysctl net.core.somaxconn=65535",
                    "Only %" G_GUINT64_FORMAT " connects can wait in the port's queue", value);
    return TRUE;
}

static void mend_somaxconn(Repair *repair)
{
    guint64 value;

    if (host_number(SYS "net/core/somaxconn", &value) && value < QUEUE_WANTED)
        repair_sysctl(repair, "net.core.somaxconn", G_STRINGIFY(QUEUE_MADE));
}

/* "80,1000-2000": whether the port is in it. */
static gboolean is_in_list(const char *list, guint16 port)
{
    g_auto(GStrv) parts = g_strsplit(list, ",", -1);

    for (guint i = 0; parts[i]; i++) {
        char *end;
        guint64 first = g_ascii_strtoull(parts[i], &end, 10);
        guint64 last = *end == '-' ? g_ascii_strtoull(end + 1, NULL, 10) : first;

        if (end != parts[i] && port >= first && port <= last)
            return TRUE;
    }
    return FALSE;
}

/* Whether the kernel may give the port to any program that connects somewhere. */
static gboolean is_ephemeral(guint16 port)
{
    g_autofree char *range = host_text(SYS "net/ipv4/ip_local_port_range");
    g_autofree char *reserved = host_text(SYS "net/ipv4/ip_local_reserved_ports");
    guint first, last;

    return range && sscanf(range, "%u %u", &first, &last) == 2 && port >= first && port <= last &&
           !(reserved && is_in_list(reserved, port));
}

static gboolean look_ephemeral(Check *check, GError **error)
{
    const Side *sides[] = { &check->job->from, &check->job->to };

    for (guint i = 0; i < G_N_ELEMENTS(sides); i++)
        if (is_ephemeral(sides[i]->backend_port))
            check_found(check, SEVERITY_WARNING, sides[i]->config->name,
                        "Reserve it (net.ipv4.ip_local_reserved_ports), or set another ServerPort=",
                        "The kernel may give its server's port %u to any program that connects "
                        "somewhere, and the server would not start then",
                        sides[i]->backend_port);
    return TRUE;
}

static void mend_ephemeral(Repair *repair)
{
    const Side *sides[] = { &repair->job->from, &repair->job->to };
    g_autofree char *reserved = host_text(SYS "net/ipv4/ip_local_reserved_ports");
    g_autoptr(GString) list = g_string_new(reserved ? g_strstrip(reserved) : "");
    gboolean needed = FALSE;

    for (guint i = 0; i < G_N_ELEMENTS(sides); i++) {
        guint16 port = sides[i]->backend_port;

        if (!is_ephemeral(port) || is_in_list(list->str, port))
            continue;
        needed = TRUE;
        g_string_append_printf(list, "%s%u", list->len ? "," : "", port);
    }
    if (needed)
        repair_sysctl(repair, "net.ipv4.ip_local_reserved_ports", list->str);
}

/* --- memory -------------------------------------------------------------------------------------
 */

/* What the new databases need beside the old ones; in place there are no new ones. */
static guint64 copy_bytes(const Job *job)
{
    return job_in_place(job) ? 0 : check_data_bytes(job);
}

static guint64 largest(const Job *job)
{
    guint64 bytes = 0;

    for (char **dsn = job->server->databases; *dsn && !job_in_place(job); dsn++) {
        const DatabaseFacts *facts = facts_find_database(job->from.facts, *dsn);

        bytes = MAX(bytes, facts ? facts->size : 0);
    }
    return bytes;
}

static guint64 page_bytes(void)
{
    return (guint64)sysconf(_SC_PAGESIZE);
}

/* A database is one segment of shared memory. */
static gboolean wants_segment(const Job *job, guint64 *ret_limit)
{
    return host_number(SYS "kernel/shmmax", ret_limit) && *ret_limit < largest(job);
}

static gboolean look_segment(Check *check, GError **error)
{
    guint64 limit;

    if (wants_segment(check->job, &limit)) {
        g_autofree char *need = text_bytes(largest(check->job)), *have = text_bytes(limit);

        check_found(check, SEVERITY_WARNING, "kernel.shmmax", "Raise kernel.shmmax",
                    "The largest database needs a segment of about %s, and %s are allowed", need,
                    have);
    }
    return TRUE;
}

static void mend_segment(Repair *repair)
{
    g_autofree char *wanted = g_strdup_printf("%" G_GUINT64_FORMAT, 2 * largest(repair->job));
    guint64 limit;

    if (wants_segment(repair->job, &limit))
        repair_sysctl(repair, "kernel.shmmax", wanted);
}

/* Old and new ones at the same time. */
static guint64 pages_wanted(const Job *job)
{
    return 2 * copy_bytes(job) / page_bytes();
}

static gboolean look_total(Check *check, GError **error)
{
    guint64 limit;

    if (host_number(SYS "kernel/shmall", &limit) && limit < pages_wanted(check->job)) {
        g_autofree char *need = text_bytes(pages_wanted(check->job) * page_bytes());
        g_autofree char *have = text_bytes(limit * page_bytes());

        check_found(check, SEVERITY_WARNING, "kernel.shmall", "Raise kernel.shmall",
                    "Old and new databases need about %s of shared memory, and %s are allowed",
                    need, have);
    }
    return TRUE;
}

static void mend_total(Repair *repair)
{
    g_autofree char *wanted = g_strdup_printf("%" G_GUINT64_FORMAT, 2 * pages_wanted(repair->job));
    guint64 limit;

    if (host_number(SYS "kernel/shmall", &limit) && limit < pages_wanted(repair->job))
        repair_sysctl(repair, "kernel.shmall", wanted);
}

/* Segments that there are now, and one more for each new database. From 11.2 on PL/SQL has one, too
 * (ttStatus). */
static guint64 segments_wanted(const Job *job)
{
    g_autofree char *text = host_text("/proc/sysvipc/shm");
    guint64 lines = 0;

    for (const char *at = text; at && (at = strchr(at, '\n')); at++)
        lines++;
    return (lines ? lines - 1 : 0) + 2 * g_strv_length(job->server->databases);
}

static gboolean look_segments(Check *check, GError **error)
{
    guint64 limit;

    if (host_number(SYS "kernel/shmmni", &limit) && limit < segments_wanted(check->job))
        check_found(check, SEVERITY_WARNING, "kernel.shmmni", "Raise kernel.shmmni to 4096",
                    "%" G_GUINT64_FORMAT " segments of shared memory are needed, and "
                    "%" G_GUINT64_FORMAT " are allowed",
                    segments_wanted(check->job), limit);
    return TRUE;
}

static void mend_segments(Repair *repair)
{
    g_autofree char *wanted =
        g_strdup_printf("%" G_GUINT64_FORMAT, MAX(4096, 2 * segments_wanted(repair->job)));
    guint64 limit;

    if (host_number(SYS "kernel/shmmni", &limit) && limit < segments_wanted(repair->job))
        repair_sysctl(repair, "kernel.shmmni", wanted);
}

static gboolean look_overcommit(Check *check, GError **error)
{
    guint64 mode, limit, used, needed = copy_bytes(check->job);

    if (host_number(SYS "vm/overcommit_memory", &mode) && mode == 2 &&
        host_memory("CommitLimit", &limit) && host_memory("Committed_AS", &used) &&
        needed > limit - MIN(limit, used)) {
        g_autofree char *need = text_bytes(needed), *have = text_bytes(limit - MIN(limit, used));

        check_found(check, SEVERITY_WARNING, "vm.overcommit_memory",
                    "Add memory or swap, or raise vm.overcommit_ratio",
                    "The kernel promises no more memory than it has: the new databases need about "
                    "%s, and %s are left to be promised",
                    need, have);
    }
    return TRUE;
}

/* --- huge pages ---------------------------------------------------------------------------------
 */

/* Where none are kept, nobody has configured them. */
static gboolean has_huge_pages(void)
{
    guint64 total;

    return host_memory("HugePages_Total", &total) && total > 0;
}

static gboolean look_huge_pages(Check *check, GError **error)
{
    guint64 free, size, needed = copy_bytes(check->job);

    if (has_huge_pages() && host_memory("HugePages_Free", &free) &&
        host_memory("Hugepagesize", &size) && needed > free * size) {
        g_autofree char *need = text_bytes(needed), *have = text_bytes(free * size);

        check_found(check, SEVERITY_WARNING, "vm.nr_hugepages",
                    "Raise vm.nr_hugepages for the time of the upgrade, best at a boot",
                    "Huge pages are kept on this host, and %s of them are free: the new databases "
                    "need about %s while the old ones are loaded",
                    have, need);
    }
    return TRUE;
}

static gboolean is_member(const char *user, gid_t group)
{
    const struct passwd *entry = getpwnam(user);
    gid_t groups[256];
    int count = G_N_ELEMENTS(groups);

    if (!entry || getgrouplist(user, entry->pw_gid, groups, &count) < 0)
        return !entry || entry->pw_uid == 0; /* a missing user has a check of its own */
    for (int i = 0; i < count; i++)
        if (groups[i] == group)
            return TRUE;
    return entry->pw_uid == 0;
}

static gboolean look_huge_group(Check *check, GError **error)
{
    const Side *to = &check->job->to;
    guint64 group;

    if (has_huge_pages() && host_number(SYS "vm/hugetlb_shm_group", &group) &&
        !is_member(to->admin, (gid_t)group))
        check_found(
            check, SEVERITY_WARNING, to->config->name,
            "Set vm.hugetlb_shm_group to a group of the administrator, or add the user to it",
            "Huge pages are kept on this host, and its administrator %s is not in the group "
            "%" G_GUINT64_FORMAT " that may have them as shared memory",
            to->admin, group);
    return TRUE;
}

const CheckType checks_of_kernel[] = {
    { "tcp-abort-on-overflow", "The kernel lets clients wait when the queue is full", NEEDS_NOTHING,
      look_abort_on_overflow, .worst = SEVERITY_ERROR, .about = "host",
      .source = "net.ipv4.tcp_abort_on_overflow", .remedy = "Set it to 0",
      .repair =
          "Sets net.ipv4.tcp_abort_on_overflow to 0, now and by a file of its own in sysctl.d",
      .mend = mend_abort_on_overflow },
    { "somaxconn", "Many connects can wait in the port's queue", NEEDS_NOTHING, look_somaxconn,
      .worst = SEVERITY_WARNING, .about = "host",
      .source = "net.core.somaxconn, the longest queue of a listening socket",
      .remedy = "Raise it to 65535",
      .repair = "Sets net.core.somaxconn to 65535, now and by a file of its own in sysctl.d",
      .mend = mend_somaxconn },
    { "ephemeral-ports", "The kernel gives the servers' private ports to nobody else", NEEDS_BOTH,
      look_ephemeral, .worst = SEVERITY_WARNING, .about = "instance",
      .source = "net.ipv4.ip_local_port_range and net.ipv4.ip_local_reserved_ports",
      .remedy = "Reserve the port, or set another ServerPort=",
      .repair =
          "Adds the ports to net.ipv4.ip_local_reserved_ports, now and by a file of its own in "
          "sysctl.d",
      .mend = mend_ephemeral },
    { "shared-memory-segment", "The largest database fits into one segment of shared memory",
      NEEDS_FROM, look_segment, "upgrade", .worst = SEVERITY_WARNING, .about = "host",
      .source = "Installation Guide, kernel parameters; kernel.shmmax beside the databases' sizes",
      .remedy = "Raise kernel.shmmax",
      .repair =
          "Sets kernel.shmmax to twice what is needed, now and by a file of its own in sysctl.d",
      .mend = mend_segment },
    { "shared-memory-total", "There may be shared memory for old and new databases", NEEDS_FROM,
      look_total, "upgrade", .worst = SEVERITY_WARNING, .about = "host",
      .source = "Installation Guide, kernel parameters; kernel.shmall beside the databases' sizes",
      .remedy = "Raise kernel.shmall",
      .repair =
          "Sets kernel.shmall to twice what is needed, now and by a file of its own in sysctl.d",
      .mend = mend_total },
    { "shared-memory-segments", "There may be segments for the new databases", NEEDS_NOTHING,
      look_segments, "upgrade", .worst = SEVERITY_WARNING, .about = "host",
      .source = "kernel.shmmni beside /proc/sysvipc/shm", .remedy = "Raise kernel.shmmni to 4096",
      .repair = "Sets kernel.shmmni, now and by a file of its own in sysctl.d",
      .mend = mend_segments },
    { "overcommit", "The kernel promises the memory that the new databases need", NEEDS_FROM,
      look_overcommit, "upgrade", .worst = SEVERITY_WARNING, .about = "host",
      .source = "vm.overcommit_memory; CommitLimit and Committed_AS of /proc/meminfo",
      .remedy = "Add memory or swap, or raise vm.overcommit_ratio" },
    { "huge-pages", "Where huge pages are kept, there are some for the new databases", NEEDS_FROM,
      look_huge_pages, "upgrade", .worst = SEVERITY_WARNING, .about = "host",
      .source = "HugePages_Total and HugePages_Free of /proc/meminfo beside the databases' sizes",
      .remedy = "Raise vm.nr_hugepages for the time of the upgrade" },
    { "huge-pages-group", "Where huge pages are kept, the new administrator may have them",
      NEEDS_NOTHING, look_huge_group, .worst = SEVERITY_WARNING, .about = "instance",
      .source = "Installation Guide, large pages; vm.hugetlb_shm_group",
      .remedy = "Set vm.hugetlb_shm_group to a group of the administrator" },
    { NULL },
};
