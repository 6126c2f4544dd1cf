#include "ctl/progress.h"
#include "ctl/terminal.h"
#include "ctl/width.h"
#include "ctl/words.h"
#include "common/text.h"

#define BAR_MOST  30
#define BAR_LEAST 8

struct Progress {
    ProgressMode mode;
    guint painted;      /* cells of the line that stands there, 0 none */
    GHashTable *states; /* step id → state that was shown last */
    GHashTable *begun;  /* step id → gint64*, when it was seen running first */
};

ProgressMode progress_mode(const Options *options)
{
    if (options->quiet || options->output != OUTPUT_TEXT)
        return PROGRESS_SILENT;
    return terminal_can_redraw(stdout) ? PROGRESS_LIVE : PROGRESS_LINES;
}

Progress *progress_new(ProgressMode mode)
{
    Progress *progress = g_new0(Progress, 1);

    progress->mode = mode;
    progress->states = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    progress->begun = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return progress;
}

/* A line that was painted for a wider terminal takes several rows of a narrower one; all of them
 * go. */
static void clear(Progress *progress)
{
    guint columns = MAX(terminal_columns(stdout), 1);
    guint rows = (progress->painted + columns - 1) / columns;

    if (progress->painted == 0)
        return;
    fputc('\r', stdout);
    if (rows > 1)
        printf("\033[%uA", rows - 1);
    fputs("\033[J", stdout);
    progress->painted = 0;
}

void progress_free(Progress *progress)
{
    clear(progress);
    fflush(stdout);
    g_hash_table_unref(progress->states);
    g_hash_table_unref(progress->begun);
    g_free(progress);
}

static guint percent(const Job *job)
{
    return (guint)(CLAMP(job->progress, 0, 1) * 100);
}

/* "9/14 import", "undoing import" */
static void append_step(GString *text, const Job *job)
{
    guint index = 0;

    for (guint i = 0; i < job->steps->len; i++)
        if (g_str_equal(((const JobStep *)job->steps->pdata[i])->id, job->step))
            index = i + 1;
    if (g_str_equal(job->state, "queued") || !*job->step) {
        g_string_append_printf(text, "  %s", job->state);
        return;
    }
    g_string_append(text, "  ");
    if (!g_str_equal(job->state, "running"))
        g_string_append_printf(text, "%s ", job->state);
    else if (index > 0)
        g_string_append_printf(text, "%u/%u ", index, job->steps->len);
    g_string_append(text, job->step);
}

static void append_times(GString *text, const Job *job, const Server *server, guint64 age)
{
    gboolean held_now = server && server->hold_deadline != 0;
    guint64 held = job->held_usec + (held_now ? age : 0);

    if (job->remaining_usec != USEC_NEVER && g_str_equal(job->state, "running")) {
        guint64 left = job->remaining_usec - MIN(job->remaining_usec, age);
        g_autofree char *span = text_timespan(left);

        g_string_append_printf(text, "  ETA %s", span);
    }
    if (server && (held_now || server->held > 0))
        g_string_append_printf(text, "  %u waiting", server->held);
    if (held > 0) {
        g_autofree char *span = text_timespan(held);

        g_string_append_printf(text, "  held %s", span);
    }
}

static char *make_bar(const Job *job, guint cells)
{
    g_autoptr(GString) bar = g_string_new("[");
    guint full = (guint)(CLAMP(job->progress, 0, 1) * cells);

    for (guint i = 0; i < cells; i++)
        g_string_append(bar, i < full ? terminal_glyph("█", "#") : terminal_glyph("░", "."));
    g_string_append_c(bar, ']');
    return g_string_free(g_steal_pointer(&bar), FALSE);
}

/* Bar (maybe "") and text apart, because only the bar gets a colour. */
static void make_line(const Job *job, const Server *server, guint64 age, guint columns,
                      char **ret_bar, char **ret_text)
{
    g_autoptr(GString) text = g_string_new(NULL);
    guint width;

    g_string_append_printf(text, "%3u%%", percent(job));
    append_step(text, job);
    append_times(text, job, server, age);
    width = width_of(text->str) + 3; /* brackets and the blank behind them */
    if (columns > 0 && width + BAR_LEAST <= columns) {
        *ret_bar = make_bar(job, MIN(columns - width, BAR_MOST));
        *ret_text = g_string_free(g_steal_pointer(&text), FALSE);
        return;
    }
    *ret_bar = g_strdup("");
    g_strchug(text->str);
    *ret_text = columns > 0 ? width_cut(text->str, columns) : g_strdup(text->str);
}

char *progress_line(const Job *job, const Server *server, guint64 age_usec, guint columns)
{
    g_autofree char *bar = NULL;
    g_autofree char *text = NULL;

    make_line(job, server, age_usec, columns, &bar, &text);
    return g_strconcat(bar, *bar ? " " : "", text, NULL);
}

static void paint(Progress *progress, const Job *job, const Server *server, guint64 age)
{
    guint columns = terminal_columns(stdout);
    g_autofree char *bar = NULL;
    g_autofree char *text = NULL;
    Style style = g_str_equal(job->state, "running") ? STYLE_GREEN : STYLE_YELLOW;

    /* One cell stays free: a full last cell makes some terminals wrap at once, others later. */
    make_line(job, server, age, MAX(columns, 2) - 1, &bar, &text);
    terminal_put(stdout, style, bar);
    printf("%s%s", *bar ? " " : "", text);
    progress->painted = width_of(bar) + (*bar ? 1 : 0) + width_of(text);
}

static const struct {
    const char *state;
    const char *nice, *plain;
} marks[] = {
    { "done", "✓", "ok" },
    { "failed", "✗", "failed" },
    { "undone", "↶", "undone" },
    { "undo-failed", "✗", "undo failed" },
};

/* A step that came through, for good, above the line that is redrawn. */
static void print_step(Progress *progress, const JobStep *step)
{
    const gint64 *begun = g_hash_table_lookup(progress->begun, step->id);
    g_autofree char *span =
        begun ? text_timespan((guint64)(g_get_monotonic_time() - *begun)) : NULL;

    for (guint i = 0; i < G_N_ELEMENTS(marks); i++) {
        guint columns = terminal_columns(stdout);
        g_autoptr(GString) text = g_string_new(NULL);
        g_autofree char *cut = NULL;

        if (!g_str_equal(marks[i].state, step->state))
            continue;
        g_string_printf(text, "%-17s %s", step->id, step->description);
        if (span)
            g_string_append_printf(text, " (%s)", span);
        cut = width_cut(text->str, MAX(columns, 10) - 8);
        fputc(' ', stdout);
        terminal_put(stdout, word_style(step->state),
                     terminal_glyph(marks[i].nice, marks[i].plain));
        printf(" %s\n", cut);
    }
}

static void print_line(const Job *job, const JobStep *step)
{
    static const struct {
        const char *state;
        const char *prefix;
    } rows[] = {
        { "undoing", "undoing " },
        { "undone", "undone " },
        { "failed", "failed " },
        { "undo-failed", "could not undo " },
    };
    const char *prefix = "";

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        if (g_str_equal(rows[i].state, step->state))
            prefix = rows[i].prefix;
    printf("[%3u%%] %s%s: %s\n", percent(job), prefix, step->id, step->description);
}

static void note_begin(Progress *progress, const JobStep *step)
{
    gint64 *now;

    if (!g_str_equal(step->state, "running") && !g_str_equal(step->state, "undoing"))
        return;
    now = g_new(gint64, 1);
    *now = g_get_monotonic_time();
    g_hash_table_insert(progress->begun, g_strdup(step->id), now);
}

/* Plain lines tell a step's begin once: that it is done is told by the next one's begin. */
static gboolean is_worth_a_line(const char *before, const char *now)
{
    if (g_str_equal(now, "pending"))
        return FALSE;
    return !(g_str_equal(now, "done") && g_strcmp0(before, "running") == 0) &&
           !(g_str_equal(now, "undone") && g_strcmp0(before, "undoing") == 0);
}

static void show_steps(Progress *progress, const Job *job)
{
    for (guint i = 0; i < job->steps->len; i++) {
        const JobStep *step = job->steps->pdata[i];
        const char *before = g_hash_table_lookup(progress->states, step->id);

        if (g_strcmp0(before, step->state) == 0)
            continue;
        if (progress->mode == PROGRESS_LIVE)
            print_step(progress, step);
        else if (is_worth_a_line(before, step->state))
            print_line(job, step);
        note_begin(progress, step);
        g_hash_table_insert(progress->states, g_strdup(step->id), g_strdup(step->state));
    }
}

void progress_update(Progress *progress, const Job *job, const Server *server, guint64 age_usec)
{
    if (progress->mode == PROGRESS_SILENT)
        return;
    clear(progress);
    show_steps(progress, job);
    if (progress->mode == PROGRESS_LIVE && !job_is_finished(job))
        paint(progress, job, server, age_usec);
    fflush(stdout);
}
