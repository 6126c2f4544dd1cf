/* What systemd tells of a socket unit and of its service, as far as a hold depends on it. */
#pragma once

#include "systemd/unit.h"

typedef struct {
    char *name;
    char *load_state; /* loaded, not-found, masked, … */
    char *active_state;
    gboolean refuse_manual_start, refuse_manual_stop;
    gboolean stop_when_unneeded;
    guint64 job_timeout_usec; /* USEC_NEVER: none */
    char **triggers;          /* a socket: services */
    char **triggered_by;      /* a service: sockets, timers, … */
    char **required_by, **bound_by, **consists_of, **propagates_stop_to;
    /* of sockets */
    gboolean accept;
    gboolean flush_pending;
    char **listen_types; /* "Stream", "Datagram", … */
    /* of services */
    char *kill_mode;
} UnitFacts;
void unit_facts_free(UnitFacts *facts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UnitFacts, unit_facts_free)

/* FACTS are the callee's. */
typedef void (*UnitFactsRead)(UnitFacts *facts, const GError *error, gpointer data);
UnitCall *unit_read_facts(sd_bus *bus, const char *unit, UnitFactsRead done, gpointer data);
