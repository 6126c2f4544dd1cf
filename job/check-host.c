/* Checks of the host: memory, and whether the limits fit the estimate. */
#include "job/check.h"
#include "job/host.h"
#include "common/text.h"

guint64 check_data_bytes(const Job *job)
{
    guint64 bytes = 0;

    for (char **dsn = job->server->databases; *dsn; dsn++) {
        const DatabaseFacts *facts = facts_find_database(job->from.facts, *dsn);

        bytes += facts ? facts->size : 0;
    }
    return bytes;
}

static gboolean look_memory(Check *check, GError **error)
{
    guint64 available, needed = check_data_bytes(check->job);

    if (job_in_place(check->job) || !host_memory("MemAvailable", &available))
        return TRUE;
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
