/* What a transaction changes in replicated tables, as a changeset of SQLite's session extension. It
 * goes into the log in the same transaction, so that both are there or neither is.
 */
#pragma once

#include <sqlite3.h>

#include <glib.h>

typedef struct Capture Capture;

/* In an open write transaction, before its first change; DELAY as in replica_settle(). FALSE: an
 * error. *RET is NULL where the store is not replicated. */
gboolean capture_begin(sqlite3 *database, gint64 delay, Capture **ret, GError **error);
/* Before the commit: writes the log record. */
gboolean capture_finish(Capture *capture, GError **error);
/* Whether the transaction has changed anything that is replicated. */
gboolean capture_has_changes(const Capture *capture);
void capture_free(Capture *capture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Capture, capture_free)
