/* The service's objects as JSON, in the shapes that ttctl(1) documents. */
#pragma once

#include "ctl/json.h"
#include "ctl/object.h"

/* Two members of a server; NULL: it is gone meanwhile. */
void json_confirmation(Json *json, const Server *server);
void json_server(Json *json, const char *key, const Server *server);
void json_instance(Json *json, const char *key, const Instance *instance);
void json_job(Json *json, const char *key, const Job *job);

/* A writer whose outermost object is open and has its "version". */
Json *json_begin(const Options *options);
/* Closes the outermost object and prints. */
void json_finish(Json *json);
