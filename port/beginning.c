#include "port/beginning.h"
#include "port/heir.h"
#include "port/socket.h"
#include "common/nick.h"
#include "common/text.h"

/* What OPTIONS ask for. Without a usable backend clients are told so instead of being made to wait.
 */
static Saved *configured_state(const GateOptions *options)
{
    Saved *first = g_new0(Saved, 1);
    g_autoptr(GError) error = NULL;
    Address address;

    if (options->backend &&
        (heir_is(options->backend) ? heir_check(options->backend, &error)
                                   : address_parse(options->backend, &address, &error)))
        first->backend = g_strdup(options->backend);
    else
        g_warning("TIMESTEN_BACKEND= names no backend for server %s%s%s", options->server,
                  error ? ": " : "", error ? error->message : "");
    if (options->hold_usec > 0) {
        first->state = KEEPER_HOLD;
        first->since = boottime_now();
        first->deadline = first->since + MIN(options->hold_usec, HOLD_LIMIT_USEC);
    } else {
        first->state = first->backend ? KEEPER_OPEN : KEEPER_REFUSE;
    }
    return first;
}

Saved *beginning_state(const GateOptions *options, gboolean *ret_recovered)
{
    g_autoptr(GError) error = NULL;
    gboolean missing = FALSE;
    g_autoptr(Saved) left = saved_load(options->server, &missing, &error);
    Saved *first;

    *ret_recovered = FALSE;
    if (missing)
        return configured_state(options);
    if (!left) {
        GateOptions held = *options;

        held.hold_usec = options->hold_usec > 0 ? options->hold_usec : MAX(options->wait_usec, 1);
        g_warning("%s. Server %s is held to be safe. Resume it when no job is at work on it",
                  error->message, options->server);
        return configured_state(&held);
    }
    /* A hold that was stopped with the service and ran out meanwhile is over and has hurt nobody.
     */
    if (left->stopped && saved_is_held(left) && left->deadline <= boottime_now())
        return configured_state(options);
    *ret_recovered = !left->stopped;
    left->stopped = 0;
    if (left->state == KEEPER_DRAIN) { /* the sessions died with the last keeper */
        left->state = KEEPER_HOLD;
        left->drain_end = 0;
    }
    first = g_steal_pointer(&left);
    g_message("Going on where the last keeper was: %s", nick_of(keeper_state_nicks, first->state));
    return first;
}

void beginning_check_backend(Saved *first, const char *server, const Listeners *listeners)
{
    Address address;

    if (!first->backend || !address_parse(first->backend, &address, NULL) ||
        !listeners_are_at(listeners, &address))
        return;
    g_warning("The backend %s is the public port of server %s itself: clients are refused. Name "
              "another PrivatePort=",
              first->backend, server);
    g_clear_pointer(&first->backend, g_free);
    if (first->state == KEEPER_OPEN)
        first->state = KEEPER_REFUSE;
}
