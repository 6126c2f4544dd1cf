/* Which upgrade is possible by which method (facts 4.1). Each rule is a row with its source. */
#pragma once

#include "timesten/release.h"

typedef enum { METHOD_OFFLINE, METHOD_ONLINE, METHOD_IN_PLACE, N_METHODS } Method;
extern const char *const method_nicks[]; /* "offline", "online", "in-place", NULL */

typedef struct {
    gboolean possible;
    const char *rule;   /* id of the rule that decided, "" where none had to */
    char *reason;       /* why not, with the remedy; NULL where possible */
    const char *source; /* document of the rule */
} RuleAnswer;

/* Never NULL; the first rule that forbids it decides. */
RuleAnswer *rules_ask(Method method, const Release *from, const Release *to);
/* The same of the way back to an older release that served before. */
RuleAnswer *rules_ask_back(Method method, const Release *from, const Release *to);
/* FALSE: no method of the releases' own, such as "auto". */
gboolean rules_find_method(const char *nick, Method *ret);
void rule_answer_free(RuleAnswer *answer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RuleAnswer, rule_answer_free)

/* The first release that refuses older ones unless told otherwise, for messages. */
#define RULES_COMPAT_RELEASE "7.0"
/* Whether clients of the old release need -insecure-backwards-compat on the new daemon:
 * from < 7.0 <= to (facts 2.2). */
gboolean rules_need_backwards_compat(const Release *from, const Release *to);
