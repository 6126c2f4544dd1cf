#include "job/meter.h"
#include "common/names.h"
#include "common/text.h"
#include "port/keeper.h"
#include "state/progress.h"

#include <systemd/sd-daemon.h>

#define PUBLISH_USEC (250 * USEC_PER_MSEC)

struct Meter {
    Job *job;
    const char *state;
    char *step;
    double fraction; /* of the step at work */
    char *detail;
    guint64 step_begun; /* monotonic µs */
    sd_event_source *tick;
};

static guint64 step_estimate(const RecordStep *step)
{
    const char *text = g_hash_table_lookup(step->values, "estimate");
    guint64 usec;

    return text_parse_uint64(text, 0, G_MAXUINT64 / 2, &usec) ? usec : USEC_PER_SEC;
}

/* What is left of the step at work: by its own speed once it is a tenth through, by the plan's
 * estimate before. */
static guint64 step_remaining(const Meter *meter, guint64 estimate)
{
    guint64 ran = g_get_monotonic_time() - meter->step_begun;

    if (meter->fraction > 0.1)
        return (guint64)(ran / meter->fraction * (1.0 - meter->fraction));
    return estimate > ran ? estimate - ran : 0;
}

static void measure(const Meter *meter, double *ret_fraction, guint64 *ret_remaining)
{
    const GPtrArray *steps = meter->job->summary->steps;
    double total = 0, passed = 0;
    guint64 remaining = 0;

    for (guint i = 0; i < steps->len; i++) {
        const RecordStep *step = steps->pdata[i];
        guint64 estimate = step_estimate(step);

        total += estimate;
        if (step->state == STEP_DONE) {
            passed += estimate;
        } else if (g_strcmp0(step->id, meter->step) == 0) {
            passed += estimate * meter->fraction;
            remaining += step_remaining(meter, estimate);
        } else {
            remaining += estimate;
        }
    }
    *ret_fraction = total > 0 ? passed / total : 0;
    *ret_remaining = remaining;
}

static guint64 held_for(const Job *job, const KeeperStatus *keeper)
{
    guint64 now = g_get_monotonic_time();

    if (!job->outage_since || !keeper || keeper->state == KEEPER_OPEN)
        return 0;
    return now > job->outage_since ? now - job->outage_since : 0;
}

static void publish(Meter *meter)
{
    Job *job = meter->job;
    g_autoptr(KeeperStatus) keeper = keeper_status_read(job->server->name);
    g_autoptr(GError) error = NULL;
    g_autofree char *left = NULL;
    JobProgress progress = {
        .state = (char *)meter->state,
        .step = meter->step ? meter->step : (char *)"",
        .held_usec = held_for(job, keeper),
        .held = keeper ? keeper->held : 0,
        .detail = meter->detail ? meter->detail : (char *)"",
        .can_cancel = job->interruptible,
    };

    measure(meter, &progress.fraction, &progress.remaining_usec);
    if (!progress_write(job->request->id, &progress, &error))
        g_debug("%s", error->message); /* /run is full: the work goes on unseen */
    left = text_timespan(progress.remaining_usec);
    sd_notifyf(0, "STATUS=%s: %s, %.0f%%, about %s left%s%s", meter->state, progress.step,
               progress.fraction * 100, left, progress.detail[0] ? "; " : "", progress.detail);
}

static int on_tick(sd_event_source *source, guint64 usec, void *data)
{
    publish(data);
    sd_event_source_set_time_relative(source, PUBLISH_USEC);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

Meter *meter_new(Job *job)
{
    Meter *meter = g_new0(Meter, 1);

    meter->job = job;
    meter->state = "running";
    sd_event_add_time_relative(job->event, &meter->tick, CLOCK_MONOTONIC, PUBLISH_USEC, 0, on_tick,
                               meter);
    return meter;
}

void meter_free(Meter *meter)
{
    if (!meter)
        return;
    sd_event_source_disable_unref(meter->tick);
    g_free(meter->step);
    g_free(meter->detail);
    g_free(meter);
}

void meter_step(Meter *meter, const char *state, const char *step)
{
    if (!meter)
        return;
    meter->state = state;
    g_free(meter->step);
    meter->step = g_strdup(step);
    g_clear_pointer(&meter->detail, g_free);
    meter->fraction = 0;
    meter->step_begun = g_get_monotonic_time();
    publish(meter);
}

void meter_advance(Meter *meter, double fraction, const char *format, ...)
{
    va_list args;

    if (!meter)
        return;
    meter->fraction = CLAMP(fraction, 0, 1);
    g_free(meter->detail);
    va_start(args, format);
    meter->detail = g_strdup_vprintf(format, args);
    va_end(args);
}
