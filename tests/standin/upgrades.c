/* info/upgrade.json of an installation: which releases may be upgraded to it and how (facts 4.1;
 * schema 2). What rows look like inside is known, which rows there are is not: the releases here
 * are those that tests use.
 */
#include <stdio.h>

#include "release.h"

static const Version releases[] = {
    { { 11, 2, 2, 8, 0 } },  { { 11, 2, 2, 8, 27 } }, { { 18, 1, 3, 1, 0 } },
    { { 18, 1, 4, 1, 0 } },  { { 18, 1, 4, 21, 0 } }, { { 22, 1, 1, 1, 0 } },
    { { 22, 1, 1, 18, 0 } }, { { 22, 1, 1, 27, 0 } },
};

/* Back from the newer release to the older one by way of replication: not into another selection of
 * instances, and not before 18.1.4. */
static gboolean has_inverse(const Version *from)
{
    static const Version first = { { 18, 1, 4 } };

    return version_compare(from, &first) >= 0;
}

static void print_row(const Version *from, const Version *to, gboolean first)
{
    g_autofree char *old = version_text(from);
    g_autofree char *new = version_text(to);
    gboolean online = version_refuse_peer(to, from) == NULL;

    printf("%s    {\n      \"from\": \"%s\",\n      \"to\": \"%s\",\n"
           "      \"classic\": {\n        \"offline\": true",
           first ? "" : ",\n", old, new);
    if (online)
        printf(",\n        \"online\": { \"inverse\": %s }", has_inverse(from) ? "true" : "false");
    printf("\n      },\n      \"scaleout\": { \"offline\": %s }\n    }",
           from->part[0] >= 18 ? "true" : "false");
}

int upgrades_print(const Version *to)
{
    gboolean first = TRUE;

    fputs("{\n  \"schemaVersion\": 2,\n  \"validUpgrades\": [\n", stdout);
    for (guint i = 0; i < G_N_ELEMENTS(releases); i++) {
        if (version_compare(&releases[i], to) >= 0)
            continue;
        print_row(&releases[i], to, first);
        first = FALSE;
    }
    fputs("\n  ]\n}\n", stdout);
    return 0;
}
