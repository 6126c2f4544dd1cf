/* info/upgrade.json of an installation (18.1 and later): from which release to which there is a way,
 * and whether there is one back (facts 4.1, S; the text around it is R). Text in, an answer out. */
#pragma once

#include "timesten/release.h"

typedef enum { INVERSE_UNTOLD, INVERSE_YES, INVERSE_NO } Inverse;

/* What the list says of the way back from TO to the older FROM; what cannot be read tells nothing. */
Inverse upgrades_inverse(const char *json, const Release *from, const Release *to);
/* Its path in an installation, or below an instance's home; g_free(). */
char *upgrades_path(const char *installation, const char *home);
