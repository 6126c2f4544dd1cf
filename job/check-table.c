/* All checks in one table, in the order of the manual: read by the manual's generator, and by the
 * tests. What is run for a job check.c says. */
#include "job/check.h"

/* Not looked at by a row's function: check_run() says it where an installation cannot be read. */
const CheckType checks_of_reading[] = {
    { "installation-readable", "Both installations can be read", NEEDS_NOTHING, NULL,
      .worst = SEVERITY_ERROR, .about = "instance",
      .source = "ttVersion -m, the option file and sys.odbc.ini, read as the administrator",
      .remedy = "Correct Home=, Admin= or Release= in the instance's file",
      .kept = "nothing else can be looked at without it" },
    { NULL },
};

const CheckTable check_tables[] = {
    { "What a site says of TimesTen", checks_of_facts, "upgrade,rollback,clean,confirm,adopt",
      .skips = TRUE },
    { "The installations", checks_of_reading, "upgrade,rollback,clean,confirm,adopt",
      .skips = TRUE },
    { "The two instances", checks_of_instances, "upgrade,rollback", .skips = TRUE },
    { "The databases", checks_of_databases, "upgrade,rollback", .skips = TRUE },
    { "New databases beside the old ones", checks_of_copies, "upgrade", .skips = TRUE },
    { "The method in place", checks_of_in_place, "upgrade,rollback", "in-place", .skips = TRUE },
    { "The host", checks_of_host, "upgrade,rollback", .skips = TRUE },
    { "The kernel", checks_of_kernel, "upgrade,rollback", .skips = TRUE },
    { "Units, files and the clock", checks_of_system, "upgrade,rollback", .skips = TRUE },
    { "A way back", checks_of_rollback, "rollback", .skips = TRUE },
    { "The method online", checks_of_online, "upgrade,rollback", .skips = TRUE },
    { "A peer on another host", checks_of_peer, "upgrade", "peer", .skips = TRUE },
    { "A confirmation", checks_of_confirm, "confirm" },
    { "A clean", checks_of_clean, "clean" },
    { "An adoption", checks_of_adopt, "adopt" },
    { NULL },
};

const char *check_id(const char *word)
{
    for (const CheckTable *table = check_tables; table->title; table++)
        for (const CheckType *row = table->rows; row->id; row++)
            if (g_str_equal(row->id, word))
                return row->id;
    return NULL;
}
