/* What saving, restoring and listing share: the arguments, the pace, the signal. */
#pragma once

#include "arguments.h"
#include "session.h"

/* ttMigrate's exit status (facts 3.4). */
enum { MIGRATE_ALL = 0, MIGRATE_SOME = 1, MIGRATE_FATAL = 2, MIGRATE_INTERRUPTED = 3 };

typedef struct {
    const Instance *instance;
    const Arguments *arguments;
    const char *file;
    char **objects; /* only these; empty: all */
    guint verbosity;
    double rows_per_second; /* 0: as fast as it goes */
    gint64 began;
    gint64 done;  /* rows of all tables so far */
    gint64 total; /* rows of all tables; 0 unknown */
} Migration;

int migration_save(Migration *migration, Session *session, gboolean append);
int migration_restore(Migration *migration, const Target *target);
int migration_list(Migration *migration, gboolean long_list, gboolean describe);

/* Counts one row, keeps the pace, lets faults happen. FALSE: a signal asks to end. */
gboolean migration_step(Migration *migration);
gboolean migration_interrupted(void);
gboolean migration_wants(const Migration *migration, const char *object);
/* A line for the operator, unless -v0. */
void migration_say(const Migration *migration, const char *format, ...) G_GNUC_PRINTF(2, 3);
