#include "daemon/bouncer.h"
#include "daemon/daemon.h"
#include "common/error.h"
#include "common/text.h"

#define POLKIT_NAME      "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define INTERACTIVE      1u /* AllowUserInteraction */

/* A person types a password; polkit alone answers in milliseconds, or after it was started. The
 * second limit is shorter than what callers give a method (25 s), so that they are told why. */
#define PERSON_LIMIT_USEC (120 * USEC_PER_SEC)
#define POLKIT_LIMIT_USEC (20 * USEC_PER_SEC)

/* A bus lets us have 128 questions open at a time, those to systemd included; with more than these
 * at polkit nobody could begin anything. The others wait for their turn, and no user has all. */
#define QUESTIONS_LIMIT      96
#define QUESTIONS_USER_LIMIT 32

struct BouncerCheck {
    Call *call;
    guint64 turn;
    BouncerAnswer answer;
    BouncerGone gone;
    sd_bus *bus;
    sd_bus_slot *slot;  /* NULL: answered, or not yet its turn */
    sd_bus_slot *alive; /* while a person may type: whether polkit itself is there */
    sd_bus_track *caller;
    gboolean interactive;
    gboolean waits;     /* for its turn */
    char *cancellation; /* id under which polkit knows the question */
};

guint32 bouncer_user(sd_bus_message *message)
{
    sd_bus_creds *creds = NULL;
    uid_t uid = (uid_t)-1;

    if (sd_bus_query_sender_creds(message, SD_BUS_CREDS_EUID, &creds) < 0 ||
        sd_bus_creds_get_euid(creds, &uid) < 0)
        uid = (uid_t)-1;
    sd_bus_creds_unref(creds);
    return uid;
}

static void withdraw(BouncerCheck *check)
{
    check->slot = sd_bus_slot_unref(check->slot);
    /* Takes an open dialogue off the person's screen. */
    sd_bus_call_method_async(check->bus, NULL, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                             "CancelCheckAuthorization", NULL, NULL, "s", check->cancellation);
}

void bouncer_check_free(BouncerCheck *check)
{
    if (!check)
        return;
    sd_bus_slot_unref(check->alive);
    if (check->slot)
        withdraw(check);
    sd_bus_track_unref(check->caller);
    sd_bus_unref(check->bus);
    g_free(check->cancellation);
    g_free(check);
}

static void refuse(GError **error, const char *action, const char *why)
{
    g_set_error(error, TU_ERROR, TU_ERROR_NOT_AUTHORIZED, "%s (polkit action %s)", why, action);
}

/* polkit's answer as an error, or NULL for yes. */
static void judge(sd_bus_message *reply, const BouncerCheck *check, GError **error)
{
    const sd_bus_error *e = sd_bus_message_get_error(reply);
    const char *action = check->call->row->action;
    int authorized = 0, challenge = 0;

    if (e) {
        g_autofree char *text = text_one_line(e->message ? e->message : e->name, 200);
        g_autofree char *why = g_strdup_printf("Not allowed, because polkit did not answer: %s. "
                                               "Look at polkit.service, or call as root",
                                               text);

        refuse(error, action, why);
    } else if (sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
               sd_bus_message_read(reply, "bb", &authorized, &challenge) < 0) {
        refuse(error, action, "Not allowed, because polkit's answer cannot be read");
    } else if (!authorized && challenge) {
        refuse(error, action,
               check->interactive
                   ? "Not allowed without authentication, for which nobody was there. "
                     "Start a polkit agent (pkttyagent), or call as root"
                   : "Not allowed without authentication, and the call did not let "
                     "polkit ask. Allow interactive authorization, or call as root");
    } else if (!authorized) {
        refuse(error, action,
               "Not allowed. Ask an administrator for a polkit rule, or call as root");
    }
}

static void ask_waiting(const Daemon *daemon);

static int on_reply(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    BouncerCheck *check = data;
    g_autoptr(GError) refusal = NULL;

    judge(reply, check, &refusal);
    if (sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NO_REPLY) ||
        sd_bus_message_is_method_error(reply, SD_BUS_ERROR_TIMEOUT))
        withdraw(check);
    check->slot = sd_bus_slot_unref(check->slot);
    ask_waiting(check->call->object->daemon);
    check->answer(refusal, check->call);
    return 1;
}

/* A polkit that does not even answer a ping will show nobody a dialogue. */
static int on_alive(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    BouncerCheck *check = data;
    const Daemon *daemon = check->call->object->daemon;
    g_autoptr(GError) refusal = NULL;

    check->alive = sd_bus_slot_unref(check->alive);
    if (!sd_bus_message_is_method_error(reply, NULL))
        return 1;
    judge(reply, check, &refusal);
    withdraw(check);
    check->answer(refusal, check->call);
    ask_waiting(daemon);
    return 1;
}

static int ping(BouncerCheck *check)
{
    sd_bus_message *question = NULL;
    int r = sd_bus_message_new_method_call(check->bus, &question, POLKIT_NAME, POLKIT_PATH,
                                           "org.freedesktop.DBus.Peer", "Ping");

    if (r >= 0)
        r = sd_bus_call_async(check->bus, &check->alive, question, on_alive, check,
                              POLKIT_LIMIT_USEC);
    sd_bus_message_unref(question);
    return r;
}

static int on_gone(sd_bus_track *track, void *data)
{
    BouncerCheck *check = data;
    const Daemon *daemon = check->call->object->daemon;

    check->gone(check->call);
    ask_waiting(daemon);
    return 1;
}

static int append_details(sd_bus_message *m, const Call *call)
{
    const struct {
        const char *key, *value;
    } details[] = {
        { "server", call->server },
        { "from", call->from },
        { "to", call->to },
        { "method", call->method },
        { "unit", call->unit },
    };
    int r = sd_bus_message_open_container(m, 'a', "{ss}");

    for (guint i = 0; r >= 0 && i < G_N_ELEMENTS(details); i++)
        if (details[i].value)
            r = sd_bus_message_append(m, "{ss}", details[i].key, details[i].value);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int build(BouncerCheck *check, sd_bus_message **ret)
{
    Call *call = check->call;
    int r = sd_bus_message_new_method_call(check->bus, ret, POLKIT_NAME, POLKIT_PATH,
                                           POLKIT_INTERFACE, "CheckAuthorization");

    /* The subject is the name on the bus: a process id could be another's by now. */
    if (r >= 0)
        r = sd_bus_message_append(*ret, "(sa{sv})s", "system-bus-name", 1, "name", "s",
                                  call->sender, call->row->action);
    if (r >= 0)
        r = append_details(*ret, call);
    if (r >= 0)
        r = sd_bus_message_append(*ret, "us", check->interactive ? INTERACTIVE : 0u,
                                  check->cancellation);
    return r;
}

/* --- turns ------------------------------------------------------------------------------------ */

static gboolean has_turn(const BouncerCheck *check)
{
    const GPtrArray *calls = check->call->object->daemon->calls;
    guint all = 0, user = 0;

    for (guint i = 0; i < calls->len; i++) {
        const Call *other = calls->pdata[i];

        if (!other->check || !other->check->slot)
            continue;
        all++;
        user += other->user == check->call->user;
    }
    return all < QUESTIONS_LIMIT && user < QUESTIONS_USER_LIMIT;
}

static gboolean send_question(BouncerCheck *check, GError **error)
{
    sd_bus_message *question = NULL;
    int r = build(check, &question);

    if (r >= 0)
        r = sd_bus_call_async(check->bus, &check->slot, question, on_reply, check,
                              check->interactive ? PERSON_LIMIT_USEC : POLKIT_LIMIT_USEC);
    sd_bus_message_unref(question);
    if (r >= 0 && check->interactive)
        r = ping(check);
    if (r >= 0)
        return TRUE;
    g_set_error(error, TU_ERROR, TU_ERROR_NOT_AUTHORIZED,
                "Not allowed, because polkit cannot be asked: %s (polkit action %s)",
                g_strerror(-r), check->call->row->action);
    return FALSE;
}

/* Of those whose turn it may be the one that has waited longest; NULL none. */
static BouncerCheck *find_waiting(const Daemon *daemon)
{
    BouncerCheck *found = NULL;

    for (guint i = 0; i < daemon->calls->len; i++) {
        BouncerCheck *check = ((Call *)daemon->calls->pdata[i])->check;

        if (check && check->waits && (!found || check->turn < found->turn) && has_turn(check))
            found = check;
    }
    return found;
}

static void ask_waiting(const Daemon *daemon)
{
    BouncerCheck *check;

    while ((check = find_waiting(daemon))) {
        g_autoptr(GError) error = NULL;

        check->waits = FALSE;
        if (!send_question(check, &error))
            check->answer(error, check->call);
    }
}

BouncerCheck *bouncer_ask(Call *call, BouncerAnswer answer, BouncerGone gone, GError **error)
{
    static guint64 questions;
    BouncerCheck *check = g_new0(BouncerCheck, 1);
    int r;

    questions++;
    *check = (BouncerCheck){
        .call = call,
        .turn = questions,
        .answer = answer,
        .gone = gone,
        .bus = sd_bus_ref(sd_bus_message_get_bus(call->message)),
        .interactive = sd_bus_message_get_allow_interactive_authorization(call->message) > 0,
        .cancellation = g_strdup_printf("timesten-upgrade-%" G_GUINT64_FORMAT, questions),
    };
    r = sd_bus_track_new(check->bus, &check->caller, on_gone, check);
    if (r >= 0)
        r = sd_bus_track_add_sender(check->caller, call->message);
    check->waits = r >= 0 && !has_turn(check);
    if (r < 0)
        g_set_error(error, TU_ERROR, TU_ERROR_NOT_AUTHORIZED,
                    "Not allowed, because the caller cannot be followed: %s (polkit action %s)",
                    g_strerror(-r), call->row->action);
    else if (check->waits || send_question(check, error))
        return check;
    bouncer_check_free(check);
    return NULL;
}
