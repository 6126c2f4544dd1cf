/* CREATE and ALTER REPLICATION, CREATE ACTIVE STANDBY PAIR: from the statement to its parts. */
#pragma once

#include <glib.h>

typedef struct {
    char *name;  /* upper case, as TimesTen shows it */
    char *host;  /* as written; NULL: this host */
    gint64 port; /* attributes: -1 where not given */
    gint64 timeout;
    gint64 threshold;
} SchemeStore;

typedef struct {
    char *name;
    char *table; /* OWNER.TABLE; NULL: the whole data store */
    SchemeStore *master;
    GPtrArray *subscribers; /* SchemeStore */
    GPtrArray *tables;      /* OWNER.TABLE: of INCLUDE or EXCLUDE */
    gboolean include;
    char *stamp;     /* CHECK CONFLICTS: the column of the time; NULL: no check */
    gboolean system; /* UPDATE BY SYSTEM */
    gboolean alone;  /* ON EXCEPTION NO ACTION: the other rows of the transaction are applied */
    char *report;    /* file */
} SchemeElement;

typedef enum { SCHEME_CREATE, SCHEME_DROP, SCHEME_ALTER } SchemeVerb;

typedef struct {
    SchemeVerb verb;
    gboolean pair; /* an active standby pair */
    char *owner;
    char *name;
    GPtrArray *elements; /* SchemeElement to create or add */
    GPtrArray *dropped;  /* names of elements */
    GPtrArray *stores;   /* SchemeStore with attributes */
} SchemeText;

/* OWNER (upper case) owns what is named without one. Errors: TT_SYNTAX, TT_SCHEME for what the
 * stand-in does not have. */
SchemeText *scheme_parse(const char *statement, const char *owner, GError **error);
void scheme_text_free(SchemeText *text);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SchemeText, scheme_text_free)
