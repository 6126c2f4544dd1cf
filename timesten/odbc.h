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
