/* A small writer of JSON: nesting, commas and escapes are its business, order and keys the
 * caller's.
 *
 * KEY is NULL inside arrays and for the outermost value. Strings that are not UTF-8 are repaired,
 * numbers are exact.
 */
#pragma once

#include <stdio.h>
#include <glib.h>

/* Of the shapes that ttctl(1) documents; a change that breaks a reader counts it up. */
#define JSON_VERSION 1

typedef struct Json Json;

/* PRETTY: in lines for people, otherwise on one line. */
Json *json_new(gboolean pretty);
void json_free(Json *json);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Json, json_free)

void json_object_begin(Json *json, const char *key);
void json_array_begin(Json *json, const char *key);
void json_end(Json *json); /* of the innermost object or array */

void json_string(Json *json, const char *key, const char *value); /* NULL gives null */
void json_uint(Json *json, const char *key, guint64 value);
void json_bool(Json *json, const char *key, gboolean value);
void json_null(Json *json, const char *key);
/* A fraction with six digits; what is no number gives null. */
void json_double(Json *json, const char *key, double value);
/* Microseconds; null where the value says "unknown" or "never" (USEC_NEVER). */
void json_usec(Json *json, const char *key, guint64 value);
void json_strings(Json *json, const char *key, char **values);

/* What was written so far; the writer's own. */
const char *json_text(const Json *json);
/* The text and a newline. */
void json_print(const Json *json, FILE *file);
