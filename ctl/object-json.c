#include "ctl/object-json.h"

/* Empty strings of the bus mean "none", which JSON can say. */
static void json_word(Json *json, const char *key, const char *value)
{
    json_string(json, key, *value ? value : NULL);
}

static void json_time(Json *json, const char *key, guint64 value)
{
    if (value == 0)
        json_null(json, key);
    else
        json_usec(json, key, value);
}

void json_confirmation(Json *json, const Server *server)
{
    json_word(json, "confirmation", server ? server->confirmation : "");
    json_time(json, "confirm_by", server ? server->confirm_by : 0);
}

void json_server(Json *json, const char *key, const Server *server)
{
    json_object_begin(json, key);
    json_string(json, "name", server->name);
    json_uint(json, "port", server->port);
    json_string(json, "state", server->state);
    json_word(json, "instance", server->instance);
    json_word(json, "release", server->release);
    json_word(json, "previous_instance", server->previous_instance);
    json_confirmation(json, server);
    json_strings(json, "databases", server->databases);
    json_word(json, "mode", server->mode);
    json_uint(json, "sessions", server->sessions);
    json_uint(json, "held", server->held);
    json_time(json, "hold_since", server->hold_since);
    json_time(json, "hold_deadline", server->hold_deadline);
    if (*server->last_result) {
        json_object_begin(json, "last_result");
        json_string(json, "result", server->last_result);
        json_word(json, "error", server->last_error);
        json_uint(json, "job", server->last_job);
        json_time(json, "time", server->last_time);
        json_end(json);
    } else {
        json_null(json, "last_result");
    }
    json_end(json);
}

void json_instance(Json *json, const char *key, const Instance *instance)
{
    json_object_begin(json, key);
    json_string(json, "name", instance->name);
    json_string(json, "home", instance->home);
    json_word(json, "release", instance->release);
    json_word(json, "admin", instance->admin);
    json_word(json, "unit", instance->unit);
    json_string(json, "state", instance->state);
    json_uint(json, "daemon_port", instance->daemon_port);
    json_uint(json, "server_port", instance->server_port);
    json_strings(json, "databases", instance->databases);
    json_strings(json, "servers", instance->servers);
    json_end(json);
}

void json_job(Json *json, const char *key, const Job *job)
{
    json_object_begin(json, key);
    json_uint(json, "id", job->id);
    json_string(json, "kind", job->kind);
    json_string(json, "server", job->server);
    json_word(json, "from", job->from);
    json_word(json, "to", job->to);
    json_word(json, "method", job->method);
    json_string(json, "state", job->state);
    json_word(json, "result", job->result);
    json_word(json, "step", job->step);
    json_array_begin(json, "steps");
    for (guint i = 0; i < job->steps->len; i++) {
        const JobStep *step = job->steps->pdata[i];

        json_object_begin(json, NULL);
        json_string(json, "id", step->id);
        json_string(json, "description", step->description);
        json_string(json, "state", step->state);
        json_end(json);
    }
    json_end(json);
    json_double(json, "progress", job->progress);
    json_usec(json, "remaining_usec", job->remaining_usec);
    json_usec(json, "held_usec", job->held_usec);
    if (*job->error || *job->message) {
        json_object_begin(json, "error");
        json_word(json, "name", job->error);
        json_string(json, "message", job->message);
        json_end(json);
    } else {
        json_null(json, "error");
    }
    json_strings(json, "left_to_do", job->left_to_do);
    if (job->started_by == G_MAXUINT32) /* the record is damaged */
        json_null(json, "started_by_uid");
    else
        json_uint(json, "started_by_uid", job->started_by);
    json_time(json, "started", job->started);
    json_time(json, "finished", job->finished);
    json_bool(json, "can_cancel", job->can_cancel);
    json_end(json);
}

Json *json_begin(const Options *options)
{
    Json *json = json_new(options->output == OUTPUT_JSON_PRETTY);

    json_object_begin(json, NULL);
    json_uint(json, "version", JSON_VERSION);
    return json;
}

void json_finish(Json *json)
{
    json_end(json);
    json_print(json, stdout);
}
