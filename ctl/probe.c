/* ttctl probe: which facts hold on an instance. What differs comes first, because that is what a
 * site has to correct; as JSON it is what a site sends back. */
#include "ctl/bus.h"
#include "ctl/object-json.h"
#include "ctl/pager.h"
#include "ctl/terminal.h"
#include "ctl/verbs.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"

typedef struct {
    const char *name, *tag, *outcome, *value, *how, *seen;
} Result; /* strings of the answer */

static const struct {
    const char *word;
    Style style;
} outcomes[] = {
    { "differs", STYLE_RED },
    { "held", STYLE_GREEN },
    { "untried", STYLE_DIM },
};

static sd_bus_message *ask(Session *session, const char *path, GError **error)
{
    const char *scratch = session->options->scratch;

    if (scratch)
        return bus_call(session, path, TU_INSTANCE_INTERFACE, "ProbeScratch", CALL_CHECK_USEC,
                        error, "sa{sv}", scratch, 0);
    return bus_call(session, path, TU_INSTANCE_INTERFACE, "Probe", CALL_CHECK_USEC, error, "a{sv}",
                    0);
}

static int read_results(sd_bus_message *answer, GArray *results)
{
    int r = sd_bus_message_enter_container(answer, 'a', "(ssssss)");
    Result one;

    while (r >= 0 && (r = sd_bus_message_read(answer, "(ssssss)", &one.name, &one.tag, &one.outcome,
                                              &one.value, &one.how, &one.seen)) > 0)
        g_array_append_val(results, one);
    return r;
}

static guint count(const GArray *results, const char *outcome)
{
    guint found = 0;

    for (guint i = 0; i < results->len; i++)
        found += g_str_equal(g_array_index(results, Result, i).outcome, outcome);
    return found;
}

static void print_result(const Result *result, Style style)
{
    g_autofree char *name = text_one_line(result->name, 80);
    g_autofree char *value = text_one_line(result->value, 400);

    terminal_put(stdout, style, result->outcome);
    printf("%*s", MAX(9 - (int)strlen(result->outcome), 1), "");
    terminal_put(stdout, STYLE_BOLD, name);
    printf(" (%s) = %s\n", result->tag, value);
    terminal_paragraph(stdout, "         ", STYLE_PLAIN, result->how);
    if (*result->seen)
        terminal_paragraph(stdout, "         ", STYLE_PLAIN, result->seen);
}

static void print_text(Session *session, const GArray *results)
{
    for (guint k = 0; k < G_N_ELEMENTS(outcomes); k++)
        for (guint i = 0; i < results->len; i++) {
            const Result *result = &g_array_index(results, Result, i);

            if (g_str_equal(result->outcome, outcomes[k].word))
                print_result(result, outcomes[k].style);
        }
    if (!session->options->quiet)
        printf("\n%u held, %u differs, %u not tried. ttctl facts NAME tells more of one.\n",
               count(results, "held"), count(results, "differs"), count(results, "untried"));
}

static void print_json(Session *session, const Instance *instance, const GArray *results)
{
    g_autoptr(Json) json = json_begin(session->options);

    json_string(json, "instance", instance->name);
    json_string(json, "release", instance->release);
    json_array_begin(json, "facts");
    for (guint i = 0; i < results->len; i++) {
        const Result *result = &g_array_index(results, Result, i);

        json_object_begin(json, NULL);
        json_string(json, "name", result->name);
        json_string(json, "tag", result->tag);
        json_string(json, "outcome", result->outcome);
        json_string(json, "value", result->value);
        json_string(json, "how", result->how);
        json_string(json, "seen", *result->seen ? result->seen : NULL);
        json_end(json);
    }
    json_end(json);
    for (guint k = 0; k < G_N_ELEMENTS(outcomes); k++)
        json_uint(json, outcomes[k].word, count(results, outcomes[k].word));
    json_finish(json);
}

int probe_run(Session *session, char **arguments, GError **error)
{
    g_autofree char *path = instance_path(session, arguments[0], error);
    g_autoptr(Instance) instance = path ? instance_load(session, path, error) : NULL;
    g_autoptr(sd_bus_message) answer = instance ? ask(session, path, error) : NULL;
    g_autoptr(GArray) results = g_array_new(FALSE, FALSE, sizeof(Result));
    g_autoptr(Pager) pager = NULL;
    int r;

    if (!answer)
        return 1;
    r = read_results(answer, results);
    if (r < 0) {
        bus_fail(error, r, "Cannot read the service's answer");
        return 1;
    }
    if (session->options->output != OUTPUT_TEXT) {
        print_json(session, instance, results);
    } else {
        pager = pager_open(session->options);
        print_text(session, results);
    }
    return count(results, "differs") > 0 ? tu_error_row(TU_ERROR_CHECKS_FAILED)->exit_status : 0;
}
