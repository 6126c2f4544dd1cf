/* revert-unconfirmed SERVER: run by timesten-revert@SERVER.service when nobody has confirmed the
 * server's upgrade in time. Asks for Server.Rollback over the bus until the server went back or
 * somebody confirmed it after all. It decides nothing and changes nothing: the file of the commit
 * says whether it waits, the job does the rest.
 */
#define SD_JOURNAL_SUPPRESS_LOCATION

#include "common/error.h"
#include "common/message.h"
#include "common/names.h"
#include "common/text.h"
#include "state/backing.h"
#include "state/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-journal.h>
#include <time.h>

/* The call returns when the job's checks have passed. */
#define CALL_USEC (60 * USEC_PER_SEC)
#define LOOK_USEC USEC_PER_SEC /* at the job, or at a clock that somebody may set */
/* Another job is at work, or the bus is away. */
#define SOON_USEC (5 * USEC_PER_SEC)
/* A rollback that failed kept clients waiting, and left a job: not again at once, and each time only
 * after twice as long, up to an hour. */
#define LATER_USEC (60 * USEC_PER_SEC)
#define DOUBLINGS  6

static void say(int priority, const char *server, const Backing *backing, const char *id,
                const char *text)
{
    sd_journal_send("MESSAGE=%s", text, "PRIORITY=%d", priority, "SERVER=%s", server, "FROM=%s",
                    backing->instance, "TO=%s", backing->previous, id ? "MESSAGE_ID=%s" : NULL, id,
                    NULL);
}

/* Waits without ever counting on a clock that can be set: what is left when this begins is the most
 * that it waits. FALSE: nobody waits for us any more. */
static gboolean await_deadline(const char *server, Backing **ret, GError **error)
{
    guint64 begun = g_get_monotonic_time(), most = 0;

    for (gboolean first = TRUE;; first = FALSE) {
        g_autoptr(Backing) backing = backing_load(server, error);
        guint64 left;

        if (!backing || !backing->unconfirmed || !backing->confirm_by)
            return FALSE;
        left = backing_confirm_left(backing);
        if (first)
            most = left;
        if (left == 0 || (guint64)g_get_monotonic_time() - begun >= most) {
            *ret = g_steal_pointer(&backing);
            return TRUE;
        }
        g_usleep(MIN(left, LOOK_USEC));
    }
}

static gboolean ask(const char *server, guint64 *ret_job, GError **error)
{
    g_autofree char *path = NULL;
    sd_bus_error refusal = SD_BUS_ERROR_NULL;
    sd_bus_message *call = NULL, *answer = NULL;
    sd_bus *bus = NULL;
    TuError code = TU_ERROR_FAILED;
    char *encoded = NULL;
    int r = sd_bus_open_system(&bus);

    if (r >= 0)
        r = sd_bus_path_encode(TU_SERVER_PATH, server, &encoded);
    if (r >= 0)
        r = sd_bus_message_new_method_call(bus, &call, TU_BUS_NAME, encoded, TU_SERVER_INTERFACE,
                                           "Rollback");
    if (r >= 0)
        r = sd_bus_message_append(call, "a{sv}", 0);
    if (r >= 0)
        r = sd_bus_call(bus, call, CALL_USEC, &refusal, &answer);
    if (r >= 0)
        r = sd_bus_message_read(answer, "to", ret_job, NULL);
    if (r < 0 && refusal.name && tu_error_from_bus_name(refusal.name, &code))
        g_set_error_literal(error, TU_ERROR, code, refusal.message);
    else if (r < 0)
        tu_error_errno(error, -r, "The service cannot be asked: %s",
                       refusal.message ? refusal.message : "no connection to the bus");
    sd_bus_error_free(&refusal);
    sd_bus_message_unref(call);
    sd_bus_message_unref(answer);
    sd_bus_flush_close_unref(bus);
    free(encoded);
    return r >= 0;
}

/* Until the job has an end; ERROR tells of one that did not go back. That one did is seen in the
 * file of the commit. */
static void await_end(guint64 job, GError **error)
{
    for (;;) {
        g_autoptr(RecordSummary) summary = record_load(job, NULL);

        if (summary && summary->finished && g_strcmp0(summary->result, "done") != 0)
            tu_error_set(error, TU_ERROR_NOT_POSSIBLE, "its rollback ended %s: %s",
                         summary->result, summary->message ? summary->message : "no reason told");
        if (!summary || summary->finished || summary->damaged)
            return;
        g_usleep(LOOK_USEC);
    }
}

static gboolean still_waits(const char *server)
{
    g_autoptr(Backing) backing = backing_load(server, NULL);

    return backing && backing->unconfirmed;
}

/* Says each new reason once. */
static void tell(const char *server, const Backing *backing, const GError *problem, char **said)
{
    g_autofree char *text = NULL;

    if (g_strcmp0(*said, problem->message) == 0)
        return;
    text = g_strdup_printf("Server %s cannot go back yet, it is tried again: %s", server,
                           problem->message);
    say(LOG_NOTICE, server, backing, NULL, text);
    g_free(*said);
    *said = g_strdup(problem->message);
}

/* Nothing was tried. */
static gboolean is_passing(const GError *problem)
{
    return problem && (g_error_matches(problem, TU_ERROR, TU_ERROR_BUSY) ||
                       g_error_matches(problem, TU_ERROR, TU_ERROR_FAILED));
}

static void revert(const char *server, const Backing *backing)
{
    g_autofree char *said = NULL;
    g_autofree char *text =
        g_strdup_printf("Nobody has confirmed the upgrade of server %s in time: it goes back from "
                        "instance %s to %s, and nothing is lost",
                        server, backing->instance, backing->previous);
    guint tries = 0;

    say(LOG_NOTICE, server, backing, MESSAGE_CONFIRM_PASSED, text);
    while (still_waits(server)) {
        g_autoptr(GError) problem = NULL;
        guint64 job, pause;

        if (ask(server, &job, &problem))
            await_end(job, &problem);
        if (problem)
            tell(server, backing, problem, &said);
        pause = is_passing(problem) ? SOON_USEC : LATER_USEC << MIN(tries++, DOUBLINGS);
        for (guint64 waited = 0; waited < pause && still_waits(server); waited += LOOK_USEC)
            g_usleep(LOOK_USEC);
    }
}

int main(int argc, char **argv)
{
    g_autoptr(Backing) backing = NULL;
    g_autoptr(GError) error = NULL;

    if (argc != 2 || !name_is_valid(argv[1])) {
        fputs("revert-unconfirmed SERVER\n\nLets a server go back whose upgrade nobody confirmed in "
              "time. Run by timesten-revert@SERVER.service.\n",
              stderr);
        return 2;
    }
    if (await_deadline(argv[1], &backing, &error))
        revert(argv[1], backing);
    if (!error)
        return EXIT_SUCCESS;
    fprintf(stderr, "%s\n", error->message);
    return EXIT_FAILURE;
}
