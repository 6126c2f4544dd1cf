#include "ctl/words.h"
#include "common/error.h"
#include "common/text.h"

#include <pwd.h>

static const struct {
    const char *word;
    Style style;
} styles[] = {
    { "serving", STYLE_GREEN },       { "running", STYLE_GREEN },    { "done", STYLE_GREEN },
    { "held", STYLE_YELLOW },         { "changing", STYLE_YELLOW },  { "undoing", STYLE_YELLOW },
    { "cancelling", STYLE_YELLOW },   { "cancelled", STYLE_YELLOW }, { "undone", STYLE_YELLOW },
    { "rolled-back", STYLE_YELLOW },  { "warning", STYLE_YELLOW },   { "stopped", STYLE_DIM },
    { "pending", STYLE_DIM },         { "info", STYLE_DIM },         { "refusing", STYLE_RED },
    { "needs-attention", STYLE_RED }, { "failed", STYLE_RED },       { "undo-failed", STYLE_RED },
    { "error", STYLE_RED },           { "starting", STYLE_YELLOW },  { "unknown", STYLE_DIM },
};

Style word_style(const char *word)
{
    for (guint i = 0; i < G_N_ELEMENTS(styles); i++)
        if (g_str_equal(styles[i].word, word))
            return styles[i].style;
    return STYLE_PLAIN;
}

char *word_time(guint64 usec)
{
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(usec / G_USEC_PER_SEC);
    g_autoptr(GDateTime) local = utc ? g_date_time_to_local(utc) : NULL;

    return usec > 0 && local ? g_date_time_format(local, "%Y-%m-%d %H:%M:%S") : g_strdup("-");
}

char *word_user(guint32 uid)
{
    const struct passwd *entry = uid == G_MAXUINT32 ? NULL : getpwuid(uid);

    if (uid == G_MAXUINT32)
        return g_strdup("an unknown user");
    return entry ? g_strdup(entry->pw_name) : g_strdup_printf("%u", uid);
}

char *word_job(const Job *job)
{
    if (g_str_equal(job->kind, "confirm"))
        return g_strdup_printf("%s: %s", job->server, job->from);
    if (job_stays(job))
        return g_strdup_printf("%s: %s", job->server, job->to);
    return g_strdup_printf("%s: %s %s %s%s%s", job->server, job->from, terminal_glyph("→", "->"),
                           job->to, *job->method ? ", " : "", job->method);
}

char *word_confirmation(const Server *server)
{
    guint64 now = g_get_real_time();
    g_autofree char *left = NULL;

    if (g_strcmp0(server->confirmation, "unconfirmed") != 0)
        return g_strdup("");
    if (server->confirm_by == 0)
        return g_strdup_printf("unconfirmed, may go back to %s without loss",
                               server->previous_instance);
    if (server->confirm_by <= now)
        return g_strdup_printf("unconfirmed, goes back to %s now", server->previous_instance);
    left = text_timespan(server->confirm_by - now);
    return g_strdup_printf("unconfirmed, goes back to %s in %s", server->previous_instance, left);
}

/* Rows of results; the last that fits wins. */
static const struct {
    const char *result;
    const char *sentence;
    const char *kind; /* of job; NULL: each */
} outcomes[] = {
    { "done", "Done: {to} serves {server} now." },
    { "done", "Done: {to} serves {server} again.", "rollback" },
    { "done", "Done: what was named is gone; {from} serves {server} as before.", "clean" },
    { "done", "Done: {server} is managed now, and {to} serves its clients as before.", "adopt" },
    { "done", "Done: {server} stays with {from}; {to} does not follow any more.", "confirm" },
    { "failed", "Failed and undone: {from} serves {server} as before." },
    { "failed", "Failed, and nothing was removed: {from} serves {server} as before.", "clean" },
    { "cancelled", "Cancelled and undone: {from} serves {server} as before." },
    { "cancelled", "Cancelled, and nothing was removed: {from} serves {server} as before.",
      "clean" },
    { "failed", "Failed: {server} is not confirmed, and {to} still follows {from}.", "confirm" },
    { "cancelled", "Cancelled: {server} is not confirmed, and {to} still follows {from}.",
      "confirm" },
    { "failed", "Failed and undone: {server} is not managed; {to} is as it was.", "adopt" },
    { "cancelled", "Cancelled and undone: {server} is not managed; {to} is as it was.", "adopt" },
    { "rolled-back", "Rolled back: {from} serves {server} again." },
    { "needs-attention",
      "The job could not come to an end by itself and needs you: mend the cause, "
      "then ttctl retry {id}. See timesten-upgrade(7), TROUBLE." },
};

char *word_outcome(const Job *job)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, job->id);

    for (guint i = 0; i < G_N_ELEMENTS(outcomes); i++)
        if (g_str_equal(outcomes[i].result, job->result) &&
            (!outcomes[i].kind || g_str_equal(outcomes[i].kind, job->kind)))
            g_string_assign(text, outcomes[i].sentence);
    if (text->len == 0)
        g_string_printf(text, "Ended with the result \"%s\".", job->result);
    g_string_replace(text, "{id}", id, 0);
    g_string_replace(text, "{server}", job->server, 0);
    g_string_replace(text, "{from}", job->from, 0);
    g_string_replace(text, "{to}", job->to, 0);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

int job_exit_status(const Job *job)
{
    TuError code;

    if (g_str_equal(job->result, "done"))
        return 0;
    if (tu_error_from_bus_name(job->error, &code))
        return tu_error_row(code)->exit_status;
    return tu_error_row(g_str_equal(job->result, "cancelled") ? TU_ERROR_CANCELLED
                                                              : TU_ERROR_FAILED)
        ->exit_status;
}
