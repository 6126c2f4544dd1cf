/* ttctl facts: what the service takes TimesTen to do without having it on paper, and which file of
 * the site says otherwise. Straight from the manager; nothing of TimesTen is known here. */
#include "ctl/bus.h"
#include "ctl/object-json.h"
#include "ctl/pager.h"
#include "ctl/table.h"
#include "ctl/verbs.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"

typedef struct {
    const char *name, *tag, *type, *value, *fallback, *meaning, *source, *override;
} Fact; /* strings of the answer */

static int read_fact(sd_bus_message *answer, Fact *fact)
{
    return sd_bus_message_read(answer, "(ssssssss)", &fact->name, &fact->tag, &fact->type,
                               &fact->value, &fact->fallback, &fact->meaning, &fact->source,
                               &fact->override);
}

static void fact_json(Json *json, const Fact *fact)
{
    json_object_begin(json, NULL);
    json_string(json, "name", fact->name);
    json_string(json, "tag", fact->tag);
    json_string(json, "type", fact->type);
    json_string(json, "value", fact->value);
    json_string(json, "default", fact->fallback);
    json_string(json, "meaning", fact->meaning);
    json_string(json, "source", fact->source);
    json_string(json, "override", *fact->override ? fact->override : NULL);
    json_end(json);
}

/* Everything about one. */
static void fact_print(const Fact *fact)
{
    printf("%s = %s\n", fact->name, fact->value);
    terminal_paragraph(stdout, "  Meaning: ", STYLE_PLAIN, fact->meaning);
    printf("  Type:    %s\n  Tag:     %s\n", fact->type, fact->tag);
    terminal_paragraph(stdout, "  Source:  ", STYLE_PLAIN, fact->source);
    if (*fact->override)
        printf("  Set in:  %s, instead of %s\n", fact->override, fact->fallback);
}

static void fact_row(Table *table, const Fact *fact)
{
    table_add(table, fact->name);
    table_add(table, fact->tag);
    table_add_styled(table, *fact->override ? STYLE_BOLD : STYLE_PLAIN, fact->value);
    table_add(table, fact->source);
    table_add(table, fact->override);
}

/* Where the message stands at its list of problems: how many there are. */
static int take_problems(sd_bus_message *answer, Json *json)
{
    g_auto(GStrv) problems = NULL;
    int r = sd_bus_message_read_strv(answer, &problems);
    guint count = problems ? g_strv_length(problems) : 0;

    if (json)
        json_strings(json, "problems", problems);
    for (guint i = 0; i < count; i++) {
        g_autofree char *line = text_one_line(problems[i], 2000);

        fprintf(stderr, "%s\n", line);
    }
    return r < 0 ? r : (int)count;
}

static int print_facts(sd_bus_message *answer, const char *wanted, Table *table, Json *json,
                       gboolean *ret_found)
{
    int r = sd_bus_message_enter_container(answer, 'a', "(ssssssss)");
    Fact fact;

    if (json)
        json_array_begin(json, "facts");
    while (r >= 0 && (r = read_fact(answer, &fact)) > 0) {
        if (wanted && !g_str_equal(wanted, fact.name))
            continue;
        *ret_found = TRUE;
        if (json)
            fact_json(json, &fact);
        else if (wanted)
            fact_print(&fact);
        else
            fact_row(table, &fact);
    }
    if (json)
        json_end(json);
    return r < 0 ? r : sd_bus_message_exit_container(answer);
}

int facts_run(Session *session, char **arguments, GError **error)
{
    g_autoptr(sd_bus_message) answer = bus_call(session, TU_ROOT_PATH, TU_MANAGER_INTERFACE,
                                                "ListFacts", CALL_READ_USEC, error, NULL);
    g_autoptr(Table) table = table_new("FACT", "TAG", "VALUE", "SOURCE", "SET IN", NULL);
    g_autoptr(Json) json = NULL;
    g_autoptr(Pager) pager = NULL;
    gboolean found = FALSE;
    int r;

    if (!answer)
        return 1;
    if (session->options->output != OUTPUT_TEXT)
        json = json_begin(session->options);
    else
        pager = pager_open(session->options);
    r = print_facts(answer, arguments[0], table, json, &found);
    if (r >= 0 && !json && !arguments[0])
        table_print(table, stdout);
    if (r >= 0)
        r = take_problems(answer, json);
    if (r < 0) {
        bus_fail(error, r, "Cannot read the service's answer");
        return 1;
    }
    if (!found) {
        g_set_error(error, TU_ERROR, TU_ERROR_INVALID_OPTION,
                    "There is no fact %s. ttctl facts shows all there are", arguments[0]);
        return 1;
    }
    if (json)
        json_finish(json);
    return r > 0 ? tu_error_row(TU_ERROR_INVALID_CONFIGURATION)->exit_status : 0;
}
