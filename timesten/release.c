#include "timesten/release.h"
#include "timesten/belief.h"
#include "common/error.h"

#define PATH .kind = ERA_PATH, .options_file = "ttendaemon.options", .odbc_ini = "info/sys.odbc.ini"
#define ENVIRONMENT                                                                                \
    .kind = ERA_ENVIRONMENT, .options_file = "conf/timesten.conf", .odbc_ini = "conf/sys.odbc.ini"
#define PORTS(daemon, server) .daemon_port = daemon, .server_port = server
#define CLOSES                .can_close = TRUE, .can_modify = TRUE
#define NO_REP                .unreplicated = BELIEF_MIGRATE_OPTION_OLD
#define RELAXED               .unreplicated = BELIEF_MIGRATE_OPTION_NEW

/* Newest last. Tags as in the facts: D documented, S seen, R recalled, I inferred, G guessed. The
 * daemon and server ports are conventions of the installers and stand for nothing more (facts 1.4):
 * 15101, 15103, 16001, 17001, 53388 and 53397 are R. An instance's own files always win over them.
 */
/* clang-format off */
static const Era eras[] = {
    { { 5, 1 }, "5.1", PATH, .major_parts = 2, PORTS(15101, 15103), NO_REP },
    { { 6, 0 }, "6.0", PATH, .major_parts = 2, PORTS(16001, 16003), NO_REP },
    { { 7, 0 }, "7.0", PATH, .major_parts = 2, PORTS(17001, 17003), NO_REP },
    { { 11, 2 }, "11.2.1", PATH, .major_parts = 3, PORTS(53388, 53389), NO_REP },
    { { 11, 2, 2 }, "11.2.2", PATH, .major_parts = 3, PORTS(53396, 53397), RELAXED },
    { { 18, 1 }, "18.1", ENVIRONMENT, .major_parts = 2, PORTS(6624, 6625), RELAXED, CLOSES },
    { { 22, 1 }, "22.1", ENVIRONMENT, .major_parts = 2, PORTS(6624, 6625), RELAXED, CLOSES },
    { { 26, 1 }, "26.1", ENVIRONMENT, .major_parts = 2, PORTS(6624, 6625), RELAXED, CLOSES },
};
/* clang-format on */

static gboolean wrong_release(GError **error, const char *text)
{
    g_autofree char *shown = g_utf8_make_valid(text ? text : "", -1);

    g_set_error(
        error, TU_ERROR, TU_ERROR_INVALID_CONFIGURATION,
        "\"%.40s\" is no TimesTen release. Write two to five numbers with dots between them, "
        "such as 7.0.6",
        shown);
    return FALSE;
}

gboolean release_parse(const char *text, Release *ret, GError **error)
{
    Release release = { 0 };
    const char *p = text;

    while (p) {
        gsize digits = strspn(p, G_CSET_DIGITS);
        guint64 number = g_ascii_strtoull(p, NULL, 10);

        /* Releases before 7.0 have three parts, and their programs may print the last two as one
         * number: "6.01" is 6.0.1. */
        if (belief_is_so(BELIEF_RELEASE_TWO_DIGITS) && release.parts == 1 && release.part[0] < 7 && digits == 2 && p[0] == '0')
            release.parts++;
        if (digits == 0 || digits > 5 || release.parts == G_N_ELEMENTS(release.part))
            return wrong_release(error, text);
        release.part[release.parts++] = number;
        p += digits;
        if (!*p)
            break;
        if (*p++ != '.')
            return wrong_release(error, text);
    }
    if (release.parts < 2 || release.part[0] == 0)
        return wrong_release(error, text);
    *ret = release;
    return TRUE;
}

static char *format_parts(const Release *release, guint parts)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < MIN(parts, G_N_ELEMENTS(release->part)); i++)
        g_string_append_printf(text, "%s%u", i ? "." : "", release->part[i]);
    return g_string_free(text, FALSE);
}

char *release_format(const Release *release)
{
    return format_parts(release, release->parts);
}

static int compare_parts(const Release *a, const guint *b, guint parts)
{
    for (guint i = 0; i < parts; i++)
        if (a->part[i] != b[i])
            return a->part[i] < b[i] ? -1 : 1;
    return 0;
}

int release_compare(const Release *a, const Release *b)
{
    return compare_parts(a, b->part, G_N_ELEMENTS(b->part));
}

void release_of_kind(EraKind kind, Release *ret)
{
    *ret = kind == ERA_ENVIRONMENT ? (Release){ { 18, 1 }, 2 } : (Release){ { 6, 0 }, 2 };
}

const Era *release_era(const Release *release)
{
    for (guint i = G_N_ELEMENTS(eras); i-- > 1;)
        if (compare_parts(release, eras[i].from, G_N_ELEMENTS(eras[i].from)) >= 0)
            return &eras[i];
    return &eras[0];
}

char *release_of_installation(const char *path)
{
    g_autofree char *last = g_path_get_basename(path);
    Release release;

    return g_str_has_prefix(last, "tt") && release_parse(last + 2, &release, NULL)
               ? g_strdup(last + 2)
               : NULL;
}

gboolean release_same_major(const Release *a, const Release *b)
{
    guint parts = release_era(a)->major_parts;

    return parts == release_era(b)->major_parts && compare_parts(a, b->part, parts) == 0;
}

char *release_major(const Release *release)
{
    return format_parts(release, release_era(release)->major_parts);
}
