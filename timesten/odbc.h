/* sys.odbc.ini: the DSNs of an instance (facts 2.1). Names are case-insensitive. */
#pragma once

#include <glib.h>

typedef struct {
    char *name;          /* as written */
    char *data_store;    /* DataStore=, NULL for a client DSN */
    char *log_directory; /* LogDir=, NULL where absent */
    GHashTable *attributes; /* lower-case name → value */
    guint line;          /* of the section */
} Dsn;

/* All DSN sections with a DataStore or any attribute; "ODBC Data Sources" is passed over. Never fails: lines
 * that are not understood are passed over, as the driver does. Free with g_ptr_array_unref(). */
GPtrArray *odbc_parse(const char *text);
const Dsn *odbc_find(const GPtrArray *dsns, const char *name);

/* The text with one more DSN at its end: all attributes of the section LIKE but DataStore= and LogDir=,
 * its own DataStore= instead. A section NAME that is there already is replaced. NULL where there is no
 * section LIKE. g_free(). */
char *odbc_add(const char *text, const char *name, const char *like, const char *data_store);
/* The text without the section NAME; no other line is touched. g_free(). */
char *odbc_remove(const char *text, const char *name);
