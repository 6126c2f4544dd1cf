/* Whether a caller may: asks polkit, asynchronously. Root is never asked about. Where polkit is
 * absent, silent or says no, nobody else may. It asks a person only where the message allows that.
 */
#pragma once

#include "daemon/call.h"

typedef struct BouncerCheck BouncerCheck;

/* REFUSAL is NULL for yes, and otherwise NOT_AUTHORIZED with the reason. */
typedef void (*BouncerAnswer)(const GError *refusal, gpointer call);
/* The caller left the bus: nobody wants the answer any more. Instead of the answer. */
typedef void (*BouncerGone)(gpointer call);

/* Asks for the call's action and details. Exactly one of the two callbacks follows, later, unless
 * the check is freed before. NULL: NOT_AUTHORIZED, polkit could not even be asked. */
BouncerCheck *bouncer_ask(Call *call, BouncerAnswer answer, BouncerGone gone, GError **error);

/* Takes a question back where it is still open. */
void bouncer_check_free(BouncerCheck *check);

/* The sender's effective user, as the bus itself knows it; G_MAXUINT32 where it does not. */
guint32 bouncer_user(sd_bus_message *message);
