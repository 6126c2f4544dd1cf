/* Checks of the host: kernel settings, memory, and whether the limits fit the estimate. */
#include "job/check.h"
#include "common/file.h"
#include "common/text.h"

#define QUEUE_WANTED 1024 /* waiting connects that a hold should be able to keep */

/* A number from /proc; FALSE where it cannot be read (an old kernel has no such setting). */
static gboolean kernel_number(const char *path, guint64 *ret)
{
    gboolean missing;
    g_autofree char *text = file_read(path, 256, &missing, NULL);

    return text && text_parse_uint64(g_strchomp(text), 0, G_MAXUINT64, ret);
}

static gboolean look_abort_on_overflow(Check *check, GError **error)
{
    guint64 value;

    if (kernel_number("/proc/sys/net/ipv4/tcp_abort_on_overflow", &value) && value != 0)
        check_found(
            check, SEVERITY_ERROR, "net.ipv4.tcp_abort_on_overflow",
            "sysctl net.ipv4.tcp_abort_on_overflow=0",
            "The kernel resets clients when the queue is full instead of letting them wait");
    return TRUE;
}

static gboolean look_somaxconn(Check *check, GError **error)
{
    guint64 value;

    if (kernel_number("/proc/sys/net/core/somaxconn", &value) && value < QUEUE_WANTED)
        check_found(check, SEVERITY_WARNING, "net.core.somaxconn",
                    "sysctl net.core.somaxconn=65535",
                    "Only %" G_GUINT64_FORMAT " connects can wait in the port's queue", value);
    return TRUE;
}

static gboolean look_memory(Check *check, GError **error)
{
    g_autofree char *text = file_read("/proc/meminfo", 65536, NULL, error);
    const char *line = text ? strstr(text, "MemAvailable:") : NULL;
    guint64 available, needed = 0;

    if (!text)
        return FALSE;
    if (!line || job_in_place(check->job))
        return TRUE;
    available = g_ascii_strtoull(line + strlen("MemAvailable:"), NULL, 10) * 1024;
    for (char **dsn = check->job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(check->job->from.facts, *dsn);

        needed += facts ? facts->size : 0;
    }
    if (needed > available) {
        g_autofree char *need_text = text_bytes(needed);
        g_autofree char *have_text = text_bytes(available);

        check_found(check, SEVERITY_WARNING, "memory",
                    "Free memory: old and new databases are loaded at the same time",
                    "The new databases need about %s of memory, %s are available", need_text,
                    have_text);
    }
    return TRUE;
}

static gboolean look_hold_limit(Check *check, GError **error)
{
    const Job *job = check->job;
    guint64 estimate = plan_outage_usec(check->plan, job);

    if (estimate > job->options.hold_limit_usec) {
        g_autofree char *limit = text_timespan(job->options.hold_limit_usec);
        g_autofree char *expected = text_timespan(estimate);

        check_found(
            check, SEVERITY_WARNING, job->server->name,
            "Raise HoldLimitSec= (clients give up by their own time-outs, usually 10 to 60 s), or "
            "accept refusals",
            "Connects wait for at most %s, but the server will be away for about %s: after that "
            "they are refused",
            limit, expected);
    }
    return TRUE;
}

static gboolean look_outage_limit(Check *check, GError **error)
{
    const Job *job = check->job;
    guint64 estimate = plan_outage_usec(check->plan, job);

    if (job->options.outage_limit_usec != USEC_NEVER && estimate > job->options.outage_limit_usec) {
        g_autofree char *limit = text_timespan(job->options.outage_limit_usec);
        g_autofree char *expected = text_timespan(estimate);

        check_found(check, SEVERITY_WARNING, job->server->name, "Raise OutageLimitSec=",
                    "The job undoes itself after %s, but the server will be away for about %s",
                    limit, expected);
    }
    return TRUE;
}

const CheckType checks_of_host[] = {
    { "tcp-abort-on-overflow", "The kernel lets clients wait when the queue is full", NEEDS_NOTHING,
      look_abort_on_overflow, .worst = SEVERITY_ERROR, .about = "host",
      .source = "net.ipv4.tcp_abort_on_overflow", .remedy = "Set it to 0" },
    { "somaxconn", "Many connects can wait in the port's queue", NEEDS_NOTHING, look_somaxconn,
      .worst = SEVERITY_WARNING, .about = "host",
      .source = "net.core.somaxconn, the longest queue of a listening socket",
      .remedy = "Raise it to 65535" },
    { "memory", "There is memory for old and new databases together", NEEDS_FROM, look_memory,
      "upgrade", .worst = SEVERITY_WARNING, .about = "host",
      .source = "Installation Guide, twice the memory on one host; MemAvailable of /proc/meminfo",
      .remedy = "Free memory" },
    { "hold-limit", "The hold limit is longer than the estimate", NEEDS_BOTH, look_hold_limit,
      .worst = SEVERITY_WARNING, .about = "server",
      .source = "HoldLimitSec= beside the estimates of the plan",
      .remedy = "Raise HoldLimitSec=, or accept refusals" },
    { "outage-limit", "The outage limit is longer than the estimate", NEEDS_BOTH, look_outage_limit,
      .worst = SEVERITY_WARNING, .about = "server",
      .source = "OutageLimitSec= beside the estimates of the plan",
      .remedy = "Raise OutageLimitSec=" },
    { NULL },
};
