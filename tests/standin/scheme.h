/* The replication scheme of a store: made, changed, dropped, saved and taken over; and what two
 * stores must agree on before rows go from one to the other.
 */
#pragma once

#include "release.h"
#include "session.h"

gboolean scheme_is_statement(const char *text);
/* CREATE, ALTER or DROP REPLICATION or ACTIVE STANDBY PAIR. */
gboolean scheme_run(Session *session, const char *statement, GError **error);
/* Whether the definition SQL (translated) leaves all replicated tables as they are. */
gboolean scheme_allows(sqlite3 *database, const char *sql, GError **error);

/* All of it as SQL, for ttMigrate's file; g_free(). NULL where there is no scheme. */
char *scheme_dump(sqlite3 *database);
/* Puts a saved scheme into the store at PATH, whose peers must then be reset. LOCAL_HOST: this
 * host's name in the scheme, or NULL. */
gboolean scheme_restore(sqlite3 *database, const char *path, const char *dump,
                        const char *local_host, GError **error);
/* After a copy: the store at PATH is now itself, with a log of its own. */
gboolean scheme_adopt(sqlite3 *database, const char *path, const char *local_host, GError **error);

char *scheme_name(sqlite3 *database); /* OWNER.NAME; g_free() */
/* This store's name and host in its scheme; g_free(). */
gboolean scheme_self(sqlite3 *database, char **ret_name, char **ret_host);
/* Tables that MASTER sends to SUB. g_strfreev(). */
char **scheme_tables(sqlite3 *database, const char *master, const char *master_host,
                     const char *sub, const char *sub_host);
/* A digest of the columns of a table; equal where two tables can take each other's rows. */
char *scheme_signature(sqlite3 *database, const char *table);
/* A column that a store before 7.0 would not understand, as words; NULL: none. g_free(). */
char *scheme_new_type(sqlite3 *database, char **tables);
