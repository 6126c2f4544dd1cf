/* polkit and systemd for the tests of the daemon on a private bus, ordered about over the bus
 * itself.
 *
 * It answers what the daemon asks and nothing more, and writes records as a worker would. What it
 * was asked it remembers, so that a test can look. Never installed.
 */
#include "common/error.h"
#include "common/file.h"
#include "common/names.h"
#include "common/nick.h"
#include "port/keeper.h"
#include "state/backing.h"
#include "state/progress.h"
#include "state/record.h"
#include "state/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define UNITS "/org/freedesktop/systemd1/unit"

typedef struct {
    sd_bus *bus;
    GPtrArray *asked; /* one line for each question to polkit and order to systemd */
    char *polkit;     /* yes, no, challenge, silent, error */
    char *start;      /* how timesten-job@ starts: accept, refuse, dead, again, silent, error */
    char *output;     /* what transient programs print */
    int status;       /* and their exit status */
    gboolean transient_hangs;
    GPtrArray *silenced; /* questions to polkit without an answer */
    guint deaths;        /* of the generator, in as many reloads to come */
    guint refused;       /* calls of a flood that got Busy */
    GHashTable *units;   /* name → active state */
    guint jobs;
} Fake;

static void remember(Fake *fake, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void remember(Fake *fake, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(fake->asked, g_strdup_vprintf(format, args));
    va_end(args);
}

/* --- polkit
 * --------------------------------------------------------------------------------------- */

static int on_check(sd_bus_message *m, void *data, sd_bus_error *error)
{
    Fake *fake = data;
    const char *kind, *key, *value, *action, *sender, *cancellation;
    g_autoptr(GString) details = g_string_new(NULL);
    guint32 flags;

    sd_bus_message_enter_container(m, 'r', "sa{sv}");
    sd_bus_message_read(m, "s", &kind);
    sd_bus_message_enter_container(m, 'a', "{sv}");
    sd_bus_message_enter_container(m, 'e', "sv");
    sd_bus_message_read(m, "s", &key);
    sd_bus_message_read(m, "v", "s", &sender);
    sd_bus_message_exit_container(m);
    sd_bus_message_exit_container(m);
    sd_bus_message_exit_container(m);
    sd_bus_message_read(m, "s", &action);
    sd_bus_message_enter_container(m, 'a', "{ss}");
    while (sd_bus_message_read(m, "{ss}", &key, &value) > 0)
        g_string_append_printf(details, " %s=%s", key, value);
    sd_bus_message_exit_container(m);
    sd_bus_message_read(m, "us", &flags, &cancellation);
    remember(fake, "polkit %s%s flags=%u", action, details->str, flags);
    if (g_str_equal(fake->polkit, "error"))
        return sd_bus_error_set(error, "org.freedesktop.PolicyKit1.Error.Failed", "out of order");
    if (g_str_equal(fake->polkit, "silent")) {
        g_ptr_array_add(fake->silenced, sd_bus_message_ref(m));
        return 1;
    }
    return sd_bus_reply_method_return(m, "(bba{ss})", g_str_equal(fake->polkit, "yes"),
                                      g_str_equal(fake->polkit, "challenge"), 0);
}

static int on_cancel(sd_bus_message *m, void *data, sd_bus_error *error)
{
    remember(data, "polkit cancel");
    return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable polkit[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", on_check,
                  SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("CancelCheckAuthorization", "s", "", on_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

/* --- systemd
 * -------------------------------------------------------------------------------------- */

static void set_unit(Fake *fake, const char *unit, const char *state)
{
    char *path = NULL;

    g_hash_table_replace(fake->units, g_strdup(unit), g_strdup(state));
    sd_bus_path_encode(UNITS, unit, &path);
    sd_bus_emit_signal(fake->bus, path, "org.freedesktop.DBus.Properties", "PropertiesChanged",
                       "sa{sv}as", "org.freedesktop.systemd1.Unit", 1, "ActiveState", "s", state,
                       0);
    free(path);
}

static void write_line(guint64 id, RecordEvent event, const char *step, const char *key,
                       const char *value)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(RecordWriter) writer = record_open(id, &error);

    if (!writer || !record_append(writer, event, step, &error, key, value, NULL))
        g_error("%s", error->message);
}

static void write_plan(guint64 id)
{
    static const char *const steps[] = { "check", "announce", "hold", "commit", "resume" };

    for (guint i = 0; i < G_N_ELEMENTS(steps); i++)
        write_line(id, RECORD_PLAN, steps[i], "description", steps[i]);
    write_line(id, RECORD_START, "-", "boot", "x");
    write_line(id, RECORD_BEGIN, "check", NULL, NULL);
}

static gboolean is_retried(guint64 id)
{
    g_autoptr(RecordSummary) summary = record_load(id, NULL);

    return summary && summary->reopened;
}

static void refuse(guint64 id)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(RecordWriter) writer = record_open(id, &error);

    if (!writer || !record_append(writer, RECORD_FINISH, "-", &error, "result", "failed", "error",
                                  tu_error_row(TU_ERROR_CHECKS_FAILED)->bus_name, "message",
                                  "free-space: too little room", NULL))
        g_error("%s", error->message);
}

static void job_removed(Fake *fake, const char *unit, guint job, const char *result)
{
    g_autofree char *path = g_strdup_printf("/org/freedesktop/systemd1/job/%u", job);

    sd_bus_emit_signal(fake->bus, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                       "JobRemoved", "uoss", job, path, unit, result);
}

/* What the worker of the job would do, by the mode that the test chose. */
static const char *run_worker(Fake *fake, const char *unit, guint64 id)
{
    if (g_str_equal(fake->start, "silent"))
        return NULL;
    if (g_str_equal(fake->start, "dead")) {
        set_unit(fake, unit, "failed");
        return "failed";
    }
    if (g_str_equal(fake->start, "again")) { /* killed before it was ready, and started again */
        set_unit(fake, unit, "activating");
        return "failed";
    }
    set_unit(fake, unit, "activating");
    if (is_retried(id)) {
        g_autoptr(GError) problem = NULL;

        write_line(id, RECORD_RETRY, "-", NULL, NULL);
        if (!request_take_retry(id, &problem))
            g_error("%s", problem->message);
        set_unit(fake, unit, "active");
        return "done";
    }
    write_plan(id);
    if (g_str_equal(fake->start, "refuse")) {
        refuse(id);
        set_unit(fake, unit, "failed");
        return "failed";
    }
    write_line(id, RECORD_END, "check", NULL, NULL);
    set_unit(fake, unit, "active");
    return "done";
}

static int on_start(sd_bus_message *m, void *data, sd_bus_error *error)
{
    Fake *fake = data;
    const char *unit, *mode, *result;
    g_autofree char *path = NULL;
    guint64 id = 0;

    sd_bus_message_read(m, "ss", &unit, &mode);
    remember(fake, "start %s", unit);
    if (g_str_equal(fake->start, "error"))
        return sd_bus_error_set(error, "org.freedesktop.systemd1.NoSuchUnit", "no such unit");
    if (sscanf(unit, "timesten-job@%" G_GUINT64_FORMAT ".service", &id) != 1)
        return sd_bus_error_set(error, SD_BUS_ERROR_FAILED, "only jobs are started here");
    path = g_strdup_printf("/org/freedesktop/systemd1/job/%u", ++fake->jobs);
    sd_bus_reply_method_return(m, "o", path);
    result = run_worker(fake, unit, id);
    if (result)
        job_removed(fake, unit, fake->jobs, result);
    return 1;
}

/* What the unit's environment says, where words stand that no command line can hold; g_free(). */
static char *read_environment(sd_bus_message *m)
{
    char **words = NULL;
    char *text;

    sd_bus_message_enter_container(m, 'v', "as");
    sd_bus_message_read_strv(m, &words);
    sd_bus_message_exit_container(m);
    text = words ? g_strjoinv(" ", words) : NULL;
    for (guint i = 0; words && words[i]; i++)
        free(words[i]);
    free(words);
    return text;
}

/* Writes what the program is said to print where the unit's properties want it. */
static int on_transient(sd_bus_message *m, void *data, sd_bus_error *error)
{
    Fake *fake = data;
    const char *unit, *mode, *name, *type, *file = NULL, *user = "root";
    g_autofree char *words = NULL;
    char kind;

    sd_bus_message_read(m, "ss", &unit, &mode);
    sd_bus_message_enter_container(m, 'a', "(sv)");
    while (sd_bus_message_enter_container(m, 'r', "sv") > 0) {
        sd_bus_message_read(m, "s", &name);
        sd_bus_message_peek_type(m, &kind, &type);
        if (g_str_equal(name, "StandardOutputFileToTruncate"))
            sd_bus_message_read(m, "v", "s", &file);
        else if (g_str_equal(name, "User"))
            sd_bus_message_read(m, "v", "s", &user);
        else if (g_str_equal(name, "Environment"))
            words = read_environment(m);
        else
            sd_bus_message_skip(m, "v");
        sd_bus_message_exit_container(m);
    }
    remember(fake, "run %s as %s %s", unit, user, words ? words : "");
    if (file)
        g_file_set_contents(file, fake->output, -1, NULL);
    g_hash_table_replace(fake->units, g_strdup(unit),
                         g_strdup(fake->transient_hangs ? "activating"
                                  : fake->status        ? "failed"
                                                        : "active"));
    return sd_bus_reply_method_return(m, "o", "/org/freedesktop/systemd1/job/1");
}

static int on_nothing(sd_bus_message *m, void *data, sd_bus_error *error)
{
    return sd_bus_reply_method_return(m, NULL);
}

/* systemd empties the directory, and the generator leaves its mark where it comes to its end. */
static int on_reload(sd_bus_message *m, void *data, sd_bus_error *error)
{
    Fake *fake = data;
    g_autofree char *mark = path_generated(GENERATOR_RAN);
    g_autofree char *directory = g_path_get_dirname(mark);

    remember(fake, "reload");
    unlink(mark);
    g_mkdir_with_parents(directory, 0755);
    if (fake->deaths > 0)
        fake->deaths--;
    else if (!g_file_set_contents(mark, "", 0, NULL))
        g_error("cannot write %s", mark);
    return sd_bus_reply_method_return(m, NULL);
}

static int on_stop(sd_bus_message *m, void *data, sd_bus_error *error)
{
    Fake *fake = data;
    const char *unit, *mode;

    sd_bus_message_read(m, "ss", &unit, &mode);
    g_hash_table_remove(fake->units, unit);
    return sd_bus_reply_method_return(m, "o", "/org/freedesktop/systemd1/job/1");
}

static const sd_bus_vtable manager[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Subscribe", "", "", on_nothing, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Reload", "", "", on_reload, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("StartUnit", "ss", "o", on_start, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("RestartUnit", "ss", "o", on_start, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("StopUnit", "ss", "o", on_stop, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ResetFailedUnit", "s", "", on_nothing, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("StartTransientUnit", "ssa(sv)a(sa(sv))", "o", on_transient,
                  SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static int on_unit(sd_bus_message *m, void *data, sd_bus_error *error)
{
    Fake *fake = data;
    char *unit = NULL;
    const char *state;
    int r;

    if (!sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Properties", "GetAll") ||
        sd_bus_path_decode(sd_bus_message_get_path(m), UNITS, &unit) <= 0)
        return 0;
    state = g_hash_table_lookup(fake->units, unit);
    r = sd_bus_reply_method_return(m, "a{sv}", 5, "ActiveState", "s", state ? state : "inactive",
                                   "LoadState", "s", state ? "loaded" : "not-found", "Result", "s",
                                   "success", "ExecMainCode", "i", state ? 1 : 0, "ExecMainStatus",
                                   "i", fake->status);
    free(unit);
    return r < 0 ? r : 1;
}

/* --- orders of the test
 * --------------------------------------------------------------------------- */

static int on_set(sd_bus_message *m, void *data, sd_bus_error *error)
{
    Fake *fake = data;
    const char *what, *value;

    sd_bus_message_read(m, "ss", &what, &value);
    if (g_str_equal(what, "polkit")) {
        g_free(fake->polkit);
        fake->polkit = g_strdup(value);
    } else if (g_str_equal(what, "start")) {
        g_free(fake->start);
        fake->start = g_strdup(value);
    } else if (g_str_equal(what, "output")) {
        g_free(fake->output);
        fake->output = g_strdup(value);
    } else if (g_str_equal(what, "status")) {
        fake->status = atoi(value);
    } else if (g_str_equal(what, "generator-deaths")) {
        fake->deaths = atoi(value);
    } else if (g_str_equal(what, "hang")) {
        fake->transient_hangs = g_str_equal(value, "yes");
    } else {
        set_unit(fake, what, value);
    }
    return sd_bus_reply_method_return(m, NULL);
}

static int on_asked(sd_bus_message *m, void *data, sd_bus_error *error)
{
    Fake *fake = data;
    sd_bus_message *reply = NULL;
    int r = sd_bus_message_new_method_return(m, &reply);

    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'a', "s");
    for (guint i = 0; r >= 0 && i < fake->asked->len; i++)
        r = sd_bus_message_append(reply, "s", fake->asked->pdata[i]);
    if (r >= 0)
        r = sd_bus_message_close_container(reply);
    if (r >= 0)
        r = sd_bus_send(NULL, reply, NULL);
    sd_bus_message_unref(reply);
    g_ptr_array_set_size(fake->asked, 0);
    return r < 0 ? r : 1;
}

/* What polkit was silent about gets its yes now. */
static int on_answer(sd_bus_message *m, void *data, sd_bus_error *error)
{
    Fake *fake = data;

    for (guint i = 0; i < fake->silenced->len; i++)
        sd_bus_reply_method_return(fake->silenced->pdata[i], "(bba{ss})", 1, 0, 0);
    g_ptr_array_set_size(fake->silenced, 0);
    return sd_bus_reply_method_return(m, NULL);
}

static int on_flood_answer(sd_bus_message *reply, void *data, sd_bus_error *error)
{
    Fake *fake = data;

    fake->refused += sd_bus_message_is_method_error(reply, tu_error_row(TU_ERROR_BUSY)->bus_name);
    return 0;
}

static int on_flood(sd_bus_message *m, void *data, sd_bus_error *error)
{
    Fake *fake = data;
    guint32 count;

    sd_bus_message_read(m, "u", &count);
    fake->refused = 0;
    for (guint i = 0; i < count; i++)
        sd_bus_call_method_async(fake->bus, NULL, TU_BUS_NAME, TU_SERVER_PATH "/main",
                                 TU_SERVER_INTERFACE, "Check", on_flood_answer, fake, "sa{sv}",
                                 "tt70", 0);
    return sd_bus_reply_method_return(m, NULL);
}

static int on_flooded(sd_bus_message *m, void *data, sd_bus_error *error)
{
    return sd_bus_reply_method_return(m, "u", ((Fake *)data)->refused);
}

static int on_record(sd_bus_message *m, void *data, sd_bus_error *error)
{
    guint64 id;
    guint32 event;
    const char *step, *key, *value;

    sd_bus_message_read(m, "tusss", &id, &event, &step, &key, &value);
    write_line(id, event, step, *key ? key : NULL, value);
    return sd_bus_reply_method_return(m, NULL);
}

static int on_progress(sd_bus_message *m, void *data, sd_bus_error *error)
{
    JobProgress progress = { .can_cancel = TRUE, .remaining_usec = 5000000, .detail = (char *)"" };
    g_autoptr(GError) problem = NULL;
    g_autofree char *directory = NULL;
    guint64 id;

    sd_bus_message_read(m, "tssd", &id, &progress.state, &progress.step, &progress.fraction);
    directory = path_progress(id, NULL);
    g_mkdir_with_parents(directory, 0755);
    if (!progress_write(id, &progress, &problem))
        g_error("%s", problem->message);
    return sd_bus_reply_method_return(m, NULL);
}

/* A status as the keeper of server "main" would publish it; this process stands for the keeper. */
static int on_keeper(sd_bus_message *m, void *data, sd_bus_error *error)
{
    KeeperStatus status = { .backend = (char *)"127.0.0.1:26002", .queue_limit = 4096 };
    g_autoptr(GError) problem = NULL;
    g_autofree char *directory = path_keeper("main", NULL);
    g_autofree char *path = path_keeper("main", "status");
    g_autofree char *line = NULL;
    g_autofree char *text = NULL;
    const char *state;
    int value;

    sd_bus_message_read(m, "suutt", &state, &status.sessions, &status.held, &status.hold_since,
                        &status.hold_deadline);
    if (!nick_parse(keeper_state_nicks, state, &value))
        return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "no state of a keeper");
    status.state = value;
    line = keeper_status_format(&status);
    text = g_strdup_printf("%s pid=%d\n", line, (int)getpid());
    g_mkdir_with_parents(directory, 0755);
    if (!file_replace(path, text, -1, 0644, &problem))
        g_error("%s", problem->message);
    return sd_bus_reply_method_return(m, NULL);
}

static int on_commit(sd_bus_message *m, void *data, sd_bus_error *error)
{
    Backing backing = { .job = 1, .since = 1 };
    g_autoptr(GError) problem = NULL;
    const char *server;

    sd_bus_message_read(m, "sss", &server, &backing.instance, &backing.previous);
    if (!*backing.previous)
        backing.previous = NULL;
    if (!backing_commit(server, &backing, &problem))
        g_error("%s", problem->message);
    return sd_bus_reply_method_return(m, NULL);
}

/* What an upgrade by the method online leaves: deadline in µs from now, 0 none; and what a
 * confirmation makes of it. */
static int on_commit_online(sd_bus_message *m, void *data, sd_bus_error *error)
{
    Backing backing = { .job = 1, .method = (char *)"online", .unconfirmed = TRUE };
    g_autoptr(GError) problem = NULL;
    const char *server;
    guint64 within, confirmed_by;

    backing.since = g_get_real_time();
    sd_bus_message_read(m, "ssstt", &server, &backing.instance, &backing.previous, &within,
                        &confirmed_by);
    backing_set_deadline(&backing, within);
    if (confirmed_by)
        backing_confirm(&backing, confirmed_by);
    if (!backing_commit(server, &backing, &problem))
        g_error("%s", problem->message);
    g_free(backing.confirm_boot);
    return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable orders[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Set", "ss", "", on_set, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Asked", "", "as", on_asked, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Answer", "", "", on_answer, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Flood", "u", "", on_flood, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Flooded", "", "u", on_flooded, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Keeper", "suutt", "", on_keeper, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Commit", "sss", "", on_commit, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("CommitOnline", "ssstt", "", on_commit_online, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Record", "tusss", "", on_record, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Progress", "tssd", "", on_progress, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static void forget(gpointer message)
{
    sd_bus_message_unref(message);
}

int main(int argc, char **argv)
{
    Fake fake = { .polkit = g_strdup("yes"), .start = g_strdup("accept"), .output = g_strdup("") };
    sd_event *event = NULL;

    if (argc != 2)
        return 2;
    path_set_root(argv[1]);
    fake.asked = g_ptr_array_new_with_free_func(g_free);
    fake.silenced = g_ptr_array_new_with_free_func(forget);
    fake.units = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (sd_event_default(&event) < 0 || sd_bus_open_system(&fake.bus) < 0 ||
        sd_bus_attach_event(fake.bus, event, 0) < 0 ||
        sd_bus_add_object_vtable(fake.bus, NULL, "/org/freedesktop/PolicyKit1/Authority",
                                 "org.freedesktop.PolicyKit1.Authority", polkit, &fake) < 0 ||
        sd_bus_add_object_vtable(fake.bus, NULL, "/org/freedesktop/systemd1",
                                 "org.freedesktop.systemd1.Manager", manager, &fake) < 0 ||
        sd_bus_add_fallback(fake.bus, NULL, UNITS, on_unit, &fake) < 0 ||
        sd_bus_add_object_vtable(fake.bus, NULL, "/", "org.timesten.Fake", orders, &fake) < 0 ||
        sd_bus_request_name(fake.bus, "org.freedesktop.PolicyKit1", 0) < 0 ||
        sd_bus_request_name(fake.bus, "org.freedesktop.systemd1", 0) < 0 ||
        sd_bus_request_name(fake.bus, "org.timesten.Fake", 0) < 0)
        return 1;
    return sd_event_loop(event) < 0;
}
