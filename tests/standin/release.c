/* The rows of release.h. Sources are the sections of the facts: banner and dates 3.3, ttStatus 3.2,
 * ttDaemonAdmin 3.1, major rule 3.3.
 */
#include "release.h"

#include <string.h>

static const Family families[] = {
    { .id = FAMILY_60,
      .first = { 6, 0 },
      .major_parts = 2,
      .shown_parts = 3,
      .built = "Fri Mar 16 14:02:11 2007",
      .one_line_down = TRUE,
      .cache_policy = "Oracle agent policy ",
      .daemon_started = "TimesTen Daemon startup OK.",
      .daemon_stopped = "TimesTen Daemon stopped.",
      .copyright = "Copyright (c) 1996-2007, Oracle.  All rights reserved." },
    { .id = FAMILY_70,
      .first = { 7, 0 },
      .major_parts = 2,
      .shown_parts = 5,
      .built = "2010-04-14T09:21:37Z",
      .date_on_next_line = TRUE,
      .machine_version = TRUE,
      .pretty_status = TRUE,
      .shared_mode_line = TRUE,
      .cache_policy = "Cache agent policy  ",
      .daemon_started = "TimesTen Daemon startup OK.",
      .daemon_stopped = "TimesTen Daemon stopped.",
      .copyright = "Copyright (c) 1996-2010, Oracle.  All rights reserved." },
};

gboolean version_parse(const char *text, Version *ret)
{
    Version version = { 0 };
    g_auto(GStrv) parts = g_strsplit(text, ".", -1);
    guint n = g_strv_length(parts);

    if (n < 2 || n > 5)
        return FALSE;
    for (guint i = 0; i < n; i++) {
        guint64 number;

        if (!g_ascii_string_to_unsigned(parts[i], 10, 0, 999, &number, NULL))
            return FALSE;
        version.part[i] = (guint)number;
    }
    *ret = version;
    return TRUE;
}

static int compare_parts(const guint *a, const guint *b, guint n)
{
    for (guint i = 0; i < n; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}

int version_compare(const Version *a, const Version *b)
{
    return compare_parts(a->part, b->part, G_N_ELEMENTS(a->part));
}

/* 11.2.1 and 11.2.2 are different majors; everywhere else the first two parts decide. */
static guint major_parts(const Version *version)
{
    return version->part[0] == 11 ? 3 : 2;
}

int version_compare_major(const Version *a, const Version *b)
{
    return compare_parts(a->part, b->part, MAX(major_parts(a), major_parts(b)));
}

const Family *family_find(const Version *version)
{
    for (guint i = 0; i < G_N_ELEMENTS(families); i++) {
        if (compare_parts(version->part, families[i].first, families[i].major_parts) == 0)
            return &families[i];
    }
    return NULL;
}

char *version_text(const Version *version)
{
    const Family *family = family_find(version);
    guint shown = family ? family->shown_parts : 5;
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < shown; i++)
        g_string_append_printf(text, "%s%u", i ? "." : "", version->part[i]);
    return g_string_free(text, FALSE);
}

/* The order of majors for "current and up to two previous". */
static int major_rank(const Version *version)
{
    static const guint known[][2] = { { 18, 1 }, { 22, 1 }, { 26, 1 } };

    for (guint i = 0; i < G_N_ELEMENTS(known); i++) {
        if (version->part[0] == known[i][0] && version->part[1] == known[i][1])
            return (int)i + 1;
    }
    return version->part[0] == 11 ? (version->part[2] == 2 ? 0 : -1) : -2;
}

const char *version_refuse_client(const Version *client, const Version *server, gboolean compat)
{
    if (version_compare_major(client, server) > 0)
        return "the client is of a newer release than the server";
    if (server->part[0] >= 18 && major_rank(server) - major_rank(client) > 2)
        return "the client is more than two major releases older than the server";
    if (server->part[0] >= 7 && client->part[0] < 6)
        return "a client before 6.0 needs the server of its own release";
    if (server->part[0] >= 7 && client->part[0] < 7 && !compat)
        return "the server does not accept clients before 7.0";
    return NULL;
}
