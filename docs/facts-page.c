/* facts-page TEMPLATE: prints timesten-upgrade-facts(5), the rows of the table of facts in place of
 * the template's line '.\" facts', those of the types in place of '.\" types'. Run by the build. */
#include "common/file.h"
#include "timesten/belief.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text as roff shows it: no line begins with a control character, and '-' stays one. */
static void put(const char *text)
{
    if (strchr(".'", text[0]))
        fputs("\\&", stdout);
    for (; *text; text++)
        switch (*text) {
        case '-':
            fputs("\\-", stdout);
            break;
        case '\\':
            fputs("\\e", stdout);
            break;
        case '"':
            fputs("\\(dq", stdout);
            break;
        default:
            fputc(*text, stdout);
        }
}

static void put_facts(void)
{
    for (guint i = 0; i < N_BELIEFS; i++) {
        const Belief *row = &beliefs[i];

        fputs(".TP\n.BI ", stdout);
        put(row->name);
        fputs("= \"", stdout);
        put(row->value);
        printf("\"\n%c, %s.\n", row->tag, belief_type_nicks[row->type]);
        put(row->meaning);
        fputs(".\n.br\n", stdout);
        put(row->source);
        fputs(".\n", stdout);
    }
}

static void put_types(void)
{
    for (guint i = 0; i < N_BELIEF_TYPES; i++) {
        printf(".TP\n.B %s\n", belief_type_nicks[i]);
        put(belief_type_meanings[i]);
        fputs(".\n", stdout);
    }
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = argc == 2 ? file_read(argv[1], 1024 * 1024, NULL, &error) : NULL;
    g_auto(GStrv) lines = text ? g_strsplit(text, "\n", -1) : NULL;

    for (guint i = 0; lines && lines[i]; i++)
        if (g_str_equal(lines[i], ".\\\" facts"))
            put_facts();
        else if (g_str_equal(lines[i], ".\\\" types"))
            put_types();
        else if (lines[i][0])
            puts(lines[i]);
    if (!text)
        fprintf(stderr, "facts-page: %s\n", error ? error->message : "give the template");
    return text ? EXIT_SUCCESS : EXIT_FAILURE;
}
