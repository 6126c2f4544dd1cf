#include "timesten/rules.h"

const char *const method_nicks[] = { "offline", "online", "in-place", NULL };
G_STATIC_ASSERT(G_N_ELEMENTS(method_nicks) == N_METHODS + 1);

/* What the two releases are to each other. */
typedef struct {
    const Release *from;
    const Release *to;
    gboolean same;  /* no difference at all */
    gboolean older; /* to < from */
    gboolean same_major;
} Pair;

static const Release release_6_0 = { { 6, 0 }, 2 };
static const Release release_7_0 = { { 7, 0 }, 2 };
static const Release release_11_2_2 = { { 11, 2, 2 }, 3 };
static const Release release_11_2_2_8_27 = { { 11, 2, 2, 8, 27 }, 5 };
static const Release release_18_1 = { { 18, 1 }, 2 };
static const Release release_18_1_4_54 = { { 18, 1, 4, 54 }, 4 };
static const Release release_22_1 = { { 22, 1 }, 2 };
static const Release release_22_1_1_36 = { { 22, 1, 1, 36 }, 4 };
static const Release release_26_1 = { { 26, 1 }, 2 };
static const Release release_26_1_1_1 = { { 26, 1, 1, 1 }, 4 };

static gboolean is_same(const Pair *pair)
{
    return pair->same;
}

static gboolean is_older(const Pair *pair)
{
    return pair->older;
}

static gboolean crosses_major(const Pair *pair)
{
    return !pair->same_major;
}

static gboolean comes_from_before_6_0(const Pair *pair)
{
    return release_compare(pair->from, &release_6_0) < 0;
}

static gboolean comes_from_early_11_2_2(const Pair *pair)
{
    return release_compare(pair->from, &release_11_2_2) >= 0 &&
           release_compare(pair->from, &release_11_2_2_8_27) < 0 &&
           release_compare(pair->to, &release_18_1) >= 0;
}

static gboolean hashes_passwords_unlike_26_1(const Pair *pair)
{
    const Release *least =
        release_compare(pair->from, &release_22_1) >= 0 ? &release_22_1_1_36 : &release_18_1_4_54;

    return release_compare(pair->to, &release_26_1) >= 0 &&
           (release_compare(pair->from, least) < 0 ||
            release_compare(pair->to, &release_26_1_1_1) < 0);
}

#define ALL ((1 << METHOD_OFFLINE) | (1 << METHOD_ONLINE) | (1 << METHOD_IN_PLACE))

/* The first row that forbids decides; a pair that none forbids is possible. */
static const struct {
    const char *id;
    guint methods;
    gboolean way_back; /* it is no reason against going back to where one was */
    gboolean (*forbids)(const Pair *pair);
    const char *reason; /* begins after "FROM to TO: "; with the remedy */
    const char *source;
} rows[] = {
    { "same-release", ALL, TRUE, is_same,
      "both instances are of the same release, so there is nothing to upgrade. Name an instance "
      "of a newer release as the target",
      "Installation Guide 7.0 p. 87" },
    /* D for restoring into an older 18.1+ release; nothing of the kind is known before (facts 4.1),
     * and refusing it everywhere is this project's choice: a rollback is the way back. */
    { "downgrade", ALL, TRUE, is_older,
      "the target is older than the release that serves now. Roll the upgrade back instead, or "
      "name an instance of a newer release as the target",
      "Installation, Migration, and Upgrade Guide 22.1" },
    { "in-place-other-major", 1 << METHOD_IN_PLACE, FALSE, crosses_major,
      "the database files of one major release cannot be opened by another. Use the method offline",
      "Installation Guide 7.0 p. 93; Installation, Migration, and Upgrade Guide 22.1" },
    { "online-before-6.0", 1 << METHOD_ONLINE, FALSE, comes_from_before_6_0,
      "the online upgrade of a server is described for release 6.0 and later only. Use the "
      "method offline",
      "Installation Guide 7.0 p. 114" },
    { "online-11.2.2-patch", 1 << METHOD_ONLINE, FALSE, comes_from_early_11_2_2,
      "an online upgrade to 18.1 or later needs 11.2.2.8.27 or later as its source. Patch the old "
      "release to 11.2.2.8.27 first, or use the method offline",
      "TimesTen 11.2.2 documentation, home page" },
    { "online-26.1-patch", 1 << METHOD_ONLINE, FALSE, hashes_passwords_unlike_26_1,
      "replication with 26.1 needs 18.1.4.54, 22.1.1.36 or a later patch as its source and "
      "26.1.1.1 or later as its target. Patch them first, or use the method offline",
      "Replication Guide 26.1" },
};

static RuleAnswer *ask(Method method, const Release *from, const Release *to, gboolean back)
{
    int order = release_compare(to, from);
    Pair pair = { from, to, order == 0, order < 0, release_same_major(from, to) };
    RuleAnswer *answer = g_new0(RuleAnswer, 1);

    *answer = (RuleAnswer){ .possible = TRUE, .rule = "", .source = "" };
    for (guint i = 0; i < G_N_ELEMENTS(rows) && answer->possible; i++) {
        g_autofree char *old = NULL, *new = NULL;

        if (!(rows[i].methods & (1 << method)) || (back && rows[i].way_back) ||
            !rows[i].forbids(&pair))
            continue;
        old = release_format(from);
        new = release_format(to);
        *answer = (RuleAnswer){
            .possible = FALSE,
            .rule = rows[i].id,
            .reason = g_strdup_printf("%s to %s, method %s: %s", old, new, method_nicks[method],
                                      rows[i].reason),
            .source = rows[i].source,
        };
    }
    return answer;
}

RuleAnswer *rules_ask(Method method, const Release *from, const Release *to)
{
    return ask(method, from, to, FALSE);
}

RuleAnswer *rules_ask_back(Method method, const Release *from, const Release *to)
{
    return ask(method, from, to, TRUE);
}

gboolean rules_find_method(const char *nick, Method *ret)
{
    for (guint i = 0; i < N_METHODS; i++)
        if (g_str_equal(method_nicks[i], nick)) {
            *ret = i;
            return TRUE;
        }
    return FALSE;
}

void rule_answer_free(RuleAnswer *answer)
{
    if (!answer)
        return;
    g_free(answer->reason);
    g_free(answer);
}

gboolean rules_need_backwards_compat(const Release *from, const Release *to)
{
    return release_compare(from, &release_7_0) < 0 && release_compare(to, &release_7_0) >= 0;
}
