#include "ctl/repair.h"
#include "ctl/bus.h"
#include "ctl/object.h"
#include "ctl/terminal.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"

#define FAILED "not repaired: " /* what the contract has before the reason */

static void repaired_free(gpointer data)
{
    Repaired *repaired = data;

    g_free(repaired->id);
    g_free(repaired->subject);
    g_free(repaired->before);
    g_free(repaired->after);
    g_free(repaired->undo);
    g_free(repaired);
}

/* --- the call -----------------------------------------------------------------------------------
 */

static sd_bus_message *new_call(Session *session, const Change *change, gboolean dry,
                                GError **error)
{
    g_autofree char *path = server_path(session, change->server, error);
    g_autoptr(sd_bus_message) call =
        path ? bus_message(session, path, TU_SERVER_INTERFACE, "Repair", error) : NULL;
    g_auto(GStrv) only = NULL;
    int r;

    if (!call)
        return NULL;
    g_variant_lookup(session->options->job, "only", "^as", &only);
    r = sd_bus_message_append(call, "s", change->target);
    if (r >= 0)
        r = sd_bus_message_open_container(call, 'a', "{sv}");
    if (r >= 0 && dry)
        r = sd_bus_message_append(call, "{sv}", "dry-run", "b", TRUE);
    if (r >= 0 && only)
        r = request_append_words(call, "only", only);
    if (r >= 0)
        r = sd_bus_message_close_container(call);
    if (r < 0) {
        bus_fail(error, r, "Cannot write a call to the service");
        return NULL;
    }
    return g_steal_pointer(&call);
}

static GPtrArray *ask(Session *session, const Change *change, gboolean dry, GError **error)
{
    g_autoptr(sd_bus_message) call = new_call(session, change, dry, error);
    g_autoptr(sd_bus_message) answer =
        call ? bus_send(session, call, CALL_CHANGE_USEC, error) : NULL;
    g_autoptr(GPtrArray) repairs = g_ptr_array_new_with_free_func(repaired_free);
    const char *id, *subject, *before, *after, *undo;
    int r;

    if (!answer)
        return NULL;
    r = sd_bus_message_enter_container(answer, 'a', "(sssss)");
    while (r >= 0 && (r = sd_bus_message_read(answer, "(sssss)", &id, &subject, &before, &after,
                                              &undo)) > 0) {
        Repaired *one = g_new0(Repaired, 1);

        *one = (Repaired){ g_strdup(id), g_strdup(subject), g_strdup(before), g_strdup(after),
                           g_strdup(undo) };
        g_ptr_array_add(repairs, one);
    }
    if (r >= 0)
        return g_steal_pointer(&repairs);
    bus_fail(error, r, "Cannot read the service's answer");
    return NULL;
}

/* --- what people see ----------------------------------------------------------------------------
 */

static void print_repairs(const GPtrArray *repairs, const char *title, gboolean undo)
{
    puts(title);
    for (guint i = 0; i < repairs->len; i++) {
        const Repaired *one = repairs->pdata[i];
        gboolean failed = g_str_has_prefix(one->after, FAILED);
        g_autofree char *id = text_one_line(one->id, 80);
        g_autofree char *subject = text_one_line(one->subject, 200);
        g_autofree char *before = g_strdup_printf("before: %s", one->before);
        g_autofree char *after = g_strdup_printf("after: %s", one->after);
        g_autofree char *back = g_strdup_printf("undo: %s", one->undo);

        fputs("  ", stdout);
        terminal_put(stdout, STYLE_BOLD, id);
        printf(" %s\n", subject);
        terminal_paragraph(stdout, "      ", STYLE_PLAIN, before);
        terminal_paragraph(stdout, "      ", failed ? STYLE_RED : STYLE_PLAIN, after);
        if (undo && *one->undo)
            terminal_paragraph(stdout, "      ", STYLE_PLAIN, back);
    }
    putchar('\n');
}

/* A script is not asked, as for a change. */
static gboolean says_yes(Session *session, guint count, GError **error)
{
    char answer[16] = "";

    if (session->options->yes || !terminal_is(stdin) || !terminal_is(stdout))
        return TRUE;
    printf("Repair %s? [y/N] ", count == 1 ? "this" : "all this");
    fflush(stdout);
    if (fgets(answer, sizeof answer, stdin) && (g_ascii_strcasecmp(g_strstrip(answer), "y") == 0 ||
                                                g_ascii_strcasecmp(answer, "yes") == 0))
        return TRUE;
    return tu_error_set(error, TU_ERROR_CANCELLED, "It was not confirmed; nothing was changed");
}

GPtrArray *repair_all(Session *session, const Change *change, GError **error)
{
    const gboolean text = session->options->output == OUTPUT_TEXT;
    g_autoptr(GPtrArray) wanted = ask(session, change, TRUE, error);
    g_autoptr(GPtrArray) done = NULL;

    if (!wanted)
        return NULL;
    if (text && wanted->len == 0 && !session->options->quiet)
        puts("There is nothing to repair.\n");
    else if (text && wanted->len > 0)
        print_repairs(wanted, "This would be repaired:", FALSE);
    if (wanted->len == 0 || session->options->dry_run)
        return g_steal_pointer(&wanted);
    if (text && !says_yes(session, wanted->len, error))
        return NULL;
    done = ask(session, change, FALSE, error);
    if (done && text)
        print_repairs(done, "This was repaired:", TRUE);
    return g_steal_pointer(&done);
}

gboolean repair_failed(const GPtrArray *repairs)
{
    for (guint i = 0; i < repairs->len; i++)
        if (g_str_has_prefix(((const Repaired *)repairs->pdata[i])->after, FAILED))
            return TRUE;
    return FALSE;
}

void repair_json(Json *json, const GPtrArray *repairs)
{
    json_array_begin(json, "repairs");
    for (guint i = 0; i < repairs->len; i++) {
        const Repaired *one = repairs->pdata[i];

        json_object_begin(json, NULL);
        json_string(json, "id", one->id);
        json_string(json, "subject", one->subject);
        json_string(json, "before", one->before);
        json_string(json, "after", one->after);
        json_string(json, "undo", *one->undo ? one->undo : NULL);
        json_end(json);
    }
    json_end(json);
}
