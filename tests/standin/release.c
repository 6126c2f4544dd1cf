/* The rows of release.h. Sources are the sections of the facts: ports 1.4, banner and dates 3.3,
 * ttStatus 3.2, ttDaemonAdmin 3.1, major rule 3.3. What is recalled or guessed: README.md.
 */
#include "release.h"

#include <string.h>

#define PLAIN_DAEMON                                                                               \
    .daemon_started = "TimesTen Daemon startup OK.", .daemon_stopped = "TimesTen Daemon stopped.", \
    .server_started = "TimesTen Server started.", .server_stopped = "TimesTen Server stopped.",    \
    .daemon_running = "TimesTen Daemon is already running (PID: {pid})",                           \
    .daemon_missing = "TimesTen Daemon is not running",                                            \
    .stale_pid = "the file {file} exists (PID: {pid}). If the TimesTen Daemon is not running, "    \
                 "use -force"

/* 11.2 may say more than one line (facts 3.1); which ones is G. */
#define TALKATIVE_DAEMON                                                                           \
    .daemon_started = "TimesTen Daemon startup OK.",                                               \
    .daemon_stopped = "TimesTen Daemon stopped.\nAll sub-daemons and agents have ended.",          \
    .server_started = "TimesTen Server started.", .server_stopped = "TimesTen Server stopped.",    \
    .daemon_running = "TimesTen Daemon (PID: {pid}) is already running.",                          \
    .daemon_missing = "TimesTen Daemon is not running.",                                           \
    .stale_pid = "Daemon pid file {file} (PID: {pid}) exists. Use -force to start the TimesTen "   \
                 "Daemon all the same."

#define NUMBERED_DAEMON                                                                            \
    .daemon_started = "TimesTen Daemon (PID: {pid}, port: {port}) startup OK.",                    \
    .daemon_stopped = "TimesTen Daemon (PID: {pid}, port: {port}) stopped.",                       \
    .server_started = "TimesTen Server (PID: {pid}, port: {port}) started.",                       \
    .server_stopped = "TimesTen Server (PID: {pid}, port: {port}) stopped.",                       \
    .daemon_running = "TimesTen Daemon (PID: {pid}, port: {port}) is already running.",            \
    .daemon_missing = "TimesTen Daemon is not running.",                                           \
    .stale_pid = "Daemon pid file {file} (PID: {pid}) exists. Use -force to start the TimesTen "   \
                 "Daemon all the same."

#define ENVIRONMENT                                                                                \
    .selection = SELECTED_BY_ENVIRONMENT, .daemon_port = 6624, .server_port = 6625,                \
    .new_attributes = TRUE, .store_header = TRUE, .closable = TRUE, .server_force = TRUE,          \
    .reads_newer = TRUE, NUMBERED_DAEMON

/* From 11.2.1 on. */
#define WITH_USERS                                                                                 \
    .machine_version = TRUE, .notes = notes_group, .pretty_status = TRUE, .wide_contexts = TRUE,   \
    .plsql = TRUE, .cache_policy = "Cache Agent policy  ",                                         \
    .driver = "TimesTen {release} ODBC Driver", .relaxed_save = TRUE, .users = TRUE

#define HOMES                                                                                      \
    "Instance admin: {admin}", "Instance home directory: {home}",                                  \
        "Daemon home directory: {daemonhome}"

static const char *const notes_old[] = { HOMES, NULL };
static const char *const notes_70[] = { HOMES, "Access control disabled.", NULL };
static const char *const notes_group[] = {
    "Instance admin: {admin}", "Instance home directory: {home}",
    "Group owner: {group}",    "Daemon home directory: {daemonhome}",
    "PL/SQL enabled.",         NULL
};

static const Family families[] = {
    { .id = FAMILY_51,
      .first = { 5, 1 },
      .major_parts = 2,
      .shown_parts = 3,
      .daemon_port = 15101,
      .server_port = 15103,
      .copyright = "Copyright (c) 1996-2005, TimesTen, Inc.  All rights reserved.",
      .built = "Wed Feb 23 10:47:52 2005",
      .notes = notes_old,
      .one_line_down = TRUE,
      .memory_key = "KEY",
      .cache_policy = "Oracle agent policy ",
      .driver = "TimesTen ODBC Driver",
      PLAIN_DAEMON },
    { .id = FAMILY_60,
      .first = { 6, 0 },
      .major_parts = 2,
      .shown_parts = 3,
      .daemon_port = 16001,
      .server_port = 16003,
      .copyright = "Copyright (c) 1996-2007, Oracle.  All rights reserved.",
      .built = "Fri Mar 16 14:02:11 2007",
      .notes = notes_old,
      .one_line_down = TRUE,
      .memory_key = "KEY",
      .cache_policy = "Oracle agent policy ",
      .web_server = TRUE,
      .driver = "TimesTen ODBC Driver",
      PLAIN_DAEMON },
    { .id = FAMILY_70,
      .first = { 7, 0 },
      .major_parts = 2,
      .shown_parts = 5,
      .daemon_port = 17001,
      .server_port = 17003,
      .copyright = "Copyright (c) 1996-2010, Oracle.  All rights reserved.",
      .built = "2010-04-14T09:21:37Z",
      .date_on_next_line = TRUE,
      .machine_version = TRUE,
      .notes = notes_70,
      .pretty_status = TRUE,
      .shared_mode_line = TRUE,
      .memory_key = "KEY",
      .cache_policy = "Cache agent policy  ",
      .web_server = TRUE,
      .driver = "TimesTen ODBC Driver",
      .relaxed_save = TRUE,
      PLAIN_DAEMON },
    { .id = FAMILY_1121,
      .first = { 11, 2, 1 },
      .major_parts = 3,
      .shown_parts = 5,
      .daemon_port = 53388,
      .server_port = 53389,
      .copyright = "Copyright (c) 1996-2011, Oracle.  All rights reserved.",
      .built = "2011-05-12T05:30:20Z",
      .memory_key = "KEY",
      TALKATIVE_DAEMON,
      WITH_USERS },
    { .id = FAMILY_1122,
      .first = { 11, 2, 2 },
      .major_parts = 3,
      .shown_parts = 5,
      .daemon_port = 53396,
      .server_port = 53397,
      .copyright = "Copyright (c) 1996-2014, Oracle and/or its affiliates. All rights reserved.",
      .built = "2014-10-14T21:16:42Z",
      .memory_key = "KEY",
      TALKATIVE_DAEMON,
      WITH_USERS },
    { .id = FAMILY_181,
      .first = { 18, 1 },
      .major_parts = 2,
      .shown_parts = 5,
      .copyright = "Copyright (c) 1996-2019, Oracle and/or its affiliates. All rights reserved.",
      .built = "2019-12-11T22:04:17Z",
      .memory_key = "KEY",
      ENVIRONMENT,
      WITH_USERS },
    { .id = FAMILY_221,
      .first = { 22, 1 },
      .major_parts = 2,
      .shown_parts = 5,
      .copyright = "Copyright (c) 1996, 2023, Oracle and/or its affiliates. All rights reserved.",
      .built = "2023-09-07T15:13:39Z",
      .memory_key = "Key",
      ENVIRONMENT,
      WITH_USERS },
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

char *wording(const char *text, ...)
{
    GString *words = g_string_new(text);
    const char *name;
    va_list values;

    va_start(values, text);
    while ((name = va_arg(values, const char *))) {
        g_autofree char *mark = g_strdup_printf("{%s}", name);

        g_string_replace(words, mark, va_arg(values, const char *), 0);
    }
    va_end(values);
    return g_string_free(words, FALSE);
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

gboolean version_reads_file(const Version *reader, const Version *writer)
{
    const Family *mine = family_find(reader);
    const Family *other = family_find(writer);

    return version_compare_major(writer, reader) <= 0 ||
           (mine && other && mine->reads_newer && other->selection == mine->selection);
}

const char *version_refuse_peer(const Version *mine, const Version *peer)
{
    static const Version first_ready = { { 11, 2, 2, 8, 27 } };
    gboolean mine_older = version_compare(mine, peer) < 0;
    const Version *older = mine_older ? mine : peer;
    const Version *newer = mine_older ? peer : mine;

    if (newer->part[0] >= 18 && older->part[0] < 18 && version_compare(older, &first_ready) < 0)
        return "18.1 and later replicate with 11.2.2.8.27 and later";
    return NULL;
}
