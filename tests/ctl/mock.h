/* What the files of the mock share; mock.c says what it is. */
#pragma once

#include "common/names.h"
#include "common/text.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define JOB_ID 7

typedef struct Mock Mock;

typedef struct {
    char *name, *home, *release, *admin, *unit, *state;
    guint16 daemon_port, server_port;
    char **databases, **servers;
} Instance;

typedef struct {
    Mock *mock;
    char *name, *state, *instance, *release, *previous, *mode, *job;
    guint16 port;
    char **databases;
    guint32 sessions, held;
    guint64 hold_since;
    guint64 deadline;
    char *confirmation;
    guint64 confirm_by;
} Server;

typedef struct {
    Mock *mock;
    guint64 id;
    char *kind, *server, *from, *to, *method;
    const char *state, *result, *step;
    const char *states[14];
    double progress;
    guint64 remaining, held;
    const char *error, *message;
    guint32 uid;
    guint64 started, finished;
    int can_cancel;
    char **left_to_do;
} Job;

typedef enum {
    STEP_HOLD = 3,
    STEP_IMPORT = 8,
    STEP_COMMIT = 11,
    STEP_RESUME = 12,
    N_STEPS = 14
} Step;

typedef struct {
    const char *id, *description;
    gboolean reversible;
    guint64 estimate;
} MockStep;

extern const MockStep steps[N_STEPS];

struct Mock {
    sd_bus *bus;
    sd_event *event;
    char *directory;
    GKeyFile *script;
    Job job;
    Server servers[2];
    Instance instances[2];
    gboolean job_known, job_ended;
    guint64 cancelled; /* µs since the epoch */
    guint64 modelled;  /* µs of the job that were shown */
    guint64 retried;
};

/* mock-script.c: what the test wrote for the mock, and what the mock writes for the test. Strings
 * are g_free(). */
char *mock_path(Mock *mock, const char *name);
guint64 script_number(Mock *mock, const char *key, guint64 otherwise);
char *script_word(Mock *mock, const char *key); /* "" where there is none */
/* Negative where the script names an error under KEY, which is set. */
int script_refuse(Mock *mock, const char *key, sd_bus_error *error);
void note_call(Mock *mock, sd_bus_message *call, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* Reads the a{sv} that comes next in CALL: " key=value" for each. */
char *words_of_options(sd_bus_message *call);
void store_time(Mock *mock, const char *name, guint64 usec);
guint64 load_time(Mock *mock, const char *name); /* 0 where none was stored */

/* mock-job.c: the one job. Its state follows from the time since its begin. */
void model_job(Mock *mock);
void know_job(Mock *mock);
int begin_job(Mock *mock, sd_bus_message *call, const char *kind, const char *from, const char *to);

/* mock-server.c */
void model_server(Mock *mock);

#define CHANGES          SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define IN(type, member) offsetof(type, member)

extern const sd_bus_vtable server_vtable[], instance_vtable[], manager_vtable[];
