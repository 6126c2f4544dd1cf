/* ttctl check --list: what is looked at, without looking. The text has what one chooses by; JSON
 * has everything, as timesten-checks(7) does. */
#include "ctl/check-list.h"
#include "ctl/bus.h"
#include "ctl/object-json.h"
#include "ctl/pager.h"
#include "ctl/table.h"
#include "ctl/words.h"
#include "common/names.h"

#define ROW "ssasasssssss"

typedef struct {
    const char *id, *severity, *about, *fine, *source, *remedy, *kept, *repair;
    char **kinds, **methods;
} Row;

/* As sd_bus_message_read(): 1 a row, 0 there are no more. The words stay the message's. */
static int read_row(sd_bus_message *answer, Row *row)
{
    int r = sd_bus_message_enter_container(answer, 'r', ROW);

    if (r <= 0)
        return r;
    r = sd_bus_message_read(answer, "ss", &row->id, &row->severity);
    if (r >= 0)
        r = sd_bus_message_read_strv(answer, &row->kinds);
    if (r >= 0)
        r = sd_bus_message_read_strv(answer, &row->methods);
    if (r >= 0)
        r = sd_bus_message_read(answer, "ssssss", &row->about, &row->fine, &row->source,
                                &row->remedy, &row->kept, &row->repair);
    if (r >= 0)
        r = sd_bus_message_exit_container(answer);
    return r < 0 ? r : 1;
}

static void add_json(Json *json, const Row *row)
{
    json_object_begin(json, NULL);
    json_string(json, "id", row->id);
    json_string(json, "severity", row->severity);
    json_strings(json, "kinds", row->kinds);
    json_strings(json, "methods", row->methods);
    json_string(json, "about", row->about);
    json_string(json, "fine", row->fine);
    json_string(json, "source", row->source);
    json_string(json, "remedy", row->remedy);
    json_string(json, "never_skipped", *row->kept ? row->kept : NULL);
    json_string(json, "repair", *row->repair ? row->repair : NULL);
    json_end(json);
}

static void add_row(Table *table, const Row *row)
{
    g_autofree char *kinds = row->kinds ? g_strjoinv(",", row->kinds) : g_strdup("");
    g_autofree char *methods = row->methods ? g_strjoinv(",", row->methods) : g_strdup("");

    table_add_styled(table, word_style(row->severity), row->severity);
    table_add_styled(table, STYLE_BOLD, row->id);
    table_add(table, row->about);
    table_add(table, kinds);
    table_add(table, *methods ? methods : "any");
    table_add(table, *row->kept ? "no" : "yes");
    table_add(table, *row->repair ? "yes" : "no");
    table_add(table, row->fine);
}

int check_list(Session *session, GError **error)
{
    const gboolean text = session->options->output == OUTPUT_TEXT;
    g_autoptr(sd_bus_message) answer = bus_call(session, TU_ROOT_PATH, TU_MANAGER_INTERFACE,
                                                "ListChecks", CALL_READ_USEC, error, NULL);
    g_autoptr(Table) table = table_new("WORST", "ID", "ABOUT", "BEFORE", "METHOD", "SKIPPED",
                                       "REPAIRED", "TRUE WHERE IT FINDS NOTHING", NULL);
    g_autoptr(Json) json = text ? NULL : json_begin(session->options);
    g_autoptr(Pager) pager = NULL;
    int r;

    if (!answer)
        return 1;
    if (json)
        json_array_begin(json, "checks");
    r = sd_bus_message_enter_container(answer, 'a', "(" ROW ")");
    while (r >= 0) {
        Row row = { 0 };

        r = read_row(answer, &row);
        if (r > 0 && json)
            add_json(json, &row);
        else if (r > 0)
            add_row(table, &row);
        g_strfreev(row.kinds);
        g_strfreev(row.methods);
        if (r == 0)
            break;
    }
    if (r < 0) {
        bus_fail(error, r, "Cannot read the service's answer");
        return 1;
    }
    if (json) {
        json_end(json);
        json_finish(json);
        return 0;
    }
    pager = pager_open(session->options);
    table_print(table, stdout);
    if (!session->options->quiet)
        puts("\ntimesten-checks(7) tells the source and the remedy of each.");
    return 0;
}
