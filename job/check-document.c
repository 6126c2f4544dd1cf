/* Turns the table of checks into what is built from it: `check-document page` prints the manual
 * page, `check-document rows` the daemon's copy. It runs while the product is built and is not
 * installed. */
#include "job/check.h"

#include <stdio.h>
#include <stdlib.h>

/* --- the manual's page --------------------------------------------------------------------------
 */

static const char head[] =
    "'\\\" t\n"
    ".\\\" Made of the table of checks by job/check-document.c.\n"
    ".TH TIMESTEN-CHECKS 7 \"\" \"timesten-upgrade\"\n"
    ".SH NAME\n"
    "timesten\\-checks \\- what is looked at before a TimesTen Server is upgraded\n"
    ".SH DESCRIPTION\n"
    "Before anything is changed, and again as the first step of a job, timesten-upgrade looks "
    "whether\n"
    "the change can be made.\n"
    "Each check has an id, which is the same in every release.\n"
    "It finds nothing, or\n"
    ".BR error s,\n"
    "with which the job is refused,\n"
    ".BR warning s\n"
    "or an\n"
    ".BR info ,\n"
    "each about one subject and with a remedy.\n"
    ".PP\n"
    ".B ttctl check SERVER TARGET\n"
    "runs the checks of an upgrade and changes nothing;\n"
    ".B ttctl check \\-\\-list\n"
    "prints this table.\n"
    "A check whose needs are not there (as an installation that cannot be read) is not run, "
    "because\n"
    "another one has said so already.\n"
    "One that is not for this kind of job or method is not run either.\n"
    ".PP\n"
    ".B \\-\\-only=ID,ID\n"
    "runs the named ones alone,\n"
    ".B \\-\\-skip=ID,ID\n"
    "leaves them out, in\n"
    ".BR \"ttctl check\" \", \" \"plan\" \", \" \"upgrade\" \" and \" rollback ,\n"
    "and then in the job, too.\n"
    ".B ttctl check \\-\\-fix\n"
    "does what stands below as\n"
    ".IR Repair ,\n"
    "after it has shown it.\n"
    "A check that keeps rows from being lost, or without which the job cannot work, is never skipped.\n"
    ".SH CHECKS\n"
    "Below, the word behind an id is the worst that the check can find.\n";

static const char tail[] = ".SH SEE ALSO\n"
                           ".BR ttctl (1),\n"
                           ".BR timesten\\-upgrade (7),\n"
                           ".BR timesten\\-upgrade.conf (5),\n"
                           ".BR org.timesten.Upgrade1 (5)\n";

/* As a line of running text. */
static void put_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++)
        switch (*text) {
        case '\\':
            fputs("\\e", stdout);
            break;
        case '-':
            fputs("\\-", stdout);
            break;
        default:
            putchar(*text);
        }
}

static void put_item(const char *lead, const char *text)
{
    if (!text)
        return;
    printf(".br\n.I %s:\n", lead);
    put_text(text);
    puts(".");
}

static const char *kinds_of(const CheckTable *table, const CheckType *row)
{
    return row->only ? row->only : table->kinds;
}

static const char *method_of(const CheckTable *table, const CheckType *row)
{
    return row->method ? row->method : table->method;
}

static const char *kept_of(const CheckTable *table, const CheckType *row)
{
    return table->skips ? row->kept : "only an upgrade or a rollback can be told to skip a check";
}

static char *scope_of(const CheckTable *table, const CheckType *row)
{
    const char *method = method_of(table, row);
    g_auto(GStrv) kinds = g_strsplit(kinds_of(table, row), ",", -1);
    g_autofree char *list = g_strjoinv(", ", kinds);

    return method ? g_strdup_printf("%s (method %s)", list, method) : g_steal_pointer(&list);
}

static void put_row(const CheckTable *table, const CheckType *row)
{
    g_autofree char *scope = scope_of(table, row);
    const char *kept = kept_of(table, row);

    fputs(".TP\n.BR ", stdout);
    put_text(row->id);
    printf(" \" (%s)\"\n", severity_nicks[row->worst]);
    put_text(row->fine);
    puts(".");
    put_item("Subject", row->about);
    put_item("For", scope);
    put_item("Remedy", row->remedy);
    put_item("Source", row->source);
    put_item("Never skipped", kept);
    put_item("Repair", row->repair);
}

static void put_page(void)
{
    fputs(head, stdout);
    for (const CheckTable *table = check_tables; table->title; table++) {
        printf(".SS %s\n", table->title);
        for (const CheckType *row = table->rows; row->id; row++)
            put_row(table, row);
    }
    fputs(tail, stdout);
}

/* --- the daemon's copy --------------------------------------------------------------------------
 */

static void put_string(const char *text)
{
    g_autofree char *escaped = g_strescape(text ? text : "", NULL);

    printf("\"%s\", ", escaped);
}

static void put_rows(void)
{
    puts("/* Made of the table of checks by job/check-document.c. */\n"
         "#include \"daemon/checks.h\"\n\n"
         "const CheckRow check_rows[] = {");
    for (const CheckTable *table = check_tables; table->title; table++)
        for (const CheckType *row = table->rows; row->id; row++) {
            fputs("    { ", stdout);
            put_string(row->id);
            put_string(severity_nicks[row->worst]);
            put_string(kinds_of(table, row));
            put_string(method_of(table, row));
            put_string(row->about);
            put_string(row->fine);
            put_string(row->source);
            put_string(row->remedy);
            put_string(kept_of(table, row));
            put_string(row->repair);
            puts("},");
        }
    puts("    { 0 },\n};");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *word;
        void (*put)(void);
    } forms[] = { { "page", put_page }, { "rows", put_rows } };

    for (guint i = 0; argc == 2 && i < G_N_ELEMENTS(forms); i++)
        if (g_str_equal(argv[1], forms[i].word)) {
            forms[i].put();
            return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        }
    fputs("check-document page|rows\n", stderr);
    return 2;
}
