/* What the site says of TimesTen in facts.d: a job must not begin where a part of that cannot be
 * read. */
#include "job/check.h"
#include "timesten/belief.h"

/* Read anew: the files may have been mended since this program began. */
static gboolean look_facts(Check *check, GError **error)
{
    g_auto(GStrv) problems = belief_load();

    for (guint i = 0; problems[i]; i++)
        check_found(check, SEVERITY_ERROR, "facts.d", "Mend the file; ttctl facts shows what holds",
                    "%s", problems[i]);
    for (guint i = 0; i < N_BELIEFS; i++)
        if (belief_override(i))
            check_found(check, SEVERITY_INFO, beliefs[i].name, NULL, "%s says %s instead of %s",
                        belief_override(i), belief_value(i), beliefs[i].value);
    return TRUE;
}

const CheckType checks_of_facts[] = {
    { "facts", "What files of the site say of TimesTen can be read", NEEDS_NOTHING, look_facts,
      .worst = SEVERITY_ERROR, .about = "host",
      .source = "The files in /etc/timesten-upgrade/facts.d, timesten-upgrade-facts(5)",
      .remedy = "Mend the file that is named, as ttctl facts tells",
      .kept = "what is done to the databases depends on them" },
    { NULL },
};
