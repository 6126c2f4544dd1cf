#include "daemon/ask.h"
#include "daemon/daemon.h"
#include "daemon/instance.h"
#include "daemon/jobs.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "common/error.h"
#include "common/names.h"
#include "common/text.h"
#include "systemd/transient.h"

#include <unistd.h>
#include <glib/gstdio.h>

#define WORKER     LIBEXECDIR "/upgrade-job"
#define HELPER     LIBEXECDIR "/instance-helper"
#define LIMIT_USEC (5 * 60 * USEC_PER_SEC) /* a check asks every database a few things */
#define TRY_USEC   (9 * 60 * USEC_PER_SEC) /* each utility once or twice */
/* Checks cost the host something, and anybody with an active session may ask for them. */
#define ASKS_LIMIT 4

typedef struct {
    Daemon *daemon;
    char *key; /* what is asked: the same question is asked once */
    const char *type;
    const char *program; /* as messages call it */
    const char *verb;
    char *unit;
    char *output;
    GPtrArray *calls; /* Call, that wait for it */
    UnitCall *run;
} Ask;

static void ask_free(Ask *ask)
{
    unit_call_free(ask->run);
    g_ptr_array_unref(ask->calls);
    g_free(ask->key);
    g_free(ask->unit);
    g_free(ask->output);
    g_free(ask);
}

void ask_clean(Daemon *daemon)
{
    g_autofree char *path = path_runtime("instance");
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    const char *name;

    transient_forget_all(daemon->bus, "timesten-util-check-*");
    transient_forget_all(daemon->bus, "timesten-util-plan-*");
    transient_forget_all(daemon->bus, "timesten-util-try-*");
    transient_forget_all(daemon->bus, "timesten-util-repair-*");
    while (directory && (name = g_dir_read_name(directory)))
        if (g_str_has_suffix(name, ".out")) {
            g_autofree char *file = g_build_filename(path, name, NULL);

            g_unlink(file);
        }
}

void ask_free_all(Daemon *daemon)
{
    for (guint i = 0; i < daemon->asks->len; i++)
        ask_free(daemon->asks->pdata[i]);
    g_ptr_array_unref(daemon->asks);
}

/* "error BUSNAME message" in any line: what the program says before it ends with 1. */
static gboolean told_error(const char *output, GError **error)
{
    g_auto(GStrv) lines = g_strsplit(output, "\n", -1);

    for (guint i = 0; lines[i]; i++) {
        g_auto(GStrv) words = g_strsplit(lines[i], " ", 3);
        TuError code;

        if (g_strv_length(words) == 3 && g_str_equal(words[0], "error") &&
            tu_error_from_bus_name(words[1], &code)) {
            g_set_error_literal(error, TU_ERROR, code, words[2]);
            return TRUE;
        }
    }
    return FALSE;
}

/* The last line that is not empty: warnings of libraries come before the answer. */
static const char *last_line(char *output)
{
    char *newline;

    g_strchomp(output);
    newline = strrchr(output, '\n');
    return newline ? newline + 1 : output;
}

static GVariant *judge(const Ask *ask, const TransientOutcome *outcome, GError **error)
{
    g_autofree char *output = g_utf8_make_valid(outcome->output, -1);
    g_autofree char *shown = text_one_line(output, 400);
    g_autoptr(GError) problem = NULL;
    GVariant *answer = NULL;

    if (outcome->timed_out)
        g_set_error(error, TU_ERROR, TU_ERROR_DEADLINE_PASSED,
                    "%s %s took too long. journalctl -u %s tells more", ask->program, ask->verb,
                    ask->unit);
    else if (outcome->exit_status == 0)
        answer =
            g_variant_parse(G_VARIANT_TYPE(ask->type), last_line(output), NULL, NULL, &problem);
    if (outcome->timed_out || answer)
        return answer ? g_variant_ref_sink(answer) : NULL;
    if (problem)
        g_set_error(error, TU_ERROR, TU_ERROR_FAILED,
                    "The answer of %s %s cannot be read: %s. It printed: %s", ask->program, ask->verb,
                    problem->message, *shown ? shown : "nothing");
    else if (outcome->exit_status < 0)
        g_set_error(error, TU_ERROR, TU_ERROR_FAILED, "%s %s could not be run: %s",
                    ask->program, ask->verb, outcome->result);
    else if (!told_error(output, error))
        g_set_error(error, TU_ERROR, TU_ERROR_FAILED,
                    "%s %s ended with status %d. It printed: %s", ask->program, ask->verb,
                    outcome->exit_status, *shown ? shown : "nothing");
    return NULL;
}

static void on_done(const TransientOutcome *outcome, const GError *asked, gpointer data)
{
    Ask *ask = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) answer = NULL;

    /* Also where the answer was lost: PID 1 that re-executed itself may have started it all the
     * same. */
    transient_forget(ask->daemon->bus, ask->unit);
    if (asked)
        error = g_error_copy(asked);
    else
        answer = judge(ask, outcome, &error);
    g_unlink(ask->output);
    for (guint i = 0; i < ask->calls->len; i++) {
        Call *call = ask->calls->pdata[i];

        /* A check's one value is the whole answer; a plan's tuple is the body itself. */
        if (!answer)
            call_fail(call, error);
        else if (ask->type[0] == '(')
            call_reply(call, answer);
        else
            call_reply(call, g_variant_new_tuple(&answer, 1));
    }
    g_ptr_array_remove_fast(ask->daemon->asks, ask);
    ask_free(ask);
}

static Ask *find(const Daemon *daemon, const char *key)
{
    for (guint i = 0; i < daemon->asks->len; i++)
        if (g_str_equal(((Ask *)daemon->asks->pdata[i])->key, key))
            return daemon->asks->pdata[i];
    return NULL;
}

/* What is asked of which program. */
typedef struct {
    const char *program;
    const char *description;
    const char *type; /* of its answer */
    char **argv;      /* argv[1] is the verb */
    const char *user; /* NULL: root */
    guint64 limit_usec;
} Question;

/* Makes the question's unit; NULL where systemd cannot be asked. */
static Ask *start(Daemon *daemon, const Question *question, char **key)
{
    static guint questions;
    const char *verb = question->argv[1];
    g_autofree char *number = g_strdup_printf("%d.%u", (int)getpid(), ++questions);
    g_autofree char *file = g_strdup_printf("instance/%s-%s.out", verb, number);
    Ask *ask = g_new0(Ask, 1);

    *ask = (Ask){ .daemon = daemon,
                  .key = g_steal_pointer(key),
                  .type = question->type,
                  .program = question->program,
                  .verb = g_intern_string(verb),
                  .unit = transient_name(verb, number, NULL),
                  .output = path_runtime(file),
                  .calls = g_ptr_array_new() };
    ask->run =
        transient_run(daemon->bus,
                      &(TransientSpec){ .unit = ask->unit,
                                        .description = question->description,
                                        .argv = question->argv,
                                        .user = question->user,
                                        .output = ask->output,
                                        .limit_usec = question->limit_usec,
                                        .fresh = TRUE },
                      on_done, ask);
    if (!ask->run) {
        ask_free(ask);
        return NULL;
    }
    g_ptr_array_add(daemon->asks, ask);
    return ask;
}

static void ask_question(Call *call, const Question *question)
{
    g_autofree char *key = g_strjoinv("\n", question->argv);
    Ask *ask = find(call->object->daemon, key);

    if (!ask && call->object->daemon->asks->len >= ASKS_LIMIT) {
        call_fail_with(call, TU_ERROR_BUSY, "%d checks are at work. Wait for one of them",
                       ASKS_LIMIT);
        return;
    }
    if (!ask && !(ask = start(call->object->daemon, question, &key))) {
        call_fail_with(call, TU_ERROR_FAILED, "%s %s cannot be run: systemd cannot be asked",
                       question->program, question->argv[1]);
        return;
    }
    g_ptr_array_add(ask->calls, call);
}

static void ask_worker(Call *call, const char *verb, const char *type)
{
    g_autofree char *options = g_variant_print(call->options, TRUE);
    char *argv[] = { (char *)WORKER, (char *)verb, call->server, call->to, options, NULL };

    ask_question(call, &(Question){ .program = "upgrade-job",
                                    .description = "Look whether TimesTen can be upgraded, or repair what is in the way",
                                    .type = type,
                                    .argv = argv,
                                    .limit_usec = LIMIT_USEC });
}

void ask_trials(Call *call, const char *scratch)
{
    const InstanceConfig *config = ((const Instance *)call->object)->config;
    g_autoptr(GError) error = NULL;
    g_autofree char *user =
        config->admin ? g_strdup(config->admin) : facts_guess_admin(config->home, &error);
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

    if (!user) {
        call_fail(call, error);
        return;
    }
    g_ptr_array_add(words, g_strdup(HELPER));
    g_ptr_array_add(words, g_strdup("try"));
    g_ptr_array_add(words, g_strdup(config->home));
    if (config->release)
        g_ptr_array_add(words, g_strconcat("--release=", config->release, NULL));
    if (scratch)
        g_ptr_array_add(words, g_strconcat("--scratch=", scratch, NULL));
    g_ptr_array_add(words, NULL);
    ask_question(call, &(Question){ .program = "instance-helper",
                                    .description = "Try the facts on a TimesTen instance",
                                    .type = "a(ssssss)",
                                    .argv = (char **)words->pdata,
                                    .user = user,
                                    .limit_usec = TRY_USEC });
}

void ask_check(Call *call)
{
    ask_worker(call, "check", "a(sssss)");
}

void ask_plan(Call *call)
{
    ask_worker(call, "plan", "(sa(ssbt))");
}

/* A job has looked at what would be changed under it. */
void ask_repair(Call *call)
{
    const Job *job = jobs_unfinished(call->object->daemon, call->server);

    if (job) {
        call_fail_with(call, TU_ERROR_BUSY,
                       "Job %" G_GUINT64_FORMAT " works on server %s. Wait for its end, then repair",
                       job->id, call->server);
        return;
    }
    if (!options_has(call->options, "dry-run"))
        log_line(LOG_NOTICE, &(LogFields){ .server = call->server },
                 "Repairs before an upgrade of server %s to %s, asked for by user %u", call->server,
                 call->to, call_person(call));
    ask_worker(call, "repair", "a(sssss)");
}
