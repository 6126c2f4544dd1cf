#include "systemd/facts.h"
#include "systemd/call.h"

#include <string.h>

typedef enum { FACT_TEXT, FACT_FLAG, FACT_USEC, FACT_WORDS, FACT_LISTEN } FactKind;

static const struct {
    const char *name;
    FactKind kind;
    gsize offset;
} rows[] = {
    { "LoadState", FACT_TEXT, offsetof(UnitFacts, load_state) },
    { "ActiveState", FACT_TEXT, offsetof(UnitFacts, active_state) },
    { "RefuseManualStart", FACT_FLAG, offsetof(UnitFacts, refuse_manual_start) },
    { "RefuseManualStop", FACT_FLAG, offsetof(UnitFacts, refuse_manual_stop) },
    { "StopWhenUnneeded", FACT_FLAG, offsetof(UnitFacts, stop_when_unneeded) },
    { "JobTimeoutUSec", FACT_USEC, offsetof(UnitFacts, job_timeout_usec) },
    { "Triggers", FACT_WORDS, offsetof(UnitFacts, triggers) },
    { "TriggeredBy", FACT_WORDS, offsetof(UnitFacts, triggered_by) },
    { "RequiredBy", FACT_WORDS, offsetof(UnitFacts, required_by) },
    { "BoundBy", FACT_WORDS, offsetof(UnitFacts, bound_by) },
    { "ConsistsOf", FACT_WORDS, offsetof(UnitFacts, consists_of) },
    { "PropagatesStopTo", FACT_WORDS, offsetof(UnitFacts, propagates_stop_to) },
    { "Accept", FACT_FLAG, offsetof(UnitFacts, accept) },
    { "FlushPending", FACT_FLAG, offsetof(UnitFacts, flush_pending) },
    { "Listen", FACT_LISTEN, offsetof(UnitFacts, listen_types) },
    { "KillMode", FACT_TEXT, offsetof(UnitFacts, kill_mode) },
};

void unit_facts_free(UnitFacts *facts)
{
    if (!facts)
        return;
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        gpointer *field = (gpointer *)((char *)facts + rows[i].offset);

        if (rows[i].kind == FACT_TEXT)
            g_free(*field);
        else if (rows[i].kind == FACT_WORDS || rows[i].kind == FACT_LISTEN)
            g_strfreev(*field);
    }
    g_free(facts->name);
    g_free(facts);
}

/* An array whose elements begin with a word: strings, or the pairs of Listen=. */
static int read_words(sd_bus_message *m, const char *array, const char *element, char ***target)
{
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();
    const char *word;
    int r = sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, array);

    if (r >= 0)
        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, element);
    while (r >= 0 && (r = sd_bus_message_read(m, element, &word, NULL)) > 0)
        g_strv_builder_add(words, word);
    if (r >= 0)
        r = sd_bus_message_exit_container(m);
    if (r >= 0)
        r = sd_bus_message_exit_container(m);
    g_strfreev(*target);
    *target = g_strv_builder_end(words);
    return r;
}

static int read_text(sd_bus_message *m, char **target)
{
    const char *text;
    int r = sd_bus_message_read(m, "v", "s", &text);

    if (r < 0)
        return r;
    g_free(*target);
    *target = g_strdup(text);
    return r;
}

static int read_fact(sd_bus_message *m, FactKind kind, gpointer target)
{
    switch (kind) {
    case FACT_TEXT:
        return read_text(m, target);
    case FACT_FLAG:
        return sd_bus_message_read(m, "v", "b", target);
    case FACT_USEC:
        return sd_bus_message_read(m, "v", "t", target);
    case FACT_WORDS:
        return read_words(m, "as", "s", target);
    case FACT_LISTEN:
        return read_words(m, "a(ss)", "(ss)", target);
    }
    return -EINVAL;
}

static int read_property(sd_bus_message *m, UnitFacts *facts)
{
    const char *name;
    int r = sd_bus_message_read(m, "s", &name);

    if (r < 0)
        return r;
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        if (g_str_equal(rows[i].name, name))
            return read_fact(m, rows[i].kind, (char *)facts + rows[i].offset);
    return sd_bus_message_skip(m, "v");
}

/* What systemd did not tell is as if it were not there. */
static void fill(UnitFacts *facts)
{
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        gpointer *field = (gpointer *)((char *)facts + rows[i].offset);

        if (rows[i].kind == FACT_TEXT && !*field)
            *field = g_strdup("");
        else if ((rows[i].kind == FACT_WORDS || rows[i].kind == FACT_LISTEN) && !*field)
            *field = g_new0(char *, 1);
    }
}

static int read_all(sd_bus_message *m, UnitFacts *facts)
{
    int r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
        r = read_property(m, facts);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r;
}

static int on_facts(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
    UnitCall *call = data;
    UnitFactsRead done = call->facts_done;
    g_autoptr(GError) error = NULL;
    UnitFacts *facts;

    if (unit_answer_failed(message, "tell about", call->unit, &error)) {
        done(NULL, error, call->data);
        return 0;
    }
    facts = g_new0(UnitFacts, 1);
    facts->name = g_strdup(call->unit);
    facts->job_timeout_usec = G_MAXUINT64;
    read_all(message, facts);
    fill(facts);
    done(facts, NULL, call->data);
    return 0;
}

UnitCall *unit_read_facts(sd_bus *bus, const char *unit, UnitFactsRead done, gpointer data)
{
    g_autoptr(UnitCall) call = unit_call_new(bus, unit, data);

    call->facts_done = done;
    return unit_ask_state(call, on_facts) < 0 ? NULL : g_steal_pointer(&call);
}
