/* What every question to PID 1 is made of; private to this folder. */
#pragma once

#include "systemd/facts.h"

#define PID1_NAME      "org.freedesktop.systemd1"
#define PID1_PATH      "/org/freedesktop/systemd1"
#define PID1_INTERFACE "org.freedesktop.systemd1.Manager"

/* daemon-reload of a large host takes seconds; start of a unit is answered before it runs. */
#define PID1_TIMEOUT_USEC (90 * G_USEC_PER_SEC)

struct UnitCall {
    sd_bus *bus;
    sd_bus_slot *reply; /* of the method call under way */
    sd_bus_slot *match; /* JobRemoved, or PropertiesChanged of the unit */
    sd_bus_slot *lost;  /* Disconnected: an end that is waited for will never be told */
    sd_event_source *timer;
    GDestroyNotify clear; /* of the part below */
    char *unit;
    char *job; /* object path of systemd's job */
    UnitJobDone job_done;
    UnitStateRead state_done;
    UnitFactsRead facts_done;
    void *transient; /* owned by transient.c */
    gpointer data;
};

UnitCall *unit_call_new(sd_bus *bus, const char *unit, gpointer data);

/* A match on a signal of PID 1. On a direct connection to PID 1 messages carry no sender, so none
 * is asked for there. */
int unit_match(UnitCall *call, const char *path, const char *interface, const char *member,
               sd_bus_message_handler_t handler);

/* Sends MESSAGE and keeps the slot in the call. */
int unit_send(UnitCall *call, sd_bus_message *message, sd_bus_message_handler_t handler);

/* An error answer as GError, or FALSE where MESSAGE is a good answer. */
gboolean unit_answer_failed(sd_bus_message *message, const char *what, const char *unit,
                            GError **error);

/* GetAll's answer. */
int unit_state_from_message(sd_bus_message *message, UnitState *state);

/* Asks for all properties of the unit; HANDLER gets the answer. */
int unit_ask_state(UnitCall *call, sd_bus_message_handler_t handler);
