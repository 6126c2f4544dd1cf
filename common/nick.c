#include "common/nick.h"

const char *nick_of(NickTable table, int value)
{
    for (int i = 0; table[i]; i++)
        if (i == value)
            return table[i];
    return "unknown";
}

gboolean nick_parse(NickTable table, const char *word, int *ret)
{
    for (int i = 0; table[i]; i++)
        if (g_strcmp0(table[i], word) == 0) {
            *ret = i;
            return TRUE;
        }
    return FALSE;
}

char *nick_list(NickTable table)
{
    return g_strjoinv(", ", (char **)table);
}
