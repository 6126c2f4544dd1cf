/* ttctl check: what would stand in the way of an upgrade, the worst first, each with its remedy. */
#include "ctl/check.h"
#include "ctl/bus.h"
#include "ctl/check-list.h"
#include "ctl/object-json.h"
#include "ctl/pager.h"
#include "ctl/repair.h"
#include "ctl/terminal.h"
#include "ctl/verbs.h"
#include "ctl/words.h"
#include "common/error.h"
#include "common/nick.h"
#include "common/text.h"

static const char *const severities[] = { "error", "warning", "info", NULL };

static void finding_free(gpointer data)
{
    Finding *finding = data;

    g_free(finding->severity);
    g_free(finding->id);
    g_free(finding->subject);
    g_free(finding->message);
    g_free(finding->remedy);
    g_free(finding);
}

/* A severity of a newer service goes last. */
static int rank(const Finding *finding)
{
    int value;

    return nick_parse(severities, finding->severity, &value) ? value : G_MAXINT;
}

static int read_findings(sd_bus_message *answer, GPtrArray *all)
{
    const char *severity, *id, *subject, *message, *remedy;
    int r = sd_bus_message_enter_container(answer, 'a', "(sssss)");

    while (r >= 0 && (r = sd_bus_message_read(answer, "(sssss)", &severity, &id, &subject, &message,
                                              &remedy)) > 0) {
        Finding *finding = g_new0(Finding, 1);

        finding->severity = g_strdup(severity);
        finding->id = g_strdup(id);
        finding->subject = g_strdup(subject);
        finding->message = g_strdup(message);
        finding->remedy = g_strdup(remedy);
        g_ptr_array_add(all, finding);
    }
    return r;
}

/* By severity, and within one in the service's order: that is the order of the upgrade. */
static GPtrArray *sort_findings(GPtrArray *all)
{
    GPtrArray *sorted = g_ptr_array_new_with_free_func(finding_free);

    for (guint wanted = 0; wanted <= G_N_ELEMENTS(severities) - 1; wanted++)
        for (guint i = 0; i < all->len; i++) {
            int has = rank(all->pdata[i]);

            if (has == (int)wanted || (wanted == G_N_ELEMENTS(severities) - 1 && has == G_MAXINT))
                g_ptr_array_add(sorted, all->pdata[i]);
        }
    return sorted;
}

GPtrArray *check_ask(Session *session, const Change *change, GError **error)
{
    g_autoptr(sd_bus_message) call = request_question(session, change, "Check", error);
    g_autoptr(sd_bus_message) answer =
        call ? bus_send(session, call, CALL_CHECK_USEC, error) : NULL;
    g_autoptr(GPtrArray) all = g_ptr_array_new(); /* the sorted one owns them */
    GPtrArray *sorted;
    int r;

    if (!answer)
        return NULL;
    r = read_findings(answer, all);
    sorted = sort_findings(all);
    if (r >= 0)
        return sorted;
    g_ptr_array_unref(sorted);
    bus_fail(error, r, "Cannot read the service's answer");
    return NULL;
}

guint check_count(GPtrArray *findings, const char *severity)
{
    guint count = 0;

    for (guint i = 0; i < findings->len; i++)
        count += g_str_equal(((const Finding *)findings->pdata[i])->severity, severity);
    return count;
}

/* What is fine takes one line, so that what is not stands out. */
static void print_finding(const Finding *finding, FILE *file)
{
    g_autofree char *severity = text_one_line(finding->severity, 20);
    g_autofree char *id = text_one_line(finding->id, 80);
    g_autofree char *subject = text_one_line(finding->subject, 200);
    g_autofree char *message = text_one_line(finding->message, 8000);

    terminal_put(file, word_style(severity), severity);
    fprintf(file, "%*s", MAX(9 - (int)strlen(severity), 1), "");
    terminal_put(file, STYLE_BOLD, id);
    fprintf(file, "%s%s", *subject ? " " : "", subject);
    if (g_str_equal(severity, "info") && !*finding->remedy) {
        fprintf(file, ": %s\n", message);
        return;
    }
    fputc('\n', file);
    terminal_paragraph(file, "         ", STYLE_PLAIN, message);
    if (*finding->remedy) {
        g_autofree char *lead = g_strdup_printf("       %s ", terminal_glyph("→", ">"));

        terminal_paragraph(file, lead, STYLE_PLAIN, finding->remedy);
    }
}

guint check_print(GPtrArray *findings, const char *severity, FILE *file)
{
    guint count = 0;

    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = findings->pdata[i];

        if (severity && !g_str_equal(finding->severity, severity))
            continue;
        print_finding(finding, file);
        count++;
    }
    return count;
}

static const char *plural(guint count)
{
    return count == 1 ? "" : "s";
}

/* The ids that an option names, as they were given; NULL: it was not. */
static char *chosen(Session *session, const char *key)
{
    g_auto(GStrv) ids = NULL;

    return g_variant_lookup(session->options->job, key, "^as", &ids) ? g_strjoinv(",", ids) : NULL;
}

static void print_report(Session *session, const Change *change, GPtrArray *findings)
{
    guint errors = check_count(findings, "error"), warnings = check_count(findings, "warning");
    g_autofree char *noun = g_strdup(change->kind->a_noun), *only = NULL;

    check_print(findings, NULL, stdout);
    if (session->options->quiet)
        return;
    noun[0] = g_ascii_toupper(noun[0]);
    only = chosen(session, "only");
    printf("%s%u error%s, %u warning%s, %u checked.", findings->len > 0 ? "\n" : "", errors,
           plural(errors), warnings, plural(warnings), findings->len);
    if (only && errors == 0) /* the others were not asked */
        puts("");
    else
        printf(" %s %s.\n", noun, errors > 0 ? "would be refused" : "may begin");
    if (errors == 0 && !session->options->dry_run && !only) {
        g_autofree char *skip = chosen(session, "skip");

        printf("Begin it with: ttctl %s %s %s%s%s\n", change->kind->word, change->server,
               change->target, skip ? " --skip=" : "", skip ? skip : "");
    }
}

/* REPAIRS: NULL where none were asked for. */
static void print_json(Session *session, const Change *change, GPtrArray *findings,
                       const GPtrArray *repairs)
{
    g_autoptr(Json) json = json_begin(session->options);

    json_string(json, "server", change->server);
    json_string(json, "target", change->target);
    if (repairs)
        repair_json(json, repairs);
    json_array_begin(json, "checks");
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = findings->pdata[i];

        json_object_begin(json, NULL);
        json_string(json, "severity", finding->severity);
        json_string(json, "id", finding->id);
        json_string(json, "subject", finding->subject);
        json_string(json, "message", finding->message);
        json_string(json, "remedy", *finding->remedy ? finding->remedy : NULL);
        json_end(json);
    }
    json_end(json);
    json_uint(json, "errors", check_count(findings, "error"));
    json_uint(json, "warnings", check_count(findings, "warning"));
    json_finish(json);
}

static int report(Session *session, const Change *change, GPtrArray *findings,
                  const GPtrArray *repairs)
{
    if (session->options->output != OUTPUT_TEXT)
        print_json(session, change, findings, repairs);
    else
        print_report(session, change, findings);
    if (check_count(findings, "error") > 0)
        return tu_error_row(TU_ERROR_CHECKS_FAILED)->exit_status;
    return repairs && repair_failed(repairs) ? tu_error_row(TU_ERROR_NOT_POSSIBLE)->exit_status : 0;
}

int check_report(Session *session, const Change *change, GPtrArray *findings)
{
    return report(session, change, findings, NULL);
}

static gboolean suits(Session *session, char **arguments, GError **error)
{
    const Options *options = session->options;
    const char *problem = NULL;

    if (options->list && arguments[0])
        problem = "--list tells of all checks and takes no server";
    else if (options->list && options->fix)
        problem = "--list runs nothing, so it does not go with --fix";
    else if (!options->list && !arguments[0])
        problem = "Which upgrade? Give SERVER and TARGET, or --list";
    else if ((options->yes || options->dry_run) && !options->fix)
        problem = "A check changes nothing; --yes and --dry-run are for --fix";
    if (problem)
        g_set_error_literal(error, TU_ERROR, TU_ERROR_INVALID_OPTION, problem);
    return !problem;
}

int check_run(Session *session, char **arguments, GError **error)
{
    const Change change = { &change_upgrade, arguments[0], arguments[0] ? arguments[1] : NULL };
    g_autoptr(GPtrArray) findings = NULL, repairs = NULL;
    g_autoptr(Pager) pager = NULL;

    if (!suits(session, arguments, error))
        return 1;
    if (session->options->list)
        return check_list(session, error);
    if (session->options->fix && !(repairs = repair_all(session, &change, error)))
        return 1;
    findings = check_ask(session, &change, error);
    if (!findings)
        return 1;
    if (session->options->output == OUTPUT_TEXT && !repairs) /* whose lines stand above */
        pager = pager_open(session->options);
    return report(session, &change, findings, repairs);
}
