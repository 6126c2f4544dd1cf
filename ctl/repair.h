/* ttctl check --fix: what the service can repair of what its checks find. */
#pragma once

#include "ctl/json.h"
#include "ctl/request.h"

typedef struct {
    char *id; /* of the check */
    char *subject;
    char *before, *after;
    char *undo;
} Repaired;

/* Shows what would be repaired, asks on a terminal unless --yes was given, has it repaired and
 * shows that. Array of Repaired, empty where there is nothing to repair; NULL: an error, CANCELLED
 * where it was not wanted. */
GPtrArray *repair_all(Session *session, const Change *change, GError **error);

/* Whether one of them could not be done. */
gboolean repair_failed(const GPtrArray *repairs);
void repair_json(Json *json, const GPtrArray *repairs);
