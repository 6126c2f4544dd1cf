/* The questions and orders of a job that run nothing: units of systemd, and the keeper.
 * Each may be asked twice, so a lost connection or a killed keeper is no failure. Called by steps
 * through runner.h.
 */
#include "job/runner.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"
#include "port/keeper.h"
#include "systemd/generator.h"
#include "systemd/log.h"
#include "systemd/transient.h"

#define KEEPER_TIMEOUT_USEC (10 * USEC_PER_SEC)
/* A keeper that was killed is back within a second; every word to it may be said twice. */
#define KEEPER_TRIES      4
#define KEEPER_PAUSE_USEC (500 * USEC_PER_MSEC)
#define RELOAD_PAUSE_USEC (200 * USEC_PER_MSEC)

typedef struct {
    gboolean ended;
    char *word;
    GError *error;
} Answer;

static void answer_clear(Answer *answer)
{
    g_free(answer->word);
    g_clear_error(&answer->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Answer, answer_clear)

static void on_job_done(const char *result, const GError *error, gpointer data)
{
    Answer *answer = data;

    answer->ended = TRUE;
    answer->word = g_strdup(result);
    answer->error = error ? g_error_copy(error) : NULL;
}

static void on_state_read(const UnitState *state, const GError *error, gpointer data)
{
    on_job_done(state ? state->active_state : NULL, error, data);
}

typedef UnitCall *(*Question)(Job *job, gint verb, const char *unit, Answer *answer);

static UnitCall *ask_verb(Job *job, gint verb, const char *unit, Answer *answer)
{
    return unit_verb(job->bus, verb, unit, on_job_done, answer);
}

static UnitCall *ask_reload(Job *job, gint verb, const char *unit, Answer *answer)
{
    return unit_reload_all(job->bus, on_job_done, answer);
}

static UnitCall *ask_state(Job *job, gint verb, const char *unit, Answer *answer)
{
    return unit_read(job->bus, unit, on_state_read, answer);
}

static UnitCall *ask_forget(Job *job, gint verb, const char *pattern, Answer *answer)
{
    return transient_forget_surely(job->bus, pattern, on_job_done, answer);
}

/* Asks and waits; asks again after a lost connection. All questions may be asked twice. */
static char *ask(Job *job, Question question, gint verb, const char *unit, GError **error)
{
    guint tries = 0;

    for (;;) {
        g_auto(Answer) answer = { 0 };
        g_autoptr(UnitCall) call = question(job, verb, unit, &answer);

        if (call && !job_wait(job, &answer.ended, error))
            return NULL;
        if (answer.word)
            return g_steal_pointer(&answer.word);
        if (job_regain_bus(job, &tries, error))
            continue;
        if (answer.error && (!error || !*error))
            g_propagate_error(error, g_steal_pointer(&answer.error));
        else if (error && !*error)
            g_set_error(error, TU_ERROR, TU_ERROR_FAILED, "Cannot ask systemd about %s", unit);
        return NULL;
    }
}

static UnitCall *ask_enable(Job *job, gint on, const char *unit, Answer *answer)
{
    return unit_enable(job->bus, unit, on, on_job_done, answer);
}

gboolean run_enable(Job *job, const char *unit, gboolean on, GError **error)
{
    g_autofree char *result = ask(job, ask_enable, on, unit, error);

    return result != NULL;
}

static const char *const verb_words[N_UNIT_VERBS] = { "start", "stop", "restart" };

gboolean run_unit(Job *job, UnitVerb verb, const char *unit, GError **error)
{
    g_autofree char *result = ask(job, ask_verb, verb, unit, error);
    g_autofree char *said = NULL;

    if (!result)
        return FALSE;
    if (g_str_equal(result, "done"))
        return TRUE;
    said = log_last_line(unit);
    g_set_error(error, TU_ERROR, TU_ERROR_UTILITY_FAILED,
                "systemd could not %s %s (%s)%s%s%s. See systemctl status %s and journalctl -u %s",
                verb_words[verb], unit, result, said ? "; it last printed \"" : "",
                said ? said : "", said ? "\"" : "", unit, unit);
    return FALSE;
}

/* Without the generator the keeper of an upgraded server would begin with the old release. */
gboolean run_daemon_reload(Job *job, GError **error)
{
    for (guint tries = 0; tries < GENERATOR_TRIES; tries++) {
        g_autofree char *result = NULL;

        if (tries && !job_sleep(job, RELOAD_PAUSE_USEC, error))
            return FALSE;
        result = ask(job, ask_reload, 0, "its configuration", error);
        if (!result)
            return FALSE;
        if (generator_ran())
            return TRUE;
        g_message("timesten-generator did not come to its end; systemd is told to reload again");
    }
    return generator_fail("ttctl retry", error);
}

char *run_unit_state(Job *job, const char *unit, GError **error)
{
    return ask(job, ask_state, 0, unit, error);
}

static void forget(Job *job, const char *pattern)
{
    g_autoptr(GError) problem = NULL;

    g_free(ask(job, ask_forget, 0, pattern, &problem));
    if (problem && !job->stopping)
        g_message("%s, ignoring", problem->message);
}

void run_forget_short(Job *job, const Side *side)
{
    g_autofree char *pattern =
        g_strdup_printf("timesten-util-%s-%s-*", job->tag, side->config->name);

    forget(job, pattern);
}

void run_forget_all(Job *job)
{
    g_autofree char *pattern = g_strdup_printf("timesten-util-%s-*", job->tag);

    forget(job, pattern);
}

gboolean run_keeper(Job *job, GError **error, const char *format, ...)
{
    g_autofree char *command = NULL;
    g_autoptr(GError) problem = NULL;
    va_list args;

    va_start(args, format);
    command = g_strdup_vprintf(format, args);
    va_end(args);
    for (guint tries = 0; tries < KEEPER_TRIES; tries++) {
        g_autofree char *answer = NULL;

        if (tries && !job_sleep(job, KEEPER_PAUSE_USEC, error))
            return FALSE;
        g_clear_error(&problem);
        answer = keeper_say(job->server->name, command, KEEPER_TIMEOUT_USEC, &problem);
        if (answer)
            return TRUE;
        g_message("%s; trying again", problem->message);
    }
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}
