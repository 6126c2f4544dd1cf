/* ttctl plan: the steps of a change, before any is done. */
#include "ctl/plan.h"
#include "ctl/bus.h"
#include "ctl/object-json.h"
#include "ctl/pager.h"
#include "ctl/table.h"
#include "ctl/verbs.h"
#include "common/text.h"

#define COMMIT "commit" /* the step from which there is no way back; design, section 5 */

typedef struct {
    char *id;
    char *description;
    gboolean reversible;
    guint64 estimate_usec; /* USEC_NEVER or 0: unknown */
} PlanStep;

typedef struct {
    char *method;
    GPtrArray *steps;
} Plan;

static void step_free(gpointer data)
{
    PlanStep *step = data;

    g_free(step->id);
    g_free(step->description);
    g_free(step);
}

static void plan_free(Plan *plan)
{
    g_free(plan->method);
    g_ptr_array_unref(plan->steps);
    g_free(plan);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Plan, plan_free)

static int plan_read(sd_bus_message *answer, Plan *plan)
{
    const char *method, *id, *description;
    int reversible, r = sd_bus_message_read(answer, "s", &method);
    guint64 estimate;

    if (r < 0)
        return r;
    plan->method = text_one_line(method, 80);
    r = sd_bus_message_enter_container(answer, 'a', "(ssbt)");
    while (r >= 0 && (r = sd_bus_message_read(answer, "(ssbt)", &id, &description, &reversible,
                                              &estimate)) > 0) {
        PlanStep *step = g_new0(PlanStep, 1);

        step->id = g_strdup(id);
        step->description = g_strdup(description);
        step->reversible = reversible;
        step->estimate_usec = estimate;
        g_ptr_array_add(plan->steps, step);
    }
    return r;
}

static Plan *plan_ask(Session *session, const Change *change, GError **error)
{
    g_autoptr(sd_bus_message) call = request_question(session, change, "Plan", error);
    g_autoptr(sd_bus_message) answer =
        call ? bus_send(session, call, CALL_CHECK_USEC, error) : NULL;
    g_autoptr(Plan) plan = NULL;
    int r;

    if (!answer)
        return NULL;
    plan = g_new0(Plan, 1);
    plan->steps = g_ptr_array_new_with_free_func(step_free);
    r = plan_read(answer, plan);
    if (r < 0) {
        bus_fail(error, r, "Cannot read the service's answer");
        return NULL;
    }
    return g_steal_pointer(&plan);
}

static gboolean is_known(guint64 estimate)
{
    return estimate != 0 && estimate != USEC_NEVER;
}

/* Steps before the commit that leave nothing behind have nothing to undo; those after it go forward
 * only. */
static const char *on_failure(const PlanStep *step, gboolean committed)
{
    if (committed)
        return "tried again";
    return step->reversible ? "undone" : "nothing to undo";
}

static void print_plan(const Plan *plan, const Change *change)
{
    g_autoptr(Table) table = table_new(">", "STEP", "DOES", ">ESTIMATE", "ON FAILURE", NULL);
    gboolean committed = FALSE;
    guint64 total = 0;

    for (guint i = 0; i < plan->steps->len; i++) {
        const PlanStep *step = plan->steps->pdata[i];
        gboolean commit = g_str_equal(step->id, COMMIT);
        g_autofree char *estimate =
            is_known(step->estimate_usec) ? text_timespan(step->estimate_usec) : NULL;

        table_add_uint(table, i + 1);
        table_add_styled(table, commit ? STYLE_YELLOW : STYLE_PLAIN, step->id);
        table_add(table, step->description);
        table_add(table, estimate);
        table_add_styled(table, commit ? STYLE_YELLOW : STYLE_PLAIN,
                         commit ? "point of no return" : on_failure(step, committed));
        committed |= commit;
        total += is_known(step->estimate_usec) ? step->estimate_usec : 0;
    }
    if (change->kind == &change_adopt) /* which moves nothing, so it has no method */
        printf("Adopt of %s, the TimesTen Server of %s\n\n", change->server, change->target);
    else
        printf("%s of %s%s%s, method %s\n\n", change->kind->method, change->server,
               change->target ? " to " : "", change->target ? change->target : "", plan->method);
    table_print(table, stdout);
    if (total > 0) {
        g_autofree char *time = text_timespan(total);

        printf("\nEstimated time: %s. ", time);
    } else {
        fputs("\n", stdout);
    }
    puts(committed ? "Until the commit every failure is undone and the old release serves again."
                   : "Every failure is undone, and nothing is ever taken away.");
}

static void print_json(Session *session, const Plan *plan, const Change *change)
{
    g_autoptr(Json) json = json_begin(session->options);
    gboolean committed = FALSE;

    json_string(json, "server", change->server);
    json_string(json, "target", change->target);
    json_string(json, "method", plan->method);
    json_array_begin(json, "steps");
    for (guint i = 0; i < plan->steps->len; i++) {
        const PlanStep *step = plan->steps->pdata[i];
        gboolean commit = g_str_equal(step->id, COMMIT);

        json_object_begin(json, NULL);
        json_string(json, "id", step->id);
        json_string(json, "description", step->description);
        json_bool(json, "reversible", step->reversible);
        json_bool(json, "point_of_no_return", commit);
        json_bool(json, "after_commit", committed);
        if (is_known(step->estimate_usec))
            json_usec(json, "estimate_usec", step->estimate_usec);
        else
            json_null(json, "estimate_usec");
        json_end(json);
        committed |= commit;
    }
    json_end(json);
    json_finish(json);
}

gboolean plan_print(Session *session, const Change *change, GError **error)
{
    g_autoptr(Plan) plan = plan_ask(session, change, error);

    if (plan)
        print_plan(plan, change);
    return plan != NULL;
}

int plan_run(Session *session, char **arguments, GError **error)
{
    const Change change = { &change_upgrade, arguments[0], arguments[1] };
    g_autoptr(Plan) plan = plan_ask(session, &change, error);
    g_autoptr(Pager) pager = NULL;

    if (!plan)
        return 1;
    if (session->options->output != OUTPUT_TEXT) {
        print_json(session, plan, &change);
        return 0;
    }
    pager = pager_open(session->options);
    print_plan(plan, &change);
    return 0;
}
